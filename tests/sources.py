"""Where the book's sources are, and how the tests read them."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
BOOK = ROOT / "book"
HTML = ROOT / "_build" / "html"
CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
NOTEBOOKS = sorted(path for path in BOOK.glob("**/*.ipynb") if ".ipynb_checkpoints" not in path.parts)
CHAPTERS = [path for path in NOTEBOOKS if path != BOOK / "index.ipynb"]
COMPANIONS = [path for path in CHAPTERS if path.stem.endswith("-measured")]
MAIN = [path for path in CHAPTERS if path not in COMPANIONS]
PAGES = sorted([*NOTEBOOKS, *BOOK.glob("**/*.md")])
GENERATED = ["genindex", "search", "py-modindex", "prf-prf"]  # pages that no source stands behind
CI = os.environ.get("CI", "").lower() in ("1", "true")  # what a machine lacks is then a failure, not a skip
WHOLE = os.environ.get("NNTK_REHEARSAL") == "all"  # every chapter where tests/live has one
WEIGHTS: dict[str, dict[str, int]] = {}  # page -> bytes by kind, filled by tests/site/test_html.py
SET_UP = """\
# Where the library is missing (in the browser, on Colab) this fetches it; elsewhere it does nothing.
import sys
from importlib import invalidate_caches
from importlib.util import find_spec

if sys.platform == "emscripten":
    %pip install -q nntk-lib
elif find_spec("nntk_lib") is None:
    %pip install -q {address}/archive/main.zip
invalidate_caches()
if find_spec("nntk_lib") is None:
    raise ImportError(
        "The library nntk_lib could not be fetched: pip says why above. With a network, run this cell again; "
        "without one, take the book's repository along, and run pip install -r requirements.txt in it."
    )""".replace("{address}", CONFIG["repository"]["url"])
CODE_CELL = re.compile(r"^(`{3,}|:{3,})\{code-cell\}[^\n]*\n(.*?)^\1[ ]*$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Cell:
    """A cell of a page: where it is, its kind, its source and its metadata."""

    page: str
    number: int
    kind: str
    source: str
    metadata: dict

    def __str__(self) -> str:
        return f"{self.page}, cell {self.number}"


def name_of(path: Path) -> str:
    """The path of a page below book/, without its suffix; the form used in claims.yml."""
    return path.relative_to(BOOK).with_suffix("").as_posix()


def cells(path: Path) -> list[Cell]:
    """The cells of a notebook; of a Markdown page the whole text and its code cells."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        code = [("code", *split_options(match[2])) for match in CODE_CELL.finditer(text)]
        raw = [("markdown", text, {}), *code]
    else:
        raw = [
            (cell["cell_type"], "".join(cell["source"]), cell.get("metadata", {})) for cell in json.loads(text)["cells"]
        ]
    return [Cell(name_of(path), i + 1, *cell) for i, cell in enumerate(raw)]


def split_options(source: str) -> tuple[str, dict]:
    """The code of a ``{code-cell}``, and its options, written ``:key: value`` or between ``---`` lines."""
    short = re.match(r"(?::[\w-]+:[^\n]*\n)+", source)
    long = re.match(r"---\n(.*?)^---\n", source, flags=re.MULTILINE | re.DOTALL)
    if short:
        return source[short.end() :], yaml.safe_load(re.sub(r"^:", "", short[0], flags=re.MULTILINE))
    return (source[long.end() :], yaml.safe_load(long[1]) or {}) if long else (source, {})


def code_cells(path: Path) -> list[Cell]:
    """The code of a page, but for the set-up cell, which is the same everywhere and not plain Python."""
    return [cell for cell in cells(path) if cell.kind == "code" and cell.source != SET_UP]


def markdown(path: Path) -> str:
    return "\n\n".join(cell.source for cell in cells(path) if cell.kind == "markdown")


def outside_functions(tree: ast.AST):
    """The nodes of a module that run when the cell runs: not those in the body of a function."""
    for child in ast.iter_child_nodes(tree):
        if not isinstance(child, (ast.FunctionDef, ast.Lambda, ast.ClassDef)):
            yield child
            yield from outside_functions(child)


def calls(path: Path, name: str) -> list[tuple[Cell, ast.Call]]:
    """Every call of a function, by its plain name, in the code of a page."""
    return [
        (cell, node)
        for cell in code_cells(path)
        for node in ast.walk(ast.parse(cell.source))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name
    ]


def documents() -> list[str]:
    """The pages of the table of contents, as paths below the root, without suffix."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    return [toc["root"], *listed(toc.get("parts", []) + toc.get("chapters", []))]


def listed(entries: list[dict]) -> list[str]:
    found = []
    for entry in entries:
        found += [entry["file"]] if "file" in entry else []
        found += listed(entry.get("chapters", []) + entry.get("sections", []))
    return found


def tracked_files() -> list[Path]:
    """The files of the project: what git knows or would add; without git, what is not built or installed."""
    try:
        command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
        names = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout
        return [ROOT / name for name in names.split("\0") if name and (ROOT / name).is_file()]
    except (OSError, subprocess.CalledProcessError):
        skip = {"_build", ".venv", ".git", "__pycache__", ".ruff_cache", ".pytest_cache", ".hypothesis"}
        return [path for path in ROOT.glob("**/*") if path.is_file() and not skip & set(path.parts)]
