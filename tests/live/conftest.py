"""Rehearsals: the book as readers meet it elsewhere; one chapter, or every one with NNTK_REHEARSAL=all."""

from __future__ import annotations

import json
import shutil
from collections import defaultdict

import pytest
from sources import BOOK, NOTEBOOKS, ROOT, WHOLE, name_of, tracked_files

SMOKE = BOOK / "2-newton" / "01-hessian-structure.ipynb"
RECORDS: dict[str, dict[str, dict]] = defaultdict(dict)  # rehearsal -> chapter -> what was measured


def pytest_generate_tests(metafunc):
    """A test with an argument ``chapter`` runs for every chapter of the rehearsal."""
    if "chapter" in metafunc.fixturenames:
        chapters = NOTEBOOKS if WHOLE else [SMOKE]
        metafunc.parametrize("chapter", chapters, ids=name_of, scope="module")


@pytest.fixture(scope="session")
def records():
    """``records[rehearsal][chapter]``: numbers, kept in ``_build/rehearsal-<rehearsal>.json`` and shown at the end."""
    return RECORDS


@pytest.fixture(scope="session")
def clone(tmp_path_factory):
    """A folder with the files that a clone of the repository has."""
    folder = tmp_path_factory.mktemp("clone") / "book"
    for path in tracked_files():
        copy = folder / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    return folder


def pytest_sessionfinish():
    for rehearsal, rows in RECORDS.items():
        path = ROOT / "_build" / f"rehearsal-{rehearsal}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


def pytest_terminal_summary(terminalreporter):
    for rehearsal, rows in RECORDS.items():
        columns = list(dict.fromkeys(key for row in rows.values() for key in row))
        terminalreporter.section(f"rehearsal: {rehearsal}")
        terminalreporter.write_line(f"{'':40}" + "".join(f"{key:>18}" for key in columns))
        for chapter, row in rows.items():
            shown = "".join(f"{row.get(key, ''):>18}" for key in columns)
            terminalreporter.write_line(f"{chapter:40}{shown}")
