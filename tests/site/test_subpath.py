"""The site as it is published, below the name of a repository: every link and every file that a page loads."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from urllib.error import HTTPError
from urllib.parse import parse_qs, unquote, urldefrag, urljoin, urlsplit
from urllib.request import Request, urlopen

import pytest
from published import ADDRESS, NAME, OWNER, served_below
from sources import CONFIG, ROOT, documents, tracked_files

NOT_YET = {"nntk-book.pdf"}  # put beside the pages when they are published
LOADS = {"script": "src", "img": "src", "source": "src", "iframe": "src", "link": "href"}
SAYS_WHERE = {"canonical", "next", "prev", "index", "search"}  # links that load nothing
CSS_FILE = re.compile(r"url\(\s*['\"]?([^'\")]+)['\"]?\s*\)")
NOTEBOOKS = [page for page in documents() if (ROOT / f"{page}.ipynb").is_file()]


class Page(HTMLParser):
    """Where a page leads to, and what it loads."""

    def __init__(self, text: str):
        super().__init__()
        self.links, self.loaded, self.base = [], [], None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = {key: value or "" for key, value in attrs}
        if tag == "base":
            self.base = attrs["href"]
        if tag in ("a", "area") and "href" in attrs:
            self.links.append(attrs["href"])
        if tag == "form" and "action" in attrs:
            self.links.append(attrs["action"])
        if LOADS.get(tag) in attrs:
            says_where = tag == "link" and set(attrs.get("rel", "").split()) & SAYS_WHERE
            (self.links if says_where else self.loaded).append(attrs[LOADS[tag]])
        self.loaded += [part.split()[0] for part in attrs.get("srcset", "").split(",") if part.strip()]
        self.loaded += CSS_FILE.findall(attrs.get("style", ""))


@pytest.fixture(scope="module")
def published(html):
    with served_below(html) as address:
        yield address


@pytest.fixture(scope="module")
def answers():
    """``answers(url)``: whether the server has it; asked once."""
    known = {}

    def asked(url):
        if url not in known:
            try:
                with urlopen(Request(url, method="HEAD")) as response:
                    known[url] = response.status == 200
            except HTTPError:
                known[url] = False
        return known[url]

    return asked


def pages_of(html):
    """Every page of the book; JupyterLite's own pages are tested by running it."""
    return [
        path for path in sorted(html.glob("**/*.html")) if path.relative_to(html).parts[0] not in ("lite", "_static")
    ]


def local(found, where, address):
    """A link as an absolute address on the server; one to where the book is published counts as one here."""
    url = urldefrag(urljoin(where, found))[0]
    return address + url.removeprefix(ADDRESS) if url.startswith(ADDRESS) else url


def test_every_link_and_every_file(html, published, answers):
    """None is broken, none leaves the sub-path, and nothing is loaded from elsewhere."""
    problems, seen = [], set()
    for path in pages_of(html):
        name = path.relative_to(html).as_posix()
        page = Page(path.read_text(encoding="utf-8"))
        where = local(page.base or "", published + name, published)
        for found, loaded in [*((link, False) for link in page.links), *((file, True) for file in page.loaded)]:
            url = local(found, where, published)
            if re.match("(data|mailto|blob|javascript):", url) or (url, loaded) in seen:
                continue
            seen.add((url, loaded))
            if not url.startswith(published):
                outside = urlsplit(url).netloc != urlsplit(published).netloc
                if loaded or not outside:
                    problems.append(f"{name}: {found} leaves the site")
            elif url.removeprefix(published) not in NOT_YET and not answers(url):
                problems.append(f"{name}: {found} is not there")
    assert not problems, "\n".join(problems)
    assert len(seen) > 5 * len(documents())


def test_files_of_style_sheets(html, published, answers):
    sheets = [path for path in html.glob("**/*.css") if path.relative_to(html).parts[0] != "lite"]
    assert sheets
    for path in sheets:
        where = published + path.relative_to(html).as_posix()
        for found in CSS_FILE.findall(path.read_text(encoding="utf-8")):
            url = urldefrag(urljoin(where, found))[0]
            assert url.startswith(("data:", published)), f"{path.name}: {found}"
            assert url.startswith("data:") or answers(url), f"{path.name}: {found}"


def test_it_can_fail(published, answers):
    """The server has nothing at its root, and answers with the page for what is missing."""
    assert answers(published + "book/index.html")
    assert not answers(published + "book/nothing.html")
    assert not answers(urljoin(published, "/book/index.html"))


# ---- the launch buttons ------------------------------------------------------------------------------------


def buttons(html, page: str, start: str) -> list[str]:
    """The links of a page whose address contains a text."""
    links = Page((html / f"{page}.html").read_text(encoding="utf-8")).links
    return list(dict.fromkeys(link for link in links if start in link))


@pytest.mark.parametrize("page", NOTEBOOKS)
def test_jupyterlite_button(html, published, answers, page):
    """Relative, to a JupyterLite that has this notebook under its own path, with the same cells."""
    found = buttons(html, page, "lite/lab/index.html?path=")
    assert found
    for link in found:
        assert not re.match(r"[a-z]+:|/", link), "not relative"
        url = urljoin(f"{published}{page}.html", link)
        assert url.startswith(published + "lite/lab/index.html?") and answers(url)
        notebook = parse_qs(urlsplit(url).query)["path"][0]
        assert notebook == f"{page}.ipynb"
        assert answers(f"{published}lite/files/{notebook}")
        assert code(html / "lite" / "files" / notebook) == code(ROOT / notebook), "not the repository's cells"


def code(path) -> list[str]:
    """The code of a notebook, whatever commit its set-up cell fetches; the texts have links in place of references."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    sources = ["".join(cell["source"]) if cell["cell_type"] == "code" else "" for cell in cells]
    return [re.sub(r"/archive/(main|[0-9a-f]{40})\.zip", "/archive/main.zip", source) for source in sources]


@pytest.mark.parametrize("page", NOTEBOOKS)
def test_binder_and_colab_buttons(html, page):
    """The repository and branch of the settings, and a path that is a file of the project."""
    branch, tracked = CONFIG["repository"]["branch"], tracked_files()
    binder = buttons(html, page, "mybinder.org/")
    colab = buttons(html, page, "colab.research.google.com/")
    assert binder and colab
    for link in binder:
        url = urlsplit(link)
        assert url.scheme == "https" and url.path == f"/v2/gh/{OWNER}/{NAME}/{branch}"
        path = parse_qs(url.query)["urlpath"][0].removeprefix("lab/tree/")
        assert path == f"{page}.ipynb" and ROOT / path in tracked
    for link in colab:
        url = urlsplit(link)
        assert url.scheme == "https"
        path = unquote(url.path).removeprefix(f"/github/{OWNER}/{NAME}/blob/{branch}/")
        assert path == f"{page}.ipynb" and ROOT / path in tracked


def test_pages_without_cells_have_no_launch_button(html):
    for page in set(documents()) - set(NOTEBOOKS):
        for host in ("lite/lab/index.html?path=", "mybinder.org/v2/", "colab.research.google.com/github/"):
            assert not buttons(html, page, host), page
