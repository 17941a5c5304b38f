"""The stored results: what the grids chose, and the errors of the chosen points."""

from __future__ import annotations

from functools import lru_cache
from itertools import product

import numpy as np

from ...exceptions import Array
from ..runner import FOLDER, key, read
from .cost import same_work, work
from .methods import NAMES, applies, grid

SEEDS = (1, 2, 3, 4, 5)
CURVES = ("train", "test")
T_95 = {2: 12.706, 3: 4.303, 5: 2.776}  # Student's law, 97.5 %


def tuning_seeds(name: str) -> tuple[int, ...]:
    """Seeds of the grids: three for the convolutional networks, whose runs differ more from seed to seed."""
    return (0, 100, 101) if name in ("digits-conv", "digits-batchnorm") else (0,)


@lru_cache(1)
def tuned() -> dict[tuple, dict]:
    """Results of the grids, by task, method, numbers and seed."""
    found = read(FOLDER / "images-tuning.jsonl").values()
    points = ((r["point"], r["result"]) for r in found)
    return {(p["task"], p["method"], tuple(p["numbers"]), p["seed"]): result for p, result in points}


def grid_error(name: str, method: str, numbers: tuple, kind: str = "last", part: str = "validation") -> float:
    """Geometric mean over the seeds of the grid, infinite if a run was lost; a missing one is a KeyError."""
    index = ("train", "validation", "test").index(part)
    found = [tuned()[name, method, numbers, seed] for seed in tuning_seeds(name)]
    return float(np.exp(np.mean([np.log(r[kind][index]) if kind in r else np.inf for r in found])))


def chosen(name: str, method: str, kind: str = "last") -> tuple[float, float] | None:
    """The point of the grid with the smallest error on the part for validation, of the parameters or of their mean."""
    try:
        found = {q: grid_error(name, method, q, kind) for q in product(*grid(name, method))}
    except KeyError:  # not all of its runs have been made
        return None
    best = min(found, key=found.get)
    return best if found[best] < np.inf else None


def interior(name: str, method: str, kind: str = "last") -> bool:
    """Whether the chosen point is not at an edge of its grid."""
    return all(
        row[0] < number < row[-1] for row, number in zip(grid(name, method), chosen(name, method, kind), strict=True)
    )


@lru_cache(4)
def records(study: str) -> dict[str, dict]:
    """Results of a study of this module, by their points as :func:`~nntk_lib.studies.runner.key` writes them."""
    return {point: record["result"] for point, record in read(FOLDER / f"{study}.jsonl").items()}


def seconds(name: str) -> dict[str, list[float]]:
    """Median seconds of a step of every method, and their ratio to those of SGD with momentum."""
    return records("images-seconds")[key({"task": name, "epochs": 5})]


def runs(name: str, method: str, kind: str = "last") -> Array:
    """Errors of the five seeds at the chosen point, shape (5, epochs + 1, 2): training, test."""
    point = {"task": name, "method": method, "numbers": list(chosen(name, method, kind))}
    return np.array([records("images")[key({**point, "seed": seed})][kind] for seed in SEEDS])


def steps(method: str, p: float, q: float, kind: str = "last") -> Array:
    """Errors of the study of the step, "map" or "floor", seed by seed; those of a lost run go on as they ended."""
    point = {"task": "digits-mlp", "method": method, "numbers": [p, q]}
    seeds, epochs = (SEEDS[:1], 10) if method == "map" else (SEEDS[:3], 30)
    found = [records("images-step")[key({**point, "epochs": epochs, "seed": seed})] for seed in seeds]
    curves = [np.array(result[kind]) if kind in result else np.full((1, 2), np.inf) for result in found]
    return np.array([np.concatenate([c, np.tile(c[-1], (epochs + 1 - len(c), 1))]) for c in curves])


def errors(name: str, method: str, kind: str = "last", part: str = "train", epoch: int = -1) -> Array:
    """Errors of the five seeds on a part after a pass."""
    return runs(name, method, kind)[:, epoch, CURVES.index(part)]


def interval(values: Array) -> tuple[float, float, float]:
    """Geometric mean, and the ends of its 95 % interval, by Student's law of the logarithms."""
    logs = np.log(values)
    half = T_95[len(logs)] * logs.std(ddof=1) / len(logs) ** 0.5
    return tuple(float(np.exp(logs.mean() + k * half)) for k in (0, -1, 1))


def ratio(name, one, other, part: str = "train", epoch: int = -1, until: int | None = None):
    """Error of one over that of another, (method, "last" or "mean") each, seed by seed: mean and 95 % interval.

    They are taken after the same pass, or that of the other after the pass `until`.
    """
    until = epoch if until is None else until
    return interval(errors(name, *one, part, epoch) / errors(name, *other, part, until))


def at_equal_work(name: str) -> list[tuple]:
    """What each method has come to at the work of all passes of SGD.

    Returns
    -------
    list of tuple
        Method, work of a step over SGD's, passes, and four ratios to SGD's errors at its end as (mean, low, high): of
        the parameters on the parts for training and testing, of their mean likewise.
    """
    rows = []
    for method in (m for m in NAMES if applies(name, m)):
        epoch = same_work(name, method)
        pairs = product(("last", "mean"), CURVES)
        ratios = [ratio(name, (method, kind), ("momentum", "last"), part, epoch, -1) for kind, part in pairs]
        rows.append((method, work(name, method), epoch, *ratios))
    return rows
