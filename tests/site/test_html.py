"""The built pages as files: links, ids, alternative texts, addresses, weights. No browser needed."""

from __future__ import annotations

import functools
import re
from html.parser import HTMLParser
from urllib.parse import unquote, urldefrag, urljoin

import pytest
import yaml
from sources import BOOK, GENERATED, WEIGHTS, documents

LIMIT = 3_000_000  # bytes of a page: html, images and the book's own scripts
SPOKEN = re.compile(r"\.(png|svg|jpe?g|webp|gif)\b|_images/")

every_page = pytest.mark.parametrize("page", documents())
every_file = pytest.mark.parametrize("page", documents() + GENERATED)


class Page(HTMLParser):
    """The elements of a page that the tests look at."""

    def __init__(self, text: str):
        super().__init__()
        self.ids, self.links, self.images, self.loaded = [], [], [], []
        self.stack: list[dict] = []
        self.lang = None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.ids += [attrs["id"]] if "id" in attrs else []
        if tag == "html":
            self.lang = attrs.get("lang")
        if tag == "a" and "href" in attrs:
            self.links.append(attrs["href"])
        if tag == "img":
            inside = any("cell_output" in open_tag["class"] for open_tag in self.stack)
            figure = any(open_tag["tag"] == "figure" for open_tag in self.stack)
            self.images.append({**attrs, "output": inside, "figure": figure})
        if tag == "link" and attrs.get("rel") in ("stylesheet", "preload", "icon", "modulepreload"):
            self.loaded.append(attrs["href"])
        if tag in ("script", "img", "iframe", "audio", "video", "source") and "src" in attrs:
            self.loaded.append(attrs["src"])
        if tag in ("div", "figure", "section", "details"):
            self.stack.append({"tag": tag, "class": (attrs.get("class") or "").split()})

    def handle_endtag(self, tag):
        if tag in ("div", "figure", "section", "details") and self.stack:
            self.stack.pop()


@functools.cache
def parsed(html, page: str) -> Page:
    return Page((html / f"{page}.html").read_text(encoding="utf-8"))


@every_file
def test_internal_links_lead_somewhere(html, page):
    for link in parsed(html, page).links:
        target, fragment = urldefrag(unquote(link))
        if re.match(r"[a-z]+:", target):
            continue
        path = urljoin(f"{page}.html", target.split("?")[0]) if target else f"{page}.html"
        assert (html / path).is_file(), f"{link}: no such file"
        if fragment and path.endswith(".html"):
            assert fragment in parsed(html, path.removesuffix(".html")).ids, f"{link}: no such place"


@every_file
def test_ids_are_unique(html, page):
    ids = parsed(html, page).ids
    assert len(ids) == len(set(ids)), sorted({name for name in ids if ids.count(name) > 1})


@every_file
def test_language_is_given(html, page):
    assert parsed(html, page).lang == "en"


@every_page
def test_images_have_alternative_texts(html, page):
    for image in parsed(html, page).images:
        alt = image.get("alt", "")
        assert alt.strip(), f"{image.get('src', '')[:80]} has no alternative text"
        assert not SPOKEN.search(alt), f"a file name as alternative text: {alt}"
        if image["output"]:
            assert image["figure"] and len(alt) >= 40, f"an output without caption or description: {alt!r}"


@every_page
def test_table_heads_are_not_empty(html, page):
    assert not re.search(r"<th[^>]*>(<p>\s*</p>)?</th>", (html / f"{page}.html").read_text(encoding="utf-8"))


@every_file
def test_nothing_is_loaded_from_elsewhere(html, page):
    assert not [address for address in parsed(html, page).loaded if re.match(r"(https?:)?//", address)]


@every_page
def test_page_weight(html, page):
    """HTML, its images, and the book's own scripts and styles stay under 3 MB."""
    images = {image["src"] for image in parsed(html, page).images if not image["src"].startswith("data:")}
    own = [path for path in (BOOK / "_static").glob("*") if path.suffix in (".js", ".css")]
    WEIGHTS[page] = {
        "html": (html / f"{page}.html").stat().st_size,
        "images": sum((html / urljoin(f"{page}.html", src)).stat().st_size for src in images),
        "scripts": sum(path.stat().st_size for path in own),
    }
    assert sum(WEIGHTS[page].values()) < LIMIT


def test_every_check_is_linked_from_the_ledger(html):
    """Each carried claim's row links to the cell that measures it."""
    claims = yaml.safe_load((BOOK / "claims.yml").read_text(encoding="utf-8"))
    page = parsed(html, "book/appendix/ledger")
    links = {link.split("/", 1)[1] for link in page.links if "#claim-" in link}
    for claim in claims:
        wanted = f"{claim['chapter']}.html#claim-{claim['id'].replace('/', '-')}"
        assert (wanted in links) == (claim["status"] == "carried"), claim["id"]
