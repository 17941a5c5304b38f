"""The whole book as a zip: unpacked on a disk, it works without a network. (Explorers: test_explorers.py.)"""

from __future__ import annotations

import base64
import hashlib
import re
import zipfile
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin, urlsplit
from urllib.request import url2pathname

import pytest
from published import ADDRESS
from sources import documents

# MathJax 3.2.2, es5/tex-mml-chtml.js: the hash that the project publishes for its npm release.
MATHJAX = "Wuix6BuhrWbjDBs24bXrjf4ZQ5aFeFWBuKkFekO2t8xFU0iNaLQfp2K6/1Nxveei"
LINK = re.compile(r'(?:href|src)="([^"]*)"')
LIMIT = 25_000_000  # bytes of the zip
CHAPTER = "book/2-newton/03-newton-ntk"


def folder_of(unpacked) -> Path:
    return Path(url2pathname(urlsplit(unpacked).path))


def test_mathjax_is_the_release(html):
    digest = hashlib.sha384((html / "_static" / "mathjax" / "tex-mml-chtml.js").read_bytes()).digest()
    assert base64.b64encode(digest).decode() == MATHJAX


def test_zip(html):
    """One folder with an index.html, without JupyterLite and itself; equal pages give equal bytes."""
    path = html / "nntk-book.zip"
    entries = zipfile.ZipFile(path).infolist()
    names = [entry.filename for entry in entries]
    assert {name.split("/")[0] for name in names} == {"nntk-book"} and "nntk-book/index.html" in names
    assert not [name for name in names if name.startswith("nntk-book/lite/") or name.endswith(".zip")]
    assert names == sorted(names) and {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}
    assert {f"nntk-book/{page}.html" for page in documents()} <= set(names)
    assert path.stat().st_size < LIMIT


def test_pages_are_those_of_the_site(html, unpacked):
    """But for the addresses of what needs a server: what holds of an explorer here holds there."""
    for name in documents():
        served = (html / f"{name}.html").read_text(encoding="utf-8")
        there = re.sub(r'href="[./]*(?=lite/|nntk-book\.zip)', f'href="{ADDRESS}', served)
        assert (folder_of(unpacked) / f"{name}.html").read_text(encoding="utf-8") == there, name


def test_links_stay_on_the_disk_or_lead_to_the_published_book(unpacked):
    folder, online = folder_of(unpacked), 0
    for path in folder.glob("**/*.html"):
        if path.parent.name == "_static":  # templates that the theme leaves behind
            continue
        for link in LINK.findall(path.read_text(encoding="utf-8")):
            online += link.startswith(ADDRESS + "lite/")
            target = urldefrag(link.split("?")[0])[0]
            if target and not re.match(r"[a-z]+:|//", target):
                found = Path(url2pathname(urlsplit(urljoin(path.as_uri(), target)).path))
                assert found.is_file(), f"{path.relative_to(folder)}: {unquote(link)}"
    assert online, "no page leads to JupyterLite"


@pytest.mark.browser
@pytest.mark.parametrize("name", ["book/preface", CHAPTER, "book/appendix/proofs", "book/appendix/ledger"])
def test_mathematics_from_a_disk(open_page, unpacked, name):
    """Every formula is set, in MathJax's own fonts."""
    with open_page(name, unpacked) as page:
        assert page.locator("article mjx-container").count() >= page.locator("article .math").count()
        assert page.locator("mjx-merror, [data-mjx-error]").count() == 0
        if page.locator("article .math").count():
            page.evaluate("() => document.fonts.ready.then(() => true)")
            fonts = page.evaluate("() => [...document.fonts].filter(f => f.status === 'loaded').map(f => f.family)")
            assert {"MJXTEX", "MJXTEX-I"} <= set(fonts)
            assert not page.evaluate("() => [...document.fonts].some(f => f.status === 'error')")


@pytest.mark.browser
def test_from_page_to_page(open_page, unpacked):
    """From the file to click on, by the links of the page, the next button and the list of contents."""
    with open_page("index", unpacked) as page:
        page.wait_for_url("**/book/index.html")
        page.locator("#where-to-start a", has_text="Preface").click()
        page.wait_for_url("**/book/preface.html")
        page.locator(".prev-next-footer a.right-next").click()
        page.wait_for_url("**/book/1-wide-networks/index.html")
        page.locator("#pst-primary-sidebar a", has_text="Notation").click()
        page.wait_for_url("**/book/appendix/notation.html")


@pytest.mark.browser
def test_search_from_a_disk(open_page, unpacked):
    """Without excerpts, because a page on a disk may not read others; with the places of statements."""
    with open_page("book/preface", unpacked) as page:
        page.keyboard.press("Control+k")
        page.keyboard.type("Theorem 2.3.5")
        page.keyboard.press("Enter")
        page.wait_for_url("**/search.html?q=Theorem+2.3.5")
        page.wait_for_function("() => document.querySelector('.search-summary')?.innerText")
        page.locator("ul.search a").first.click()
        page.wait_for_url("**/03-newton-ntk.html*#thm-newton-4")
