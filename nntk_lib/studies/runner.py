r"""A grid of runs on every core, or on a cluster, that may be killed at any time.

A study is a list of points and a function that takes the run of one point a step further,

    advance(point, state) -> (state, None)      while the run goes on,
                             (state, result)    when it has ended,

with state None at the start. After every step the state goes to a file
of its own, which is the old one or the new one, never half of either:
a run that is killed loses at most the step that it was in. The result of
a run is one line of the study's file, appended by one write,

    {"point": {...}, "result": {...}, "seconds": 12.3},

between lines {"made": {...}} that say with what the runs below them were
made. What a killed machine left of a line is cut off by the next start.
"""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import platform
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ..exceptions import NNTKError, ParameterError
from ..linalg.streaming import one_thread

WAIT = 60  # seconds for the first worker of a cluster
FOLDER = Path(__file__).parent  # of the stored results
VERSIONS = ("nntk-lib", "numpy", "scipy", "scikit-learn")


@dataclass(frozen=True)
class Study:
    """A grid of runs.

    Attributes
    ----------
    name : str
        Of the file, ``name.jsonl``.
    points : sequence of dict
        What distinguishes the runs, the seed included; JSON has to be able to say it.
    advance : callable
        ``advance(point, state) -> (state, result or None)``, a function of a module, so that processes can share it.
        An error of the library ends the run, and is its result.
    """

    name: str
    points: Sequence[dict]
    advance: Callable[[dict, Any], tuple[Any, dict | None]]

    def __post_init__(self):
        for point in self.points:
            sayable(point, f"A point of the study {self.name!r}")
        keys = [key(point) for point in self.points]
        if len(set(keys)) < len(keys):
            twice = next(point for point in self.points if keys.count(key(point)) > 1)
            raise ParameterError(f"The study {self.name!r} has a point twice: {twice}. Give repeated runs a seed.")


def sayable(value: Any, what: str) -> Any:
    """Return `value` if JSON can say it, else raise `ParameterError`."""
    try:
        json.dumps(value, sort_keys=True)
    except (TypeError, ValueError) as error:
        raise ParameterError(
            f"{what} cannot be written to a file: {error}. Use numbers of Python, such as int(k) and float(x), texts, "
            "lists and dictionaries with texts as keys."
        ) from None
    return value


def key(point: dict) -> str:
    """The point as one string."""
    return json.dumps(point, sort_keys=True)


def run(
    study: Study,
    file: str | Path,
    workers: int = 1,
    cluster: str = "",
    states: str | Path | None = None,
    progress: bool = False,
) -> list[dict]:
    """Run what is missing in the file, and append it.

    Parameters
    ----------
    study : Study
    file : path
        Read first: points that are in it are not run again.
    workers : int
        Processes of this machine; each has one thread.
    cluster : str
        The address of a dask scheduler, ``tcp://host:8786``, whose workers take the place of the processes. They need
        this library, and a folder of states that all of them see.
    states : path, optional
        The folder of the unfinished runs; beside the file if not given. It is empty when all runs have ended.
    progress : bool
        A bar with the time left.

    Returns
    -------
    list of dict
        All records of the file, in the order of the points.

    Raises
    ------
    ParameterError
        If there is not at least one worker, or a worker of the cluster cannot import the study.
    """
    if workers < 1:
        raise ParameterError(f"workers = {workers} must be at least 1.")
    file = Path(file)
    states = Path(states) if states else file.with_suffix(".states")
    done = read(file)
    missing = [point for point in study.points if key(point) not in done]
    if missing:
        states.mkdir(parents=True, exist_ok=True)
        if last_made(file) != (now := {"made": made()}):
            append(file, now)
        jobs = [(study.advance, point, states / digest(study, point)) for point in missing]
        for record in counted(on_cluster(jobs, cluster) if cluster else on_cores(jobs, workers), len(jobs), progress):
            append(file, record)
    clear(study, states)
    done = read(file)
    return [done[key(point)] for point in study.points]


def to_the_end(advance: Callable, point: dict, state_file: Path) -> dict:
    """The record of a run, begun where its file of states says."""
    state, seconds, result = None, 0.0, None
    if state_file.exists():
        state, seconds = pickle.loads(state_file.read_bytes())
    with one_thread():
        while result is None:
            begin = time.perf_counter()
            try:
                state, result = advance(point, state)
            except NNTKError as error:
                result = {"error": f"{type(error).__name__}: {error}"}
            seconds += time.perf_counter() - begin
            if result is None:
                replace(state_file, pickle.dumps((state, seconds)))
    return {"point": point, "result": result, "seconds": round(seconds, 3)}


