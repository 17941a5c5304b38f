"""Studies survive: killed at random they end with the file that they would have had."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
import types
from pathlib import Path

import pytest

from nntk_lib.exceptions import ParameterError
from nntk_lib.studies.runner import Study, append, digest, key, read, run

from .counting import POINTS, STUDY, advance, threads

ROOT = Path(__file__).parents[3]


def results(file: Path) -> dict[str, dict]:
    return {point: record["result"] for point, record in read(file).items()}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The file of a run that nobody disturbs."""
    file = tmp_path_factory.mktemp("whole") / "counting.jsonl"
    run(STUDY, file)
    return file


def test_every_point_is_one_line_in_the_order_of_the_points(whole):
    lines = [json.loads(line) for line in whole.read_text().splitlines()]
    assert "made" in lines[0] and {"python", "numpy", "commit", "cpu"} <= set(lines[0]["made"])
    assert [line["point"] for line in lines[1:]] == POINTS
    assert all(line["seconds"] > 0 for line in lines[1:])
    assert lines[4]["result"] == {"error": "NonFiniteError: x overflows"}
    assert not list(whole.parent.glob("*.states"))


def test_results_are_those_of_the_recursion(whole):
    for point in POINTS:
        state = result = None
        while result is None and point["seed"] != 3:
            state, result = advance(point, state)
        assert result is None or results(whole)[key(point)] == result


@pytest.mark.skipif(os.name != "posix", reason="kills by a signal")
@pytest.mark.parametrize("workers", [1, 2])
def test_killed_at_random(whole, tmp_path, workers):
    """Ten times, parents and children together; then every run ends as if nothing had happened."""
    file, rng = tmp_path / "counting.jsonl", random.Random(workers)
    command = [sys.executable, "-m", "tests.library.studies.counting", str(file), str(workers)]
    for _ in range(10):
        process = subprocess.Popen(command, start_new_session=True, stderr=subprocess.DEVNULL)
        time.sleep(rng.uniform(0.5, 1.5))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    subprocess.run(command, check=True, timeout=120)
    assert results(file) == results(whole)
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert len([line for line in lines if "point" in line]) == len(POINTS), "a run was done twice"
    assert not list(tmp_path.glob("*.states"))


def test_a_killed_run_goes_on_from_its_last_step(tmp_path):
    """Of the steps before, none is taken again."""
    taken = []

    def interrupted(point, state):
        if len(taken) == 3 and not (tmp_path / "again").exists():
            (tmp_path / "again").touch()
            raise KeyboardInterrupt
        taken.append(state)
        return advance(point, state)

    study = Study("counting", POINTS[:1], interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(study, tmp_path / "counting.jsonl")
    run(study, tmp_path / "counting.jsonl")
    assert len(taken) == POINTS[0]["steps"] + 1 and len(set(taken)) == len(taken)


def test_a_run_has_one_thread(tmp_path, monkeypatch):
    monkeypatch.setenv("NNTK_THREADS", "3")
    found = run(Study("threads", POINTS[:2], threads), tmp_path / "threads.jsonl")
    assert [record["result"] for record in found] == [{"threads": 1}] * 2
    assert os.environ["NNTK_THREADS"] == "3"


def test_runs_of_two_processes_have_one_thread_each(tmp_path):
    words = "from tests.library.studies.counting import POINTS, Study, run, threads;"
    words += f"run(Study('threads', POINTS[:2], threads), {str(tmp_path / 'threads.jsonl')!r}, 2)"
    subprocess.run([sys.executable, "-c", words], check=True, cwd=ROOT, env={**os.environ, "NNTK_THREADS": "3"})
    assert list(results(tmp_path / "threads.jsonl").values()) == [{"threads": 1}] * 2


def test_what_is_done_is_not_run_again(whole, tmp_path):
    file = tmp_path / "counting.jsonl"
    file.write_bytes(whole.read_bytes())
    run(Study("counting", POINTS, None), file)
    assert file.read_bytes() == whole.read_bytes()


def test_a_line_without_an_end_is_cut_off(tmp_path):
    file = tmp_path / "some.jsonl"
    append(file, {"point": {"seed": 1}, "result": {}})
    with open(file, "a") as out:
        out.write('{"point": {"seed": 2}, "res')
    assert len(read(file)) == 1
    append(file, {"point": {"seed": 3}, "result": {}})
    assert [json.loads(line)["point"]["seed"] for line in file.read_text().splitlines()] == [1, 3]


def test_what_a_killed_run_left_is_removed(whole, tmp_path):
    """Killed between the line of a result and the end of its states, or while a state was written."""
    file = tmp_path / "counting.jsonl"
    file.write_bytes(whole.read_bytes())
    states = tmp_path / "counting.states"
    states.mkdir()
    (states / digest(STUDY, POINTS[0])).touch()
    (states / f"{digest(STUDY, POINTS[1])}.4711").touch()
    (states / "another study").touch()
    run(STUDY, file)
    assert [left.name for left in states.iterdir()] == ["another study"]


@pytest.fixture(scope="module")
def cluster():
    """The address of two workers that can import the tests."""
    distributed = pytest.importorskip("dask.distributed", reason="the extra [studies] is not installed")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT)  # the workers are spawned with it
        with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster:
            yield cluster.scheduler_address


def test_a_cluster_of_two_workers(whole, tmp_path, cluster):
    run(STUDY, tmp_path / "counting.jsonl", cluster=cluster)
    assert results(tmp_path / "counting.jsonl") == results(whole)


def test_workers_that_cannot_import_the_study_are_named(tmp_path, cluster):
    elsewhere = types.FunctionType(advance.__code__, {"__name__": "nowhere"})
    with pytest.raises(ParameterError, match="cannot import nowhere .*PYTHONPATH"):
        run(Study("counting", POINTS, elsewhere), tmp_path / "counting.jsonl", cluster=cluster)


def test_a_cluster_without_workers_is_named(tmp_path, monkeypatch):
    distributed = pytest.importorskip("dask.distributed", reason="the extra [studies] is not installed")
    monkeypatch.setattr("nntk_lib.studies.runner.WAIT", 1)
    with distributed.LocalCluster(n_workers=0, dashboard_address=":0") as empty:
        with pytest.raises(ParameterError, match="No worker has come"):
            run(STUDY, tmp_path / "counting.jsonl", cluster=empty.scheduler_address)


def test_errors_say_what_to_do():
    with pytest.raises(ParameterError, match="Give repeated runs a seed"):
        Study("twice", [{"seed": 1}, {"seed": 1}], advance)
    with pytest.raises(ParameterError, match="at least 1"):
        run(STUDY, "unused.jsonl", workers=0)
