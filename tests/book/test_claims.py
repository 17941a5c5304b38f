"""claims.yml against the pages: carried claims are checked where it says, and every check names a claim."""

from __future__ import annotations

import ast
import re

import pytest
from pybtex.database import parse_file
from sources import BOOK, PAGES, calls, name_of

from nntk_lib.book.ledger import RELATIONS, load_claims

CLAIMS = load_claims(BOOK / "claims.yml") if (BOOK / "claims.yml").exists() else []
NAMES_OF_CHECKS = ("check", "check_rate")
CHECKS = [(name_of(path), *found) for path in PAGES for name in NAMES_OF_CHECKS for found in calls(path, name)]
KEYS = set(parse_file(str(BOOK / "references.bib")).entries) if (BOOK / "references.bib").exists() else set()
KINDS = {"theorem", "lemma", "proposition", "corollary", "remark", "equation", "figure"}

every_claim = pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim["id"])
NAMES = [f"{cell}, line {call.lineno}" for _page, cell, call in CHECKS]
every_check = pytest.mark.parametrize("page, cell, call", CHECKS, ids=NAMES)


def checked_in(claim_id: str) -> set[str]:
    return {page for page, _, call in CHECKS if claim_of(call) == claim_id}


def claim_of(call: ast.Call) -> str | None:
    first = call.args[0] if call.args else None
    return first.value if isinstance(first, ast.Constant) else None


def test_all_four_papers_are_listed():
    assert {claim["paper"] for claim in CLAIMS} == {"riedl2026", "arbel2023", "cayci2024", "cai2019"}


@every_claim
def test_claim_is_well_formed(claim):
    assert claim["kind"] in KINDS
    assert claim["status"] in {"carried", "open"}
    assert claim["paper"].startswith(claim["id"].split("/")[0]) or claim["id"].startswith("newton/")
    assert claim["number"].strip() and len(claim["statement"]) >= 20
    assert "\n" not in claim["statement"].strip(), "one line"
    assert claim["paper"] in KEYS
    assert re.fullmatch(r"[1-6]-[a-z-]+/\d\d-[a-z0-9-]+|appendix/[a-z]+", claim["chapter"])


@every_claim
def test_carried_claims_are_checked_in_their_chapter(claim):
    pages = checked_in(claim["id"])
    if claim["status"] == "carried":
        assert pages == {claim["chapter"]}, f"checked in {pages or 'no page'}, carried by {claim['chapter']}"
    else:
        assert not pages, f"marked as open, and checked in {pages}"


def test_carried_claims_have_their_chapter():
    chapters = {name_of(path) for path in PAGES}
    assert {claim["chapter"] for claim in CLAIMS if claim["status"] == "carried"} <= chapters


@every_check
def test_check_names_a_claim_and_measures(page, cell, call):
    """The id is written out, the relation is one of the six, and the measured value is computed."""
    assert claim_of(call) in {claim["id"] for claim in CLAIMS}, f"{cell}: {ast.unparse(call)}"
    if call.func.id == "check":
        assert isinstance(call.args[2], ast.Constant) and call.args[2].value in {*RELATIONS, "in", "="}, str(cell)
    computed = any(isinstance(node, ast.Name) for node in ast.walk(call.args[1]))
    assert computed, f"{cell}: the measured value is a constant: {ast.unparse(call)}"
