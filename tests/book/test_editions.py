"""An edition has one version, one title, one date and the same licences wherever it is described."""

from __future__ import annotations

import json
import re
import tomllib

import yaml
from pybtex.database import parse_file
from sources import BOOK, ROOT


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


CITATION = yaml.safe_load(text_of("CITATION.cff"))
ZENODO = json.loads(text_of(".zenodo.json"))
PROJECT = tomllib.loads(text_of("pyproject.toml"))["project"]


def test_one_version_title_and_author():
    newest = re.search(r"^## (\S+)", text_of("CHANGELOG.md"), re.MULTILINE)[1]
    assert ZENODO["version"] == CITATION["version"] == PROJECT["version"] == newest
    assert ZENODO["title"] == CITATION["title"]
    assert [person["name"] for person in ZENODO["creators"]] == [person["name"] for person in CITATION["authors"]]
    assert ZENODO["keywords"] == CITATION["keywords"] == PROJECT["keywords"]


def test_one_date():
    """An entry of the changelog is unreleased, or has the day of its release, which is the edition's."""
    state = re.search(r"^## \S+ \((.+)\)$", text_of("CHANGELOG.md"), re.MULTILINE)[1]
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", CITATION["date-released"])
    assert state in ("unreleased", CITATION["date-released"])


def test_same_licences():
    """Of the code, which is Zenodo's one field, and of the text, which its note names too."""
    assert ZENODO["license"] == PROJECT["license"] == CITATION["license"][0]
    assert all(name in ZENODO["notes"] for name in CITATION["license"])
    config = text_of("_config.yml")
    assert "CC BY 4.0" in config and "CC BY 4.0" in text_of("LICENSE")
    assert "BSD 3-Clause" in config and "BSD 3-Clause" in text_of("LICENSE")


def test_the_papers_are_related():
    """The four papers, by their identifiers in the bibliography."""
    papers = {claim["paper"] for claim in yaml.safe_load(text_of("book/claims.yml"))}
    references = parse_file(str(BOOK / "references.bib")).entries
    wanted = set()
    for key in papers:
        fields = references[key].fields
        wanted.add(fields.get("doi") or (f"arXiv:{fields['eprint']}" if "eprint" in fields else fields["url"]))
    assert {item["identifier"] for item in ZENODO["related_identifiers"]} == wanted
    assert len(wanted) == 4
