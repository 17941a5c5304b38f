"""Every page in a browser: no error or foreign request, mathematics, accessibility, small or dark screens."""

from __future__ import annotations

import os
import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from paper import cut_off, put_on_paper
from sources import GENERATED, MAIN, ROOT, documents, name_of

pytestmark = pytest.mark.browser

CHAPTER = "book/2-newton/01-hessian-structure"
WIDE, NARROW = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
SCREEN = {"width": 1280, "height": 900}
STORIES = ["book/index", *("book/" + name_of(path) for path in MAIN)]
LONGEST, HIGHEST = 14_000, 480  # pixels: of a main line, and of an explorer
MEASURE = """() => {
  const seen = e => e.checkVisibility() && e.getClientRects().length;
  const article = document.querySelector('article') ?? document.body;
  const all = selector => [...article.querySelectorAll(selector)].filter(seen);
  const box = e => e.getBoundingClientRect();
  return {
    height: box(article).height,
    tables: all('table').filter(e => box(e).right > box(article).right + 1).length,
    explorers: all('.nntk-explorer').map(e => ({name: e.id, height: box(e).height, bottom: box(e).bottom})),
  };
}"""
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
CONTRAST = {**AXE, "runOnly": {"type": "rule", "values": ["color-contrast"]}, "rules": {}}
# Three quarters of a chapter's elements are glyphs, which axe walks through but cannot see, because CSS draws them, and
# MathML, which it does not read. The boxes of the formulas stay, and so does the text that names a link.
EMPTY_FORMULAS = """() => {
  const formulas = [...document.querySelectorAll('mjx-math')];
  const boxes = formulas.map(e => e.getBoundingClientRect());
  const emptied = (e, text) => {
    const [was, style] = [[...e.childNodes], e.getAttribute('style') ?? ''];
    e.replaceChildren(text);
    return {e, was, style};
  };
  window.emptied = [...document.querySelectorAll('mjx-assistive-mml')].map(e => emptied(e, e.textContent));
  formulas.forEach((e, i) => {
    window.emptied.push(emptied(e, ''));
    Object.assign(e.style, {display: 'inline-block', width: boxes[i].width + 'px', height: boxes[i].height + 'px'});
  });
}"""
FILL_FORMULAS = """() => window.emptied.forEach(({e, was, style}) => {
  e.setAttribute('style', style);
  e.replaceChildren(...was);
})"""
BELOW = """() => [...document.querySelectorAll('div.math > .eqno')].map(number =>
  number.getBoundingClientRect().top -
  number.parentElement.querySelector('mjx-container').getBoundingClientRect().bottom)"""
