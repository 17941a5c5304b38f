"""The stored results, by what their points say."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ...exceptions import Array, ParameterError
from ..runner import FOLDER, read
from .grids import SAMPLES
from .problems import setting
from .run import COLUMNS


@lru_cache(8)
def records(study: str) -> tuple[tuple[dict, dict], ...]:
    """Settings and results of all runs of a study, in the order of its file; empty if it is not stored."""
    found = read(FOLDER / f"{study}.jsonl").values()
    return tuple((setting(record["point"]), record["result"] | {"seconds": record["seconds"]}) for record in found)


def runs(study: str, **wanted) -> dict[int, dict]:
    """The runs whose settings are as asked for, by their seeds.

    Parameters
    ----------
    study : str
        "mean-field-step", ...
    **wanted
        Of the setting: ``method="gauss-newton", alpha=100.0, floor=1e-7``. Without an alpha, c, or cap all of them
        match.

    Returns
    -------
    dict
        From seeds to results, with "steps", "end", "curves", and "seconds".

    Raises
    ------
    ParameterError
        If two runs of one seed match.
    """
    found: dict[int, dict] = {}
    for told, result in records(study):
        if all(told.get(name) == value for name, value in wanted.items()):
            if told["seed"] in found:
                raise ParameterError(f"Of {study!r} two runs of seed {told['seed']} match {wanted}. Say more of them.")
            found[told["seed"]] = result
    return found


def curves(result: dict) -> dict[str, Array]:
    """The curves of a run by the names of `COLUMNS`, one entry a row; what was not measured is NaN."""
    columns = zip(*result["curves"], strict=True)
    return {name: np.array(column, float) for name, column in zip(COLUMNS, columns, strict=True)}


def last(found: dict[int, dict], column: str) -> Array:
    """A column at the end of runs, in the order of their seeds, shape (seeds,); NaN for a run that is lost."""
    ends = [found[seed] for seed in sorted(found)]
    return np.array([curves(run)[column][-1] if run["end"] != "lost" else np.nan for run in ends])


def after(found: dict[int, dict], column: str, step: int) -> Array:
    """A column after a number of steps, in the order of the seeds, shape (seeds,).

    A run that had ended before then counts with its end.

    Raises
    ------
    ParameterError
        If nothing was recorded after that many steps.
    """
    values = []
    for seed in sorted(found):
        of = curves(found[seed])
        at = np.flatnonzero(of["step"] == step)
        if not len(at) and not of["step"][-1] < step:
            raise ParameterError(f"Nothing was recorded after {step} steps; see RECORDED.")
        values.append(of[column][at[0] if len(at) else -1])
    return np.array(values)


def ends_over_samples(method: str, act: str, s: float, column: str = "test") -> Array:
    """A column at the end of the runs of "mean-field-samples", shape (sizes, seeds), over the sizes `grids.SAMPLES`.

    Random features are the start of a run; their loss is that after refitting.
    """
    column = "refit_test" if (method, column) == ("random-features", "test") else column
    told = {"method": method, "act": act, "s": s}
    return np.array([last(runs("mean-field-samples", **told, n=n), column) for n in SAMPLES])
