"""What a mutant is noticed by: with a name, that one, as JSON; without, all of them, into ``book/faults.json``.

With ``--new`` only those are tried that the file does not have, or has otherwise.

An empty name is the right library; claims after a name take the place of the mutant's own.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import warnings

import pytest
from mutants import MUTANTS, record
from mutants.machine import failure_of, install
from sources import BOOK, ROOT

from nntk_lib.book.ledger import load_claims


def main(name: str, *claims: str) -> None:
    """The mutant's test, and the claims: those given, or all of its own."""
    pages = {claim["id"]: BOOK / f"{claim['chapter']}.ipynb" for claim in load_claims(BOOK / "claims.yml")}
    warnings.simplefilter("ignore")
    found = {}
    with contextlib.redirect_stdout(sys.stderr):
        if name:
            install(MUTANTS[name])
        if name and MUTANTS[name].test:
            path = ROOT / "tests" / "library" / MUTANTS[name].test
            options = ["-x", "-q", "-p", "no:cacheprovider", "--noconftest", "-p", "no:nbval", "-c", os.devnull]
            options += ["--rootdir", str(ROOT), "--import-mode=importlib", "-W", "ignore"]
            found["test"] = int(pytest.main([*options, str(path)]))
        for claim in claims or (MUTANTS[name].claims if name else ()):
            found[claim] = failure_of(claim, pages[claim])
    print(json.dumps(found))


only_new = sys.argv[1:] == ["--new"]
if sys.argv[1:] and not only_new:
    main(*sys.argv[1:])
elif missed := record.record_all(MUTANTS, only_new):
    sys.exit(f"not noticed by all that should: {missed}")