# Contrast is most of the rest. Texts of one kind (tag and class, and its parent's), one colour, size and weight, on the
# same ground, have the same contrast: three of each are looked at, in the first view of a page that has them.
LOOK_AT = "() => axe.configure({rules: [{id: 'color-contrast', selector: '[data-text]'}]})"
MARK_TEXTS = """() => {
  const styles = (e, ...names) => names.map(name => getComputedStyle(e)[name]).join();
  const grounds = new Map([[null, '']]), counts = new Map(), looked = window.nntkLooked ??= new Set();
  const clear = 'rgba(0, 0, 0, 0),none,1';
  const ground = e => {
    if (!grounds.has(e)) {
      const own = styles(e, 'backgroundColor', 'backgroundImage', 'opacity');
      grounds.set(e, (own === clear ? '' : own + ';') + ground(e.parentElement));
    }
    return grounds.get(e);
  };
  const isText = node => node.nodeType === Node.TEXT_NODE && node.data.trim();
  const sort = e => e.localName + '.' + (e.getAttribute('class') ?? '');
  for (const e of document.querySelectorAll('body *:not(mjx-container *)')) {
    const field = e.matches('input, select, textarea');
    if (!field && ![...e.childNodes].some(isText) || !e.checkVisibility({visibilityProperty: true})) continue;
    const look = styles(e, 'color', 'fontSize', 'fontWeight', 'textShadow');
    const kind = [sort(e), sort(e.parentElement), look, ground(e)].join(' ');
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
    if (!looked.has(kind) && (field || counts.get(kind) <= 3)) e.dataset.text = '';
  }
  counts.forEach((_, kind) => looked.add(kind));
  return document.querySelectorAll('[data-text]').length;
}"""
# So are most elements: the words of code. Those that are not looked at become text of their block.
MERGE_WORDS = """() => {
  const blocks = '.highlight pre, dt.sig, code';
  const outer = [...document.querySelectorAll(blocks)].filter(e => !e.parentElement.closest(blocks));
  window.twins = outer.map(block => {
    const twin = block.cloneNode(true);
    for (const word of twin.querySelectorAll('span:not([id], [data-text])')) {
      if (!word.childElementCount) word.replaceWith(word.textContent);
    }
    twin.normalize();
    return [block, twin];
  });
  twins.forEach(([block, twin]) => block.replaceWith(twin));
}"""
SPLIT_WORDS = """() => {
  twins.forEach(([block, twin]) => twin.replaceWith(block));
  document.querySelectorAll('[data-text]').forEach(e => e.removeAttribute('data-text'));
}"""
SMALL_TARGETS = """() => [...document.querySelectorAll('a, button, input, select, summary, [tabindex]')].filter(e => {
  const {width, height} = (e.querySelector('.toctree-toggle') ?? e).getBoundingClientRect();
  const inText = e.matches('a, span.math') && getComputedStyle(e).display.startsWith('inline');
  return e.tabIndex >= 0 && e.checkVisibility({visibilityProperty: true}) && !inText && (width < 24 || height < 24);
}).map(e => e.outerHTML.slice(0, 120))"""
MOVING = """() => [...document.querySelectorAll('*')].filter(e => {
  const {transitionDuration, animationName, scrollBehavior} = getComputedStyle(e);
  return transitionDuration !== '0s' || animationName !== 'none' || scrollBehavior !== 'auto';
}).map(e => e.outerHTML.slice(0, 120))"""
SEEN = """() => [...document.querySelectorAll('body *:not(mjx-container *)')]
  .filter(e => e.checkVisibility({visibilityProperty: true}))
  .map(e => [e.localName, ...[...e.attributes].map(a => /^(class|style)$/.test(a.name) ? '' : a.name + '=' + a.value)])
  .join('\\n')"""
CUT_CODE = """() => [...document.querySelectorAll('article pre')].filter(e =>
  e.checkVisibility() && e.getClientRects().length && e.scrollWidth > e.clientWidth + 1
).map(e => e.textContent.slice(0, 70))"""
REACHABLE = "() => [...document.querySelectorAll('pre')].every(e => e.scrollWidth <= e.clientWidth || e.tabIndex >= 0)"


@pytest.fixture(scope="module", params=documents() + GENERATED)
def visited(request, open_page):
    """One page, opened once for all tests of this module."""
    with open_page(request.param) as page:
        page.add_style_tag(content="* { transition: none !important; animation: none !important; }")
        with_axe(page)
        yield page


def test_mathematics_is_rendered(visited):
    marked = visited.locator("article .math").count()
    rendered = visited.locator("article mjx-container").count()
    assert rendered >= marked
    assert visited.locator("mjx-merror, [data-mjx-error]").count() == 0
    text = visited.locator("article").inner_text() if visited.locator("article").count() else ""
    assert not re.search(r"\\\(|\\\[|\$\$", text), "TeX left as text"


def test_stories_are_there():
    assert len(STORIES) >= 5 and set(STORIES) <= set(documents())


def test_first_screen_and_length(visited):
    """A story's first explorer lies wholly on the first screen, and its main line is read in 45 minutes; tables fit."""
    visited.set_viewport_size(SCREEN)
    found = visited.evaluate(MEASURE)
    high = [e for e in found["explorers"] if e["height"] > HIGHEST]
    assert not high, f"explorers of more than {HIGHEST} px: {high}"
    assert found["tables"] == 0
    if any(visited.url.endswith(f"/{name}.html") for name in STORIES):
        assert found["explorers"], "a story without an explorer"
        assert found["explorers"][0]["bottom"] <= SCREEN["height"]
        assert found["height"] <= LONGEST, f"{found['height']:.0f} px"


