"""Every page in a browser: no error or foreign request, mathematics, accessibility, small or dark screens."""

from __future__ import annotations

import os
import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from paper import cut_off, put_on_paper
from sources import GENERATED, ROOT, documents

pytestmark = pytest.mark.browser

CHAPTER = "book/2-newton/01-hessian-structure"
WIDE, NARROW = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
# Pictures of every page, for who wants to look: with NNTK_SCREENSHOTS=1.
SHOWN = [("light", WIDE), ("dark", NARROW)] if os.environ.get("NNTK_SCREENSHOTS") else []
SHOTS = ROOT / "_build" / "screenshots"
AXE = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"],
    # axe does not read MathML, and takes a table head that is a formula for empty; test_html.py looks instead.
    "rules": {"empty-table-header": {"enabled": False}},
    "resultTypes": ["violations"],
    "preload": False,
}
# Half of a chapter's elements are glyphs, which axe walks through but cannot see, because CSS draws them. The boxes of
# the formulas stay, and so does what a screen reader reads.
EMPTY_FORMULAS = """() => {
  const formulas = [...document.querySelectorAll('mjx-math')];
  const boxes = formulas.map(e => e.getBoundingClientRect());
  window.emptied = formulas.map((e, i) => {
    const glyphs = [...e.childNodes], style = e.getAttribute('style') ?? '';
    e.replaceChildren();
    Object.assign(e.style, {display: 'inline-block', width: boxes[i].width + 'px', height: boxes[i].height + 'px'});
    return {e, glyphs, style};
  });
}"""
FILL_FORMULAS = """() => window.emptied.forEach(({e, glyphs, style}) => {
  e.setAttribute('style', style);
  e.append(...glyphs);
})"""
# Three quarters of the rest are the words of highlighted code, in a few dozen looks. Of those that look the same, in
# colour, size and weight, on the same ground, three are kept as elements; the others become text of their block.
MERGE_CODE = """() => {
  const styles = (e, ...names) => names.map(name => getComputedStyle(e)[name]).join();
  const ground = e => e ? styles(e, 'backgroundColor', 'backgroundImage', 'opacity') + ground(e.parentElement) : '';
  const words = e => [...e.querySelectorAll('span:not([id])')].filter(e => !e.childElementCount), kept = {};
  window.twins = [...document.querySelectorAll('.highlight pre')].map(block => {
    const below = ground(block), twin = block.cloneNode(true), same = words(twin);
    words(block).forEach((word, i) => {
      const look = styles(word, 'color', 'fontSize', 'fontWeight', 'backgroundColor', 'textShadow', 'opacity') + below;
      const keep = word.checkVisibility() && (kept[look] = (kept[look] ?? 0) + 1) <= 3;
      if (!keep) same[i].replaceWith(same[i].textContent);
    });
    return [block, twin];
  });
  twins.forEach(([block, twin]) => { twin.normalize(); block.replaceWith(twin); });
}"""
SPLIT_CODE = "() => window.twins.forEach(([block, twin]) => twin.replaceWith(block))"
SMALL_TARGETS = """() => [...document.querySelectorAll('a, button, input, select, summary, [tabindex]')].filter(e => {
  const {width, height} = (e.querySelector('.toctree-toggle') ?? e).getBoundingClientRect();
  const inText = e.matches('a, span.math') && getComputedStyle(e).display.startsWith('inline');
  return e.tabIndex >= 0 && e.checkVisibility({visibilityProperty: true}) && !inText && (width < 24 || height < 24);
}).map(e => e.outerHTML.slice(0, 120))"""
MOVING = """() => [...document.querySelectorAll('*')].filter(e => {
  const {transitionDuration, animationName, scrollBehavior} = getComputedStyle(e);
  return transitionDuration !== '0s' || animationName !== 'none' || scrollBehavior !== 'auto';
}).map(e => e.outerHTML.slice(0, 120))"""
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
    """axe-core finds nothing of any impact, light or dark, wide or narrow; no sideways scrolling."""
    visited.set_viewport_size(size)
    visited.emulate_media(color_scheme=theme, reduced_motion="reduce")
    visited.wait_for_function("theme => document.documentElement.dataset.theme === theme", arg=theme)
    visited.evaluate("window.scrollTo(0, 0)")
    visited.wait_for_timeout(250)
    visited.wait_for_function(REACHABLE)  # the theme makes wide code focusable some time after a resize
    if (theme, size) in SHOWN:
        save_screenshot(visited, f"{theme}-{size['width']}")
    inner, scroll = visited.evaluate("[window.innerWidth, document.documentElement.scrollWidth]")
    assert scroll <= inner, f"the page is {scroll} px wide on a screen of {inner} px"
    for change in (EMPTY_FORMULAS, MERGE_CODE):
        visited.evaluate(change)
    found = Axe().run(visited, options=AXE).response["violations"]
    for back in (SPLIT_CODE, FILL_FORMULAS):
        visited.evaluate(back)
    bad = [
        f"{item['id']} ({item['impact']}): {node['html'][:160]} {node['failureSummary'][:300]}"
        for item in found
        for node in item["nodes"]
    ]
    assert not bad, "\n".join(bad[:10])


def test_nothing_is_cut_off_on_paper(visited):
    """The last test of a page, which it leaves as it is printed."""
    put_on_paper(visited)
    assert not cut_off(visited)


@pytest.mark.parametrize("name", ["book/index", CHAPTER, "book/appendix/ledger"])
def test_targets_on_a_phone(open_page, name):
    """What a finger has to hit is at least 24 px wide and high, but for links within a text."""
    with open_page(name) as page:
        page.set_viewport_size(NARROW)
        page.locator(".primary-toggle").click()  # the list of contents, too
        page.evaluate("() => document.querySelectorAll('article details').forEach(e => { e.open = true; })")
        assert not page.evaluate(SMALL_TARGETS)


def test_high_contrast_and_reduced_motion(open_page):
    """Explorers keep their colours and their controls; nothing moves by itself."""
    with open_page(CHAPTER) as page:
        page.emulate_media(forced_colors="active", reduced_motion="reduce")
        figure = page.locator("figure.nntk-explorer").first
        for control in figure.locator("input, select, button:not(.nntk-zoom)").all():
            assert control.is_visible()
        assert figure.locator(".nntk-picture").evaluate("e => getComputedStyle(e).forcedColorAdjust") == "none"
        assert not page.evaluate(MOVING)


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
