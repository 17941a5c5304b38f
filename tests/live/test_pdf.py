"""The PDF: what LaTeX made of a chapter (with NNTK_REHEARSAL=all: of the book), compared with the built pages."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import unicodedata
from dataclasses import dataclass
from html import unescape
from pathlib import Path

import pypdf
import pytest
import yaml
from sources import CI, CONFIG, ROOT, WHOLE, documents

KEPT = ["book/index", "book/1-wide-networks/index", "book/2-newton/index"]
KEPT += ["book/2-newton/01-hessian-structure", "book/2-newton/01-hessian-structure-measured"]
PROGRAMS = ("lualatex", "latexmk", "make")
FAILED = "CellExecutionError|CellTimeoutError|DeadKernelError"  # a warning only, where the build is not strict
OVERFULL = 20  # pt that a line may run into the margin of 71 pt; LaTeX's small ones cannot be seen
LATEX = {**os.environ, "max_print_line": "10000"}  # a message of the log is one line


@dataclass(frozen=True, repr=False)
class Printed:
    """A built PDF, with the text of its pages, and LaTeX's source, log and labels."""

    pdf: pypdf.PdfReader
    pages: list[str]
    source: str
    log: str
    labels: dict[str, str]

    @property
    def text(self) -> str:
        return "\n".join(self.pages)


@pytest.fixture(scope="module")
def printed(html, tmp_path_factory) -> Printed:
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        reason = f"NO PDF WAS MADE: {', '.join(missing)} not found; .ci/run names the packages of Debian"
        pytest.fail(reason, pytrace=False) if CI else pytest.skip(reason)
    root = ROOT if WHOLE else chapter_alone(tmp_path_factory.mktemp("pdf"))
    strict = ["-W", "--keep-going"] if WHOLE else ["-q"]  # alone, a chapter refers to pages that are not there
    build = [Path(sys.executable).with_name("jupyter-book"), "build", root, "-n", *strict, "--builder", "latex"]
    latex = ["make", "-C", root / "_build" / "latex", "all-pdf", "LATEXMKOPTS=-interaction=nonstopmode -halt-on-error"]
    for command in (build, latex):
        done = subprocess.run(command, cwd=root, env=LATEX, capture_output=True, text=True, errors="replace")
        said = done.stdout + done.stderr
        assert done.returncode == 0 and not re.search(FAILED, said), said[-8000:]
    made = {suffix: root / "_build" / "latex" / f"nntk-book.{suffix}" for suffix in ("pdf", "tex", "log", "aux")}
    pdf = pypdf.PdfReader(made["pdf"])
    source, log, aux = (made[name].read_text(encoding="utf-8", errors="replace") for name in ("tex", "log", "aux"))
    labels = dict(re.findall(r"\\newlabel\{([^}]+)\}\{\{+([^{}]*)\}", aux))
    return Printed(pdf, [page.extract_text() for page in pdf.pages], source, log, labels)


