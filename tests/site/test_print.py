"""A chapter on paper: figures in place of explorers, everything opened, nothing cut off, light, no controls."""

from __future__ import annotations

import re

import pytest
from sources import documents

pytestmark = pytest.mark.browser

CHAPTER = "book/2-newton/02-exact-step"
PAPER = {"width": 673, "height": 971}  # CSS pixels between the margins of A4
OUTSIDE = """() => [...document.querySelectorAll('article :is(mjx-container, pre, img, svg, table)')]
  .filter(e => e.getClientRects().length && e.getBoundingClientRect().right > innerWidth + 1)
  .map(e => e.outerHTML.slice(0, 120))"""


@pytest.fixture
def on_paper(open_page):
    """``on_paper(name)``: the page as it is printed from a dark screen."""

    def opened(page):
        page.emulate_media(color_scheme="dark")
        page.wait_for_function("() => document.documentElement.dataset.theme === 'dark'")
        page.set_viewport_size(PAPER)
        page.emulate_media(media="print", color_scheme="dark")
        page.evaluate("window.dispatchEvent(new Event('beforeprint'))")

    return opened


@pytest.mark.parametrize("name", documents())
def test_nothing_is_cut_off(open_page, on_paper, name):
    with open_page(name) as page:
        on_paper(page)
        assert not page.evaluate(OUTSIDE)


def test_a_chapter(open_page, on_paper):
    with open_page(CHAPTER) as page:
        folded = page.locator("article details:not([open])").count()
        on_paper(page)
        assert folded and page.locator("article details:not([open])").count() == 0
        for gone in (".bd-sidebar-primary", ".bd-header-article", ".prev-next-footer", ".copybtn", ".nntk-controls"):
            assert not any(item.is_visible() for item in page.locator(gone).all()), gone
        assert not any(item.is_visible() for item in page.locator("details.above-input").all()), "code that only draws"
        for kept in (
            ".nntk-picture",
            ".nntk-readout",
            ".nntk-explorer figcaption",
            "h1",
            ".solution > section",
            ".claim",
        ):
            assert all(item.is_visible() for item in page.locator(f"article {kept}").all()), kept
        assert page.locator("body").evaluate("e => getComputedStyle(e).backgroundColor") == "rgb(255, 255, 255)"
        dark = page.locator("article p").first.evaluate("e => getComputedStyle(e).color")
        assert max(map(int, re.findall(r"\d+", dark)[:3])) < 100, "light letters on white paper"
        assert page.locator("article p a").first.evaluate("e => getComputedStyle(e, '::after').content") == "none"
        page.evaluate("window.dispatchEvent(new Event('afterprint'))")
        assert page.locator("article details:not([open])").count() == folded
        assert page.evaluate("() => document.documentElement.dataset.theme") == "dark"


def test_the_printer(open_page):
    """What Chromium prints by itself opens the folded solutions, too: the pages are as many as the content needs."""
    with open_page(CHAPTER) as page:
        data = page.pdf(format="A4")
        page.add_style_tag(content="article details > :not(summary), .solution > section { display: none !important; }")
        without = page.pdf(format="A4")
    assert 5 < pages(without) < pages(data) < 60


def pages(data: bytes) -> int:
    return len(re.findall(rb"/Type\s*/Page\b", data))
