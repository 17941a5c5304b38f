"""A chapter on paper: figures in place of explorers, everything opened, light, no controls. (Widths: test_pages.py.)"""

from __future__ import annotations

import re

import pytest
from paper import put_on_paper

pytestmark = pytest.mark.browser

CHAPTER = "book/2-newton/02-exact-step"


def test_a_chapter(open_page):
    with open_page(CHAPTER) as page:
        folded = page.locator("article details:not([open])").count()
        put_on_paper(page)
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
            ".nntk-badge li",
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
