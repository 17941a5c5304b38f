"""Every page in a browser: no error or foreign request, mathematics, accessibility, small or dark screens."""

from __future__ import annotations

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from sources import ROOT, documents

pytestmark = pytest.mark.browser

GENERATED = ["genindex", "search", "py-modindex"]
WIDE, NARROW = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
SHOTS = ROOT / "_build" / "screenshots"
REACHABLE = "() => [...document.querySelectorAll('pre')].every(e => e.scrollWidth <= e.clientWidth || e.tabIndex >= 0)"


@pytest.fixture(scope="module", params=documents() + GENERATED)
def visited(request, open_page):
    """One page, opened once for all tests of this module."""
    with open_page(request.param) as page:
        page.add_style_tag(content="* { transition: none !important; animation: none !important; }")
        yield page


def test_mathematics_is_rendered(visited):
    marked = visited.locator("article .math").count()
    rendered = visited.locator("article mjx-container").count()
    assert rendered >= marked
    assert visited.locator("mjx-merror, [data-mjx-error]").count() == 0
    text = visited.locator("article").inner_text() if visited.locator("article").count() else ""
    assert not re.search(r"\\\(|\\\[|\$\$", text), "TeX left as text"


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_accessible(visited, theme, size):
    """axe-core finds nothing serious or critical, light or dark, wide or narrow; no sideways scrolling."""
    visited.set_viewport_size(size)
    visited.emulate_media(color_scheme=theme, reduced_motion="reduce")
    visited.wait_for_function("theme => document.documentElement.dataset.theme === theme", arg=theme)
    visited.evaluate("window.scrollTo(0, 0)")
    visited.wait_for_timeout(250)
    visited.wait_for_function(REACHABLE)  # the theme makes wide code focusable some time after a resize
    save_screenshot(visited, f"{theme}-{size['width']}")
    found = Axe().run(visited, options={"resultTypes": ["violations"], "preload": False}).response["violations"]
    bad = [
        f"{item['id']} ({item['impact']}): {node['html'][:160]} {node['failureSummary'][:300]}"
        for item in found
        if item["impact"] in ("serious", "critical")
        for node in item["nodes"]
    ]
    assert not bad, "\n".join(bad[:10])
    inner, scroll = visited.evaluate("[window.innerWidth, document.documentElement.scrollWidth]")
    assert scroll <= inner, f"the page is {scroll} px wide on a screen of {inner} px"


def save_screenshot(page, name: str) -> None:
    path = page.url.split("/", 3)[3].removesuffix(".html").replace("/", "-")
    page.screenshot(path=SHOTS / f"{path}-{name}.png", full_page=True)


def test_landing_page_shows_an_explorer_at_once(open_page):
    """On a laptop's screen, without scrolling: controls and the upper part of the picture."""
    with open_page("book/index") as page:
        page.set_viewport_size({"width": 1280, "height": 720})
        controls = page.locator(".nntk-explorer .nntk-controls").first.bounding_box()
        picture = page.locator(".nntk-explorer .nntk-picture").first.bounding_box()
        assert controls["y"] + controls["height"] <= 720
        assert picture["y"] + picture["height"] / 2 <= 720
