"""What the published pages say of themselves, and what a server finds beside them."""

from __future__ import annotations

import datetime
import functools
import re
import subprocess
import sys
from html import unescape
from html.parser import HTMLParser
from types import SimpleNamespace
from xml.etree import ElementTree

import pytest
import yaml
from axe_playwright_python.sync_playwright import Axe
from nntk.site import site_address
from published import ADDRESS, served_below
from sources import BOOK, CONFIG, GENERATED, ROOT, documents

TITLE = CONFIG["title"]

every_page = pytest.mark.parametrize("page", documents())
every_file = pytest.mark.parametrize("page", documents() + GENERATED)


class Head(HTMLParser):
    """The title, the descriptions, the canonical address and the icon of a page, and its text."""

    def __init__(self, text: str):
        super().__init__()
        self.title, self.meta, self.canonical, self.icon, self.open = "", {}, [], [], ""
        self.feed(text)
        self.text = " ".join(unescape(re.sub("<.*?>", "", text[text.find("<article") :])).split())

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.open = tag
        if tag == "meta" and "content" in attrs:
            self.meta.setdefault(attrs.get("property") or attrs.get("name"), attrs["content"])
        if tag == "link" and attrs.get("rel") == "canonical":
            self.canonical.append(attrs["href"])
        if tag == "link" and "icon" in attrs.get("rel", "").split():
            self.icon.append(attrs["href"])

    def handle_endtag(self, tag):
        self.open = ""

    def handle_data(self, data):
        self.title += data if self.open == "title" else ""


@functools.cache
def head(html, page: str) -> Head:
    return Head((html / f"{page}.html").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "base, repository, wanted",
    [
        ("", "https://github.com/nntk-book/nntk-book", "https://nntk-book.github.io/nntk-book/"),
        ("", "https://github.com/Ada/Notes/", "https://ada.github.io/Notes/"),
        ("", "https://github.com/Ada/ada.github.io", "https://ada.github.io/"),
        ("https://example.org/book", "https://github.com/ada/notes", "https://example.org/book/"),
    ],
)
def test_one_address(base, repository, wanted):
    """Where GitHub Pages shows a repository, unless another address is set."""
    config = SimpleNamespace(html_baseurl=base, html_theme_options={"repository_url": repository})
    assert site_address(config) == wanted


@every_file
def test_title_and_address(html, page):
    found = head(html, page)
    assert found.canonical == [f"{ADDRESS}{page}.html"]
    if page == documents()[0]:
        assert found.title == TITLE
    else:
        assert re.fullmatch(rf"\S.+ (—|-) {TITLE}", found.title)


@every_file
def test_icon(html, page):
    """One, of ours; without it a browser asks the server for a file that is not there."""
    (icon,) = head(html, page).icon
    assert (html / page).parent.joinpath(icon).read_bytes() == (BOOK / "_static" / "favicon.svg").read_bytes()


@every_page
def test_description(html, page):
    """Plain words from the beginning of the page, not too few and not too many."""
    found = head(html, page)
    text = found.meta["description"]
    assert 40 <= len(text) <= 211 and text.endswith((".", "?", "!"))
    assert not re.search(r"[\\$^{}<>]|\s\s", text), "not plain"
    assert text[:-1] in found.text


@every_page
def test_what_a_link_shows_elsewhere(html, page):
    """Open Graph: title, description, absolute addresses, and a picture that exists, of the size that is promised."""
    found = head(html, page)
    meta = found.meta
    assert meta["og:title"] in found.title and meta["og:site_name"] == TITLE
    assert meta["og:description"] == meta["description"]
    assert [meta["og:url"]] == found.canonical
    assert meta["og:type"] == ("website" if page == documents()[0] else "article")
    assert meta["twitter:card"] == "summary_large_image"
    assert meta["og:image"].startswith(ADDRESS)
    picture = (html / meta["og:image"].removeprefix(ADDRESS)).read_bytes()
    size = tuple(int.from_bytes(picture[i : i + 4], "big") for i in (16, 20))  # of a PNG
    assert picture.startswith(b"\x89PNG") and size == (1200, 630) == (
        int(meta["og:image:width"]),
        int(meta["og:image:height"]),
    )
    assert len(picture) < 300_000
    assert meta["og:image:alt"].startswith(meta["og:title"]) and len(meta["og:image:alt"]) >= 60


def test_pages_differ(html):
    for key in ("og:title", "description", "og:image", "og:image:alt"):
        values = [head(html, page).meta[key] for page in documents()]
        assert len(values) == len(set(values)), key


@every_file
def test_footer_tells_the_edition(html, page):
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    day = datetime.date.fromisoformat(citation["date-released"])
    text = (html / f"{page}.html").read_text(encoding="utf-8")
    footer = text[text.index('<footer class="bd-footer-content') :]
    assert f"Version {citation['version']} of {day.day} {day:%B %Y}" in footer
    repository = CONFIG["repository"]
    assert f'href="{repository["url"]}/blob/{repository["branch"]}/CHANGELOG.md"' in footer


