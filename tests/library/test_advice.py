"""Advice is followed: what a message tells the user to do is done, and then it works.

``python -m pytest tests/library/test_advice.py -s -k summary`` prints how many messages there are.
"""

from __future__ import annotations

import pytest

from .advice import ground, machinery, methods, networks, theory
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


def test_summary():
    print(f"\n{len(sites())} messages, {len(CASES)} cases")
    assert len(CASES) >= len(sites()) >= 200
