"""One timing a test: a case, a method, a repetition. See conftest.py for how to run the suite."""

from __future__ import annotations

import time


def test_speed(case, method, repetition, bench, benchmark):
    worker, record = bench.worker(case, method)
    time.sleep(0.05)  # threads of the method before may still be spinning
    benchmark.group = case.name
    answer = benchmark.pedantic(worker.ask, args=("time",), rounds=1, iterations=1)
    record["seconds"].append(answer["seconds"])  # without the pipe between the processes
    record["memory_mb"] = max(answer["memory_mb"] or 0, record.get("memory_mb", 0))
    if repetition == 0 or case.group in ("race", "loss"):  # a training reports all its runs so far
        record.update(worker.ask("check", str(bench.place) if len(case.methods) > 1 else None))
    benchmark.extra_info |= record
    assert answer["seconds"] > 0
