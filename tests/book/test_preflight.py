"""A build says within seconds what it lacks, in one sentence: on a book of two pages, in odd places."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from sources import ROOT

SECONDS = 60  # a cold start of Sphinx on a busy machine; the chapters take ten minutes
NO_PIP = "import sys\nsys.modules['pip'] = None\n"
PAGE = "# {title}\n\nA page of a book that is built to see what a build lacks.\n"


def small_book(folder: Path) -> Path:
    """Two pages, with the book's settings and its extension."""
    folder.mkdir(parents=True)
    for name in ("_config.yml", "CITATION.cff", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copyfile(ROOT / name, folder / name)
    for name in ("book/_ext", "book/_static", "book/_templates"):
        shutil.copytree(ROOT / name, folder / name)
    shutil.copyfile(ROOT / "book/references.bib", folder / "book/references.bib")
    (folder / "_toc.yml").write_text("format: jb-book\nroot: book/one\nchapters:\n  - file: book/two\n")
    for name in ("one", "two"):
        (folder / "book" / f"{name}.md").write_text(PAGE.format(title=name))
    return folder


def build(folder: Path, **environment: str) -> tuple[int, str, float]:
    """Exit status, what was said, and the seconds."""
    program, begin = Path(sys.executable).with_name("jupyter-book"), time.monotonic()
    command = [sys.executable, program, "build", folder, "-n"]
    given = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    done = subprocess.run(command, cwd=folder, env=given, capture_output=True, text=True, timeout=300)
    return done.returncode, done.stdout + done.stderr, time.monotonic() - begin


def test_a_folder_that_is_a_pattern(tmp_path):
    status, said, seconds = build(small_book(tmp_path / "a [1] ö&"))
    assert status and "has [, ], * or ? in its name. Move it." in said
    assert seconds < SECONDS


def test_no_pip(tmp_path):
    """As in an environment that `uv venv` made."""
    (tmp_path / "sitecustomize.py").write_text(NO_PIP)
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    status, said, seconds = build(small_book(tmp_path / "book"), PYTHONPATH=path)
    assert status and "this environment has no pip" in said and "uv pip install pip" in said
    assert seconds < SECONDS


def test_no_index(tmp_path):
    status, said, seconds = build(small_book(tmp_path / "book"), PIP_NO_INDEX="1", PIP_FIND_LINKS="")
    assert status and "pip could not download the wheels of ipywidgets" in said and "PIP_FIND_LINKS" in said
    assert seconds < SECONDS