def with_axe(page) -> None:
    page.evaluate(Axe().axe_script)
    page.evaluate(LOOK_AT)


def violations(page, theme="light") -> list[dict]:
    """What axe-core finds; of the dark theme in its contrasts, because its structure is that of the light one."""
    if not page.evaluate(MARK_TEXTS) and theme != "light":
        return []
    for change in (EMPTY_FORMULAS, MERGE_WORDS):
        page.evaluate(change)
    found = page.evaluate("options => axe.run(options)", AXE if theme == "light" else CONTRAST)["violations"]
    for back in (SPLIT_WORDS, FILL_FORMULAS):
        page.evaluate(back)
    return found


def show(page, theme: str) -> str:
    """Put the page into a theme; its elements that are seen, with their attributes but for class and style."""
    page.emulate_media(color_scheme=theme, reduced_motion="reduce")
    page.wait_for_function("theme => document.documentElement.dataset.theme === theme", arg=theme)
    page.wait_for_function(REACHABLE)  # the theme makes wide code focusable some time after a resize
    return page.evaluate(SEEN)


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_code_fits(visited, size):
    """No line of code that can be seen is cut, on a screen or on a phone."""
    visited.set_viewport_size(size)
    assert not visited.evaluate(CUT_CODE)


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_accessible(visited, size):
    """axe-core finds nothing of any impact, light or dark, wide or narrow; no sideways scrolling."""
    visited.set_viewport_size(size)
    visited.evaluate("window.scrollTo(0, 0)")
    visited.wait_for_timeout(250)
    seen, bad = {}, []
    for theme in ("light", "dark"):
        seen[theme] = show(visited, theme)
        if (theme, size) in SHOWN:
            save_screenshot(visited, f"{theme}-{size['width']}")
        inner, scroll = visited.evaluate("[window.innerWidth, document.documentElement.scrollWidth]")
        assert scroll <= inner, f"the page is {scroll} px wide on a screen of {inner} px ({theme})"
        bad += [
            f"{theme}: {item['id']} ({item['impact']}): {node['html'][:160]} {node['failureSummary'][:300]}"
            for item in violations(visited, theme)
            for node in item["nodes"]
        ]
    assert seen["dark"] == seen["light"], "what is seen in the dark is not what axe-core looked at in the light"
    assert not bad, "\n".join(bad[:10])


def test_nothing_is_cut_off_on_paper(visited):
    """The last test of a page, which it leaves as it is printed."""
    put_on_paper(visited)
    assert not cut_off(visited)


def test_a_pale_colour_is_found(open_page):
    """Of one kind of words in the code of a page."""
    with open_page("book/appendix/making") as page:
        with_axe(page)
        assert page.locator(".highlight .mi").count() >= 1 and not violations(page)
        page.add_style_tag(content=".highlight .mi { color: #bbb !important; }")
        assert {item["id"] for item in violations(page)} == {"color-contrast"}


@pytest.mark.parametrize("name", ["book/index", CHAPTER, "book/appendix/ledger"])
def test_targets_on_a_phone(open_page, name):
    """What a finger has to hit is at least 24 px wide and high, but for links within a text."""
    with open_page(name) as page:
        page.set_viewport_size(NARROW)
        page.locator(".primary-toggle").click()  # the list of contents, too
        page.evaluate("() => document.querySelectorAll('article details').forEach(e => { e.open = true; })")
        assert not page.evaluate(SMALL_TARGETS)


def test_numbers_of_formulas_on_a_phone(open_page):
    """They stand below, so that the formula has the whole width."""
    with open_page("book/5-riemannian/05-underparameterized") as page:
        page.set_viewport_size(NARROW)
        below = page.evaluate(BELOW)
        assert below and min(below) >= 0


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
