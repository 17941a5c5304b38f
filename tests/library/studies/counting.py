"""A study for the tests of the runner: a recursion whose result tells whether a step was lost or taken twice."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from nntk_lib.exceptions import NonFiniteError
from nntk_lib.linalg.streaming import cores
from nntk_lib.studies.runner import Study, run

POINTS = [{"seed": seed, "steps": 5 + seed} for seed in range(8)]


def advance(point: dict, state):
    """x -> 3 x + seed modulo a prime, one factor a step; the run with seed 3 diverges."""
    k, x = state or (0, 1)
    time.sleep(0.01)
    if point["seed"] == 3 and k == 2:
        raise NonFiniteError("x overflows")
    if k == point["steps"]:
        return None, {"x": x}
    return (k + 1, (3 * x + point["seed"] + k) % 1_000_003), None


def threads(point: dict, state):
    """How many the library would use."""
    return None, {"threads": cores()}


STUDY = Study("counting", POINTS, advance)

if __name__ == "__main__":
    run(STUDY, Path(sys.argv[1]), int(sys.argv[2]))
