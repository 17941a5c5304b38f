"""The form of the pages, in a browser: what a reader sees first, code and tables that fit, the length of the story."""

from __future__ import annotations

import pytest
from sources import EARLIER, MAIN, documents, name_of

pytestmark = pytest.mark.browser

LONGEST, HIGHEST = 14_000, 480  # pixels: of a main line, and of an explorer
SCREEN = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}
STORIES = ["book/index", *("book/" + name_of(path) for path in MAIN if name_of(path) not in EARLIER)]
MEASURE = """() => {
  const seen = e => e.checkVisibility() && e.getClientRects().length;
  const all = selector => [...document.querySelectorAll('article ' + selector)].filter(seen);
  const box = e => e.getBoundingClientRect();
  return {
    height: box(document.querySelector('article')).height,
    code: all('pre').filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.textContent.slice(0, 70)),
    tables: all('table').filter(e => box(e).right > box(document.querySelector('article')).right + 1).length,
    explorers: all('.nntk-explorer').map(e => ({name: e.id, height: box(e).height, bottom: box(e).bottom})),
  };
}"""


@pytest.fixture(scope="module")
def measured(site, browser):
    """``measured(page, screen)``: heights and widths of the page as it is first seen."""

    def measure(name: str, screen: dict) -> dict:
        context = browser.new_context(viewport=screen, color_scheme="light")
        page = context.new_page()
        page.goto(f"{site}/{name}.html", wait_until="load")
        page.evaluate("() => window.MathJax?.startup?.promise.then(() => true)")
        page.wait_for_function(
            "() => [...document.querySelectorAll('.nntk-explorer')].every(e => e.dataset.ready === 'true')"
        )
        found = page.evaluate(MEASURE)
        context.close()
        return found

    return measure


@pytest.mark.parametrize("name", STORIES)
def test_first_screen_and_length(measured, name):
    """The first explorer lies wholly on the first screen, and the main line is read in 45 minutes."""
    found = measured(name, SCREEN)
    assert found["explorers"][0]["bottom"] <= SCREEN["height"]
    high = [e for e in found["explorers"] if e["height"] > HIGHEST]
    assert not high, f"explorers of more than {HIGHEST} px: {high}"
    assert found["height"] <= LONGEST, f"{found['height']:.0f} px"
    assert found["tables"] == 0


@pytest.mark.parametrize("name", documents())
def test_code_fits(measured, name):
    """No line of code that can be seen is cut, on a screen or on a phone."""
    for screen in (SCREEN, PHONE):
        assert not measured(name, screen)["code"]
