"""Options of the suite, the processes of the current case, and the data file.

make bench                                  everything, into the library's data file: an hour on two cores
pytest tests/benchmarks --quick             every group with tiny problems, to try the suite
pytest tests/benchmarks -k cg --speed-json speed.json       some groups; the file keeps the others
"""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path

import pytest
from cases import all_cases, quick
from environment import machine, session
from worker import Worker

ROOT = Path(__file__).resolve().parents[2]
MEASURED = pytest.StashKey()
KERNELS = ROOT / ".venv-bench-kernels" / "bin" / "python"


def pytest_addoption(parser):
    parser.addoption("--quick", action="store_true", help="tiny problems, every method once")
    parser.addoption("--speed-json", type=Path, help="write the measurements to this file")
    parser.addoption("--kernels-python", type=Path, default=KERNELS, help="an interpreter that has neural-tangents")


def pytest_generate_tests(metafunc):
    cases = quick(all_cases()) if metafunc.config.getoption("quick") else all_cases()
    trials = [
        pytest.param(case, method, k, id=f"{case.name}-{method}-{k}") for case in cases for method, k in case.trials()
    ]
    metafunc.parametrize("case, method, repetition", trials)


class Bench:
    """The processes of the current case, and what was measured so far."""

    def __init__(self, config, folder: Path):
        self.kernels, self.folder = config.getoption("kernels_python"), folder
        self.case, self.workers, self.records = None, {}, {}
        self.environment = machine() | {"versions": {}, "groups": {}}

    def worker(self, case, method: str) -> tuple[Worker, dict]:
        """The process of a method, warmed up, and its record; those of earlier cases end."""
        if case != self.case:
            self.close()
            self.case, self.place = case, self.folder / case.name
            self.place.mkdir()
            self.environment["groups"].setdefault(case.group, session())
        if method not in self.workers:
            extra = "bench-kernels" if method.startswith("neural-tangents") else "bench"
            python = self.kernels if extra == "bench-kernels" else Path(sys.executable)
            if not python.exists():
                pytest.skip("no environment with the extra [bench-kernels]; `make bench` creates it")
            if extra not in self.environment["versions"]:
                self.environment["versions"][extra] = self.versions(python)
            worker = self.workers[method] = Worker(str(python))
            record = case.record(method) | worker.ask("prepare", *case.asked(method)) | {"seconds": [], "error": None}
            self.records[case.name, method] = record
        return self.workers[method], self.records[case.name, method]

    @staticmethod
    def versions(python: Path) -> dict:
        worker = Worker(str(python))
        try:
            return worker.ask("tell", "environment", "versions")
        finally:
            worker.close()

    def close(self) -> None:
        for worker in self.workers.values():
            worker.close()
        self.workers.clear()

    def finished(self) -> list[dict]:
        """The records, with the median and the range of their repetitions."""
        return [
            record | {"median": statistics.median(times), "spread": [min(times), max(times)]}
            for record in self.records.values()
            if (times := record["seconds"])
        ]


@pytest.fixture(scope="session")
def bench(request, tmp_path_factory):
    bench = request.config.stash[MEASURED] = Bench(request.config, tmp_path_factory.mktemp("references"))
    yield bench
    bench.close()


def rounded(value, digits: int = 4):
    """The same data with `digits` significant digits."""
    if isinstance(value, float):
        return float(f"{value:.{digits}g}")
    if isinstance(value, dict):
        return {key: rounded(item, digits) for key, item in value.items()}
    return [rounded(item, digits) for item in value] if isinstance(value, (list, tuple)) else value


def write(path: Path, environment: dict, records: list[dict]) -> None:
    """One record a line. Groups that were not measured now are kept, with their date.

    The machine of the file is that of its first measurement; a group from another machine names its own.
    """
    if path.exists():
        old = json.loads(path.read_text(encoding="utf-8"))
        new, first = environment["groups"], old["environment"]
        records = [record for record in old["records"] if record["group"] not in new] + records
        here = {key: environment[key] for key in ("cpu", "cores", "memory_gb", "versions")}
        if any(first[key] != here[key] for key in ("cpu", "cores")):
            new = {name: session | here for name, session in new.items()}
        else:
            first["versions"] |= environment["versions"]
        environment = first | {"groups": first["groups"] | new}
    lines = ",\n".join(json.dumps(rounded(record)) for record in records)
    path.write_text(f'{{"environment": {json.dumps(environment)},\n"records": [\n{lines}\n]}}\n', encoding="utf-8")


def pytest_terminal_summary(terminalreporter, config):
    bench = config.stash.get(MEASURED, None)
    if not bench:
        return
    records, line = bench.finished(), terminalreporter.write_line
    terminalreporter.section("medians")
    if path := config.getoption("speed_json"):
        write(path, bench.environment, records)
        line(f"written: {path}")
    line(f"{'case':44}{'method':26}{'seconds':>10}{'from':>10}{'to':>10}{'MB':>8}{'base':>6}{'error':>10}")
    for r in records:
        numbers = [f"{value:10.4g}" for value in (r["median"], *r["spread"])]
        memory = [f"{r[key] or 0:{width}.0f}" for key, width in (("memory_mb", 8), ("base_mb", 6))]
        error = "" if r["error"] is None else f"{r['error']:10.1e}"
        line(f"{r['case']:44}{r['method']:26}" + "".join(numbers + memory) + error)
