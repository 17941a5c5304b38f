"""Advice is followed: what a message tells the user to do is done, and then it works.

``python -m pytest tests/library/test_advice.py -s -k summary`` prints how many messages there are.
"""

from __future__ import annotations

import sys

import pytest

from nntk_lib import Data, Newton, Shallow, newton_step, train
from nntk_lib.exceptions import AssumptionWarning, ParameterError
from nntk_lib.linalg import streaming

from .advice import ground, machinery, methods, networks, theory
from .advice.follow import number, same
from .advice.problems import AT, DEEP_AT, FILTERS, IMAGE_AT, IMAGES, NET, PIXELS, THETA, X, Y
from .advice.sites import said_by, sites

ROOMS = (machinery, ground, networks, methods, theory)
CASES = {f"{room.__name__.rsplit('.')[-1]}: {name}": case for room in ROOMS for name, case in room.CASES.items()}
pytestmark = pytest.mark.filterwarnings("ignore::nntk_lib.exceptions.AssumptionWarning")


@pytest.mark.parametrize("name", CASES)
def test_advice_that_is_followed_helps(name):
    bad, good = CASES[name]
    said, _ = said_by(bad)
    assert good(said), said


def test_every_message_has_a_case():
    found = {said_by(bad)[1] for bad, _ in CASES.values()}
    missing = [str(site) for site in sites() if site not in found]
    assert not missing, "\n" + "\n".join(missing)


@pytest.mark.parametrize("form", ["folded", "ghost"])
def test_leaving_memory_out_always_works(monkeypatch, form):
    """Also where the smallest piece of the work needs more than the default; and what a message asks for is enough."""
    expected = [at.gram() for at in (AT, DEEP_AT, IMAGE_AT)]
    step = newton_step(NET, THETA, X, Y, 50.0).delta
    monkeypatch.setattr(streaming, "MEMORY", 1)
    for at, K in zip((AT, DEEP_AT, IMAGE_AT), expected, strict=True):
        again = at.net.at(at.theta, at.X)
        assert same(again.gram(form) if at is IMAGE_AT else again.gram(), K) and same(again.f, at.f)
    assert same(newton_step(NET, THETA, X, Y, 50.0).delta, step)
    memory = 1
    for _ in range(12):  # one message for each of the layers, at most
        try:
            assert same(IMAGES.at(FILTERS, PIXELS, memory).gram(form), expected[2])
            break
        except ParameterError as error:
            memory = int(number(str(error), r"needs? (\d+) bytes"))
    else:
        raise AssertionError("what is said to be enough is not")


def test_a_warning_points_at_the_line_of_the_user():
    line = sys._getframe().f_lineno + 2
    with pytest.warns(AssumptionWarning) as found:
        train(Shallow("relu"), THETA, Data(X, Y, "six"), Newton(50.0), 1)
    assert [(warning.filename, warning.lineno) for warning in found] == [(__file__, line)]


def test_summary():
    print(f"\n{len(sites())} messages, {len(CASES)} cases")
    assert len(CASES) >= len(sites()) >= 200
