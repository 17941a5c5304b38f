"""What a message says, done: the code in it is run, the numbers in it are taken."""

from __future__ import annotations

import re
import warnings

import numpy as np

import nntk_lib
from nntk_lib import data, limits, losses, methods, networks, theory, training

NAMES = {"np": np}
for room in (networks, methods, losses, data, limits, theory, training, nntk_lib):
    NAMES |= {name: getattr(room, name) for name in dir(room) if not name.startswith("_")}


def code(said: str, pattern: str = r"Try (.*)\.$", **names):
    """The value of the code that a message gives; the pattern has it as its group."""
    found = re.search(pattern, said)
    assert found, f"{pattern!r} is not in: {said}"
    return eval(found[1], NAMES | names)


def number(said: str, pattern: str) -> float:
    """A number of a message; the pattern has it as its group."""
    found = re.search(pattern, said)
    assert found, f"{pattern!r} is not in: {said}"
    return float(found[1])


def same(a, b, rtol: float = 1e-12) -> bool:
    return bool(np.allclose(a, b, rtol=rtol, atol=rtol * np.abs(b).max()))


def quiet(function):
    """The value of a call that warns of nothing."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return function()