def test_sitemap_lists_the_pages(html):
    found = ElementTree.parse(html / "sitemap.xml").getroot()
    assert [entry[0].text for entry in found] == [f"{ADDRESS}{page}.html" for page in documents()]
    assert f"Sitemap: {ADDRESS}sitemap.xml" in (html / "robots.txt").read_text(encoding="utf-8").splitlines()
    assert (html / ".nojekyll").is_file()


# ---- the page for what is not there ------------------------------------------------------------------------


@pytest.fixture
def lost(html, browser):
    """``lost(path, theme)``: the page at an address below the book that does not exist."""
    with served_below(html) as address:
        context = browser.new_context()
        foreign = []
        context.route(
            re.compile(f"^(?!{re.escape(address.split('/some-repo/')[0])})"),
            lambda route: (foreign.append(route.request.url), route.abort()),
        )
        page = context.new_page()

        def opened(path, theme="light"):
            page.emulate_media(color_scheme=theme)
            assert page.goto(address + path).status == 404
            page.wait_for_function("address => document.baseURI === address", arg=address)
            return page

        yield opened
        context.close()
        assert not foreign


@pytest.mark.browser
@pytest.mark.parametrize("path", ["missing.html", "deep/path/", "deep/path/missing.html?q=1#x"])
def test_missing_page_leads_back(lost, path):
    """Whatever the depth of the address: the first page, every page, and the search are one step away."""
    page = lost(path)
    links = page.eval_on_selector_all("a", "found => found.map(a => a.href)")
    address = page.evaluate("document.baseURI")
    assert set(links) == {f"{address}{name}.html" for name in documents()}
    assert all(page.request.get(link).ok for link in links)
    page.get_by_label("Search this book").fill("Hessian")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{address}search.html?q=Hessian")


@pytest.mark.browser
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_missing_page_is_accessible(lost, theme):
    page = lost("deep/path/missing.html", theme)
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 800})
        assert not Axe().run(page).response["violations"]
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_missing_page_without_a_script(html):
    """Where the book is published, its links need no script."""
    text = (html / "404.html").read_text(encoding="utf-8")
    assert f'<base href="{ADDRESS}">' in text
    links = re.findall(r'(?:href|action)="([^"]*)"', text)
    assert all((html / link).is_file() for link in links if link not in (ADDRESS, "data:,"))


# ---- pages that moved --------------------------------------------------------------------------------------


def build(folder, redirects: dict[str, str]) -> subprocess.CompletedProcess:
    """A book of two pages, as strictly built as the real one."""
    source = folder / "source"
    source.mkdir(exist_ok=True)
    (source / "conf.py").write_text(
        f"import sys\nsys.path.insert(0, {str(BOOK / '_ext')!r})\nproject = 'Tiny'\n"
        "def setup(app):\n    import nntk\n    nntk.connect(app, nntk.site)\n"
        "    app.add_config_value('redirects', {}, 'html', dict)\n"
        f"root_doc = 'first'\nhtml_baseurl = 'https://example.org/tiny'\nredirects = {redirects!r}\n"
    )
    opening = "Two pages are enough to see whether an old address leads to the new one."
    (source / "first.rst").write_text(f"First\n=====\n\n{opening}\n\n.. toctree::\n\n   new/second\n")
    (source / "new").mkdir(exist_ok=True)
    (source / "new" / "second.rst").write_text(
        f"Second & last\n=============\n\n{opening}\n\n.. _there:\n\nThere\n-----\n"
    )
    command = [sys.executable, "-m", "sphinx", "-E", "-W", "--keep-going", "-q", str(source), str(folder / "out")]
    return subprocess.run(command, capture_output=True, text=True)


def test_redirects_are_written(tmp_path):
    done = build(tmp_path, {"old/chapter/second": "new/second"})
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "out" / "old" / "chapter" / "second.html").read_text(encoding="utf-8")
    assert 'content="0; url=../../new/second.html"' in text
    assert '<link rel="canonical" href="https://example.org/tiny/new/second.html">' in text
    assert "<title>Second &amp; last</title>" in text
    assert "url=first.html" in (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert "old/" not in (tmp_path / "out" / "sitemap.xml").read_text(encoding="utf-8")


@pytest.mark.parametrize("redirects", [{"old": "nowhere"}, {"new/second": "first"}], ids=["to nothing", "from a page"])
def test_wrong_redirects_fail_the_build(tmp_path, redirects):
    done = build(tmp_path, redirects)
    assert done.returncode and "redirects:" in done.stderr


@pytest.mark.browser
def test_redirects_keep_the_place(tmp_path, browser):
    assert build(tmp_path, {"old/second": "new/second"}).returncode == 0
    page = browser.new_page()
    page.goto((tmp_path / "out" / "old" / "second.html").as_uri() + "#there")
    page.wait_for_url("**/out/new/second.html#there")
    page.close()


def test_a_page_without_a_plain_sentence_fails_the_build(tmp_path):
    build(tmp_path, {})
    (tmp_path / "source" / "new" / "second.rst").write_text("Second\n======\n\n:math:`x` is short.\n")
    command = [sys.executable, "-m", "sphinx", "-W", "-q", str(tmp_path / "source"), str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode and "no description" in done.stderr