def on_cores(jobs: list[tuple], workers: int) -> Iterator[dict]:
    """The records as they come, from processes of this machine."""
    if workers == 1:
        yield from (to_the_end(*job) for job in jobs)
        return
    from joblib import Parallel, delayed

    yield from Parallel(workers, return_as="generator_unordered")(delayed(to_the_end)(*job) for job in jobs)


def on_cluster(jobs: list[tuple], address: str) -> Iterator[dict]:
    """The records as they come, from the workers of a dask scheduler."""
    from dask.distributed import Client, as_completed

    with Client(address) as client:
        ready(client, {to_the_end.__module__, *(advance.__module__ for advance, *_ in jobs)})
        futures = [client.submit(to_the_end, *job, pure=False) for job in jobs]
        yield from (record for _, record in as_completed(futures, with_results=True))


def ready(client: Any, modules: set[str]) -> None:
    """Workers that cannot import what they are sent are silent, and the wait for them has no end: ask before."""
    try:
        client.wait_for_workers(1, timeout=WAIT)
    except TimeoutError:
        raise ParameterError(
            f"No worker has come to the scheduler in {WAIT} seconds. Start some: dask worker ADDRESS."
        ) from None
    for module in sorted(modules):
        for worker, answer in client.run(import_module, module, on_error="return").items():
            if isinstance(answer, Exception):
                raise ParameterError(
                    f"The worker {worker} cannot import {module} ({answer}). Install this library there, and put the "
                    "folder of the study on its PYTHONPATH."
                )


# ---- files ----------------------------------------------------------------------------------------------------


def digest(study: Study, point: dict) -> str:
    return hashlib.sha256(f"{study.name} {key(point)}".encode()).hexdigest()[:16]


def replace(file: Path, data: bytes) -> None:
    """Write a file so that it is never half there."""
    beside = file.with_name(f"{file.name}.{os.getpid()}")
    with open(beside, "wb") as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())
    os.replace(beside, file)


def clear(study: Study, states: Path) -> None:
    """Remove the states of a study that has ended, with what killed processes left beside them."""
    if states.exists():
        for point in study.points:
            for left in states.glob(f"{digest(study, point)}*"):
                left.unlink()
        if not any(states.iterdir()):
            states.rmdir()


def append(file: Path, record: dict) -> None:
    """One more line, in one write; what is left of a line that was never ended goes first."""
    sayable(record, "A record")
    with open(file, "ab+", buffering=0) as out:
        if size := out.tell():
            out.seek(size - 1)
            if out.read(1) != b"\n":
                out.seek(0)
                out.truncate(out.read().rfind(b"\n") + 1)
        out.write(json.dumps(record, sort_keys=True).encode() + b"\n")
        os.fsync(out.fileno())


def lines(file: Path) -> list[dict]:
    """What is in the whole lines of a file."""
    return [json.loads(line) for line in file.read_text(encoding="utf-8").split("\n")[:-1]] if file.exists() else []


def last_made(file: Path) -> dict | None:
    """With what the last runs of a file were made."""
    return next((record for record in reversed(lines(file)) if "made" in record), None)


def read(file: str | Path) -> dict[str, dict]:
    """The records of a file by their points."""
    return {key(record["point"]): record for record in lines(Path(file)) if "point" in record}


def made() -> dict:
    """With what runs are made: date, versions, processor, commit."""
    return {
        "date": date.today().isoformat(),
        "python": platform.python_version(),
        **{name: version(name) for name in VERSIONS},
        "cpu": cpu(),
        "commit": commit(),
    }


def cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def commit() -> str:
    """Of the library's repository, with a plus if files are changed; empty outside one."""
    ask = ["git", "-C", str(FOLDER), "describe", "--always", "--dirty=+", "--abbrev=10", "--exclude=*"]
    try:
        return subprocess.run(ask, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def counted(records: Iterable[dict], total: int, progress: bool) -> Iterable[dict]:
    if not progress:
        return records
    from tqdm import tqdm

    return tqdm(records, total=total, unit="run")
