"""The form of the stories, in a browser: what a reader sees first, tables that fit, the length."""

from __future__ import annotations

import pytest
from sources import MAIN, name_of

pytestmark = pytest.mark.browser

LONGEST, HIGHEST = 14_000, 480  # pixels: of a main line, and of an explorer
SCREEN = {"width": 1280, "height": 900}
STORIES = ["book/index", *("book/" + name_of(path) for path in MAIN)]
MEASURE = """() => {
  const seen = e => e.checkVisibility() && e.getClientRects().length;
  const all = selector => [...document.querySelectorAll('article ' + selector)].filter(seen);
  const box = e => e.getBoundingClientRect();
  return {
    height: box(document.querySelector('article')).height,
    tables: all('table').filter(e => box(e).right > box(document.querySelector('article')).right + 1).length,
    explorers: all('.nntk-explorer').map(e => ({name: e.id, height: box(e).height, bottom: box(e).bottom})),
  };
}"""


@pytest.mark.parametrize("name", STORIES)
def test_first_screen_and_length(open_page, name):
    """The first explorer lies wholly on the first screen, and the main line is read in 45 minutes."""
    with open_page(name) as page:
        page.set_viewport_size(SCREEN)
        page.wait_for_function(
            "() => [...document.querySelectorAll('.nntk-explorer')].every(e => e.dataset.ready === 'true')"
        )
        found = page.evaluate(MEASURE)
    assert found["explorers"][0]["bottom"] <= SCREEN["height"]
    high = [e for e in found["explorers"] if e["height"] > HIGHEST]
    assert not high, f"explorers of more than {HIGHEST} px: {high}"
    assert found["height"] <= LONGEST, f"{found['height']:.0f} px"
    assert found["tables"] == 0