def chapter_alone(folder: Path) -> Path:
    """A copy of the sources whose table of contents has few pages; they keep their places, and so their numbers."""
    for name in ("book", "nntk_lib", "_config.yml", "CITATION.cff", "pyproject.toml"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copyfile
        copy(ROOT / name, folder / name)
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    for part in toc["parts"]:
        part["chapters"] = kept(part["chapters"])
    toc["parts"] = [part for part in toc["parts"] if part["chapters"]]
    (folder / "_toc.yml").write_text(yaml.safe_dump(toc, sort_keys=False), encoding="utf-8")
    return folder


def kept(entries: list[dict]) -> list[dict]:
    """The entries of a table of contents whose pages are kept, with those below them."""
    found = [{**entry, "sections": kept(entry.get("sections", []))} for entry in entries if entry["file"] in KEPT]
    return [{key: value for key, value in entry.items() if value} for entry in found]


@pytest.fixture(scope="module")
def online(html) -> dict[str, str]:
    """The HTML of the pages that are printed."""
    return {name: (html / f"{name}.html").read_text(encoding="utf-8") for name in (documents() if WHOLE else KEPT)}


def letters(text: str) -> str:
    """Letters and digits only: line breaks, hyphenation and ligatures are LaTeX's."""
    return re.sub(r"[\W_]", "", unicodedata.normalize("NFKC", text))


def words(markup: str) -> str:
    """The letters of a piece of a page."""
    return letters(unescape(re.sub(r"<[^>]+>", "", markup)))


def test_book_is_a_pdf_with_title_author_and_bookmarks(printed):
    assert printed.pdf.metadata.title == CONFIG["title"]
    assert printed.pdf.metadata.author == CONFIG["author"]
    assert len(printed.pages) > (300 if WHOLE else 20)
    assert printed.pdf.outline


def test_latex_has_nothing_to_say(printed):
    """No error, no missing character, no unresolved reference, nothing that runs off the page."""
    assert not re.findall(r"^! .*", printed.log, re.MULTILINE)
    assert not re.findall(r"Missing character.*", printed.log)
    assert not re.findall(r"LaTeX Warning: Label .* multiply defined", printed.log)
    unresolved = re.findall(r"LaTeX Warning: (?:Hyper r|R)eference `([^']*)'", printed.log)
    assert not unresolved
    assert "??" not in printed.text
    wide = [float(points) for points in re.findall(r"Overfull \\hbox \(([\d.]+)pt too wide\)", printed.log)]
    assert max(wide, default=0) < OVERFULL


def test_every_explorer_is_a_figure_with_its_caption(printed, online):
    """A picture on the page of each caption, in place of the controls."""
    assert not re.search(r"Explorer\(['‘’]|VBox\(|HTML\(value|model_id", printed.text)
    explorer = r'<figure class="nntk-explorer".*?<figcaption>(.*?)</figcaption>'
    found = [caption for page in online.values() for caption in re.findall(explorer, page, re.DOTALL)]
    pages = [letters(text) for text in printed.pages]
    assert found
    for caption in found:
        places = [i for i, text in enumerate(pages) if words("Interactive on the site." + caption) in text]
        assert len(places) == 1, caption
        assert "/XObject" in printed.pdf.pages[places[0]]["/Resources"], caption


def test_statements_and_exercises_have_the_numbers_of_the_site(printed, online):
    """By address in LaTeX's source, and as the first words of what a reader sees."""
    boxes = r'id="([^"]+)">\s*<p class="admonition-title"><span class="caption-number">([^<]+?) *</span>(.*?)</p>'
    heading = r"\\begin\{nntk(?:statement|exercise)\}\{\\phantomsection((?:\\label\{[^ ]*\})+)(\w+ [\db.]+)"
    numbers = {
        label: number
        for labels, number in re.findall(heading, printed.source)
        for label in re.findall(r"\\detokenize\{([^}]*)\}", labels)
    }
    shown = letters(printed.text)
    found = [(name, *box) for name, page in online.items() for box in re.findall(boxes, page, re.DOTALL)]
    assert found
    for name, address, number, title in found:
        assert numbers[f"{name}:{address}"] == number
        assert words(number + re.split(r"<|\\\(", title)[0]) in shown  # up to a formula or a citation


def test_equations_figures_and_chapters_have_the_numbers_of_the_site(printed, online):
    """As TeX resolves a reference to them."""
    equation = r'<span class="eqno">\(([^<)]+)\)<a class="headerlink" href="#equation-([^"]+)"'
    caption = r'<span class="caption-number">(?:Figure|Table) ([^<]+?) </span>(?:(?!</?p>).)*?href="#([^"]+)"'
    for name, page in online.items():
        for number, address in re.findall(equation, page):
            assert printed.labels[f"equation:{name}:{address}"] == number
        for number, address in re.findall(caption, page, re.DOTALL):
            assert printed.labels[f"{name}:{address}"] == number
        for number in re.findall(r'<h1><span class="section-number">([\db.]+)\. ', page):
            assert printed.labels[f"{name}::doc"] == number
    assert {"equation", "book/2-newton/01-hessian-structure"} <= {label.split(":")[0] for label in printed.labels}
