"""Every wrong library of tests/mutants is caught: by a test of the library, and by a claim of the book."""

from __future__ import annotations

import json

import pytest
from mutants import MUTANTS, cells_of, general
from mutants.record import CAUGHT, FILE, said, wanted
from sources import BOOK

from nntk_lib.book.ledger import load_claims

CLAIMS = {claim["id"]: claim for claim in load_claims(BOOK / "claims.yml")}
RECORD = json.loads(FILE.read_text(encoding="utf-8"))["faults"]


@pytest.mark.parametrize("name", general.MUTANTS)
def test_mutant_is_caught(name):
    """By its test and one claim; ``make rehearsal`` tries all claims, and the faults of single chapters."""
    mutant = MUTANTS[name]
    found = said(name, *mutant.claims[:1])
    if mutant.test:
        assert found["test"] == CAUGHT, f"{mutant.test} does not notice\n{found['printed']}"
    for claim in mutant.claims[:1]:
        assert found[claim], f"no check of {claim} notices\n{found['printed']}"


def test_every_fault_was_tried_and_noticed():
    """The record is that of these mutants and claims: after a change of them, run ``make rehearsal``."""
    assert RECORD == wanted(MUTANTS)


def test_every_carried_claim_notices_a_fault():
    """``catches`` of claims.yml names it, and the mutant lists the claim."""
    for claim in CLAIMS.values():
        assert (claim["status"] == "carried") == bool(claim.get("catches")), claim["id"]
        if claim.get("catches"):
            assert claim["id"] in MUTANTS[claim["catches"]].claims, claim["id"]


PROVED_IN = sorted({CLAIMS[mutant.claims[0]]["chapter"] for mutant in general.MUTANTS.values() if mutant.claims})


@pytest.mark.parametrize("chapter", PROVED_IN)
def test_the_right_library_passes_where_mutants_fail(chapter):
    """The cells that are run for a claim are enough: without a mutant its checks hold, and nothing is missing."""
    claims = {claim for mutant in general.MUTANTS.values() for claim in mutant.claims[:1]}
    claims = {claim for claim in claims if CLAIMS[claim]["chapter"] == chapter}
    found = said("", *sorted(claims))
    assert all(found[claim] == "" for claim in claims)
    assert "A CELL FAILED" not in found["printed"], found["printed"]


def test_cells_of_a_claim():
    """Those that check it and what they need: names bound or changed before, not what only draws."""
    sources = [
        "import numpy as np",
        "a, kept = 1, []",
        "def f(x):\n    return x + a",
        "kept.append(f(2))",
        "other = 3",
        "plot(kept)",
        'check("p/other", other, "<=", 1)',
        'check("p/claim", kept[0], "<=", 1)',
        "a = 5",
    ]
    assert cells_of("p/claim", sources) == [sources[i] for i in (0, 1, 2, 3, 7)]
    assert cells_of("p/other", sources) == [sources[i] for i in (0, 4, 6)]
