"""Every wrong library of tests/mutants is caught: by a test of the library, and by a claim of the book."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from mutants import MUTANTS, cells_of, general
from sources import BOOK, ROOT, WHOLE

from nntk_lib.book.ledger import load_claims

CLAIMS = load_claims(BOOK / "claims.yml")
CHAPTERS = {claim["id"]: claim["chapter"] for claim in CLAIMS}
TRIED = MUTANTS if WHOLE else general.MUTANTS  # the faults of single chapters take half an hour more
CAUGHT = 1  # pytest's exit status when a test has failed: not when there is no such test


def said(*arguments: str) -> dict:
    """What came of the mutant; compiled loops, frames and records are off, and every kernel has one thread."""
    env = {key: value for key, value in os.environ.items() if not key.startswith(("NNTK_", "PYTEST_", "COV_"))}
    env |= {"NNTK_COMPILED": "0", "NNTK_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    env["PYTHONPATH"] = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    command = [sys.executable, "-P", str(ROOT / "tests" / "mutants"), *arguments]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout) | {"printed": done.stderr}


def first_claims(mutant) -> tuple[str, ...]:
    """One claim of each mutant here, all of them in the rehearsal."""
    return mutant.claims if WHOLE else mutant.claims[:1]


@pytest.mark.parametrize("name", TRIED)
def test_mutant_is_caught(name):
    mutant = MUTANTS[name]
    found = said(name, *first_claims(mutant))
    if mutant.test:
        assert found["test"] == CAUGHT, f"{mutant.test} does not notice\n{found['printed']}"
    for claim in first_claims(mutant):
        assert found[claim], f"no check of {claim} notices\n{found['printed']}"


def test_every_carried_claim_names_a_fault_that_it_notices():
    """``catches`` of claims.yml, and the mutants' claims, are the same pairs."""
    named = {claim["id"]: claim["catches"] for claim in CLAIMS if claim.get("catches")}
    for claim, fault in named.items():
        assert claim in MUTANTS[fault].claims, f"{claim} names {fault!r}, which does not list it"


PROVED_IN = sorted({CHAPTERS[mutant.claims[0]] for mutant in TRIED.values() if mutant.claims})


@pytest.mark.parametrize("chapter", PROVED_IN)
def test_the_right_library_passes_where_mutants_fail(chapter):
    """The cells that are run for a claim are enough: without a mutant its checks hold, and nothing is missing."""
    claims = {claim for mutant in TRIED.values() for claim in first_claims(mutant) if CHAPTERS[claim] == chapter}
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
