"""One chapter without a mouse: from the address bar through every control, by Tab, Enter, Space, arrows and Escape."""

from __future__ import annotations

import re

import pytest

pytestmark = pytest.mark.browser

CHAPTER = "book/1-wide-networks/02-spectral-bias"
STOPS = 300  # more than a chapter has
FOCUS = """() => {
  const e = document.activeElement;
  if (e === document.body) return null;
  const seen = e.querySelector('.toctree-toggle') ?? e;  // a triangle stands for its summary
  const {left, top, right, bottom} = seen.getBoundingClientRect(), style = getComputedStyle(seen);
  const x = Math.min(left + 12, (left + right) / 2), y = (Math.max(top, 0) + Math.min(bottom, innerHeight)) / 2;
  const hit = document.elementFromPoint(x, y);
  return {
    what: e.outerHTML.slice(0, 160),
    kind: e.type === 'range' ? 'range' : e.localName,
    shown: e.checkVisibility({visibilityProperty: true, opacityProperty: true}),
    uncovered: !!hit && (seen.contains(hit) || hit.contains(seen)),
    marked: (style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2) || style.boxShadow !== 'none',
    position: [...document.querySelectorAll('*')].indexOf(e),
  };
}"""
PICTURE = "figure => figure.querySelector('.nntk-picture').innerHTML"
THEME = "() => document.documentElement.dataset.theme"
UNNAMED = re.compile(
    r"^\s*- (?:slider|combobox|button|link|searchbox|textbox|checkbox|img|figure)(?::.*)?$", re.MULTILINE
)


@pytest.fixture
def chapter(open_page):
    with open_page(CHAPTER) as page:
        page.emulate_media(reduced_motion="reduce")
        page.wait_for_function("() => document.querySelector('.nntk-explorer').dataset.ready")
        page.wait_for_timeout(400)  # the theme makes wide code focusable some time after the start
        yield page


def go_to(page, selector: str):
    """Press Tab until the first such control has the focus."""
    control = page.locator(selector).first
    for _ in range(STOPS):
        page.keyboard.press("Tab")
        if has_focus(control):
            return control
    raise AssertionError(f"{selector} is not reached")


def has_focus(control) -> bool:
    return control.evaluate("e => e === document.activeElement")


def test_every_stop_is_seen_and_none_holds(chapter):
    """In the order of the page, visible, uncovered and marked; at the end Tab leaves the page."""
    chapter.evaluate("() => document.querySelectorAll('article details').forEach(e => { e.open = true; })")
    stops = []
    for _ in range(STOPS):
        chapter.keyboard.press("Tab")
        chapter.wait_for_timeout(10)
        stop = chapter.evaluate(FOCUS)
        if stop is None:
            break
        stops.append(stop)
    assert len(stops) < STOPS, "Tab does not leave the page"
    for stop in stops:
        assert stop["shown"] and stop["uncovered"], f"the focus is out of sight: {stop['what']}"
        assert stop["marked"], f"the focus is not marked: {stop['what']}"
    positions = [stop["position"] for stop in stops]
    assert positions == sorted(positions)
    assert {"range", "select", "button", "summary", "a"} <= {stop["kind"] for stop in stops}
    chapter.keyboard.press("Shift+Tab")
    assert chapter.evaluate(FOCUS)["position"] in positions[-2:], "there is no way back"


@pytest.mark.parametrize("name", [CHAPTER, "book/index", "search"])
def test_every_control_has_a_name(open_page, name):
    """In the tree that screen readers get; what is folded is opened."""
    with open_page(name) as page:
        page.evaluate("() => document.querySelectorAll('article details').forEach(e => { e.open = true; })")
        tree = page.locator("body").aria_snapshot()
        assert "- link" in tree and not UNNAMED.findall(tree)
        if name == CHAPTER:
            assert re.search(r'slider "\w', tree) and re.search(r'combobox "\w', tree)
            assert re.search(r'button "Play: ', tree)


def test_skip_link(chapter):
    chapter.keyboard.press("Tab")
    assert has_focus(chapter.get_by_text("Skip to main content"))
    chapter.keyboard.press("Enter")
    chapter.keyboard.press("Tab")
    assert chapter.evaluate("() => document.querySelector('main').contains(document.activeElement)")


def test_search(chapter):
    """Opened by its button or by Ctrl+K, closed by Escape; Enter leads to the results."""
    button, field = go_to(chapter, ".search-button-field"), chapter.locator("#pst-search-dialog input")
    chapter.keyboard.press("Enter")
    assert has_focus(field)
    chapter.keyboard.press("Escape")
    assert field.is_hidden() and has_focus(button)
    chapter.keyboard.press("Control+k")
    assert has_focus(field)
    chapter.keyboard.type("push-through")
    chapter.keyboard.press("Enter")
    chapter.wait_for_url("**/search.html?q=push-through")
    chapter.locator("ul.search a").first.wait_for()


def test_contents(chapter):
    """A part folds and opens; an entry leads to its page; the whole list is hidden and shown again."""
    triangle = go_to(chapter, ".bd-sidebar-primary summary")
    for key, is_open in (("Enter", False), ("Space", True)):
        chapter.keyboard.press(key)
        assert triangle.evaluate("e => e.parentElement.open") is is_open
    toggle, contents = go_to(chapter, ".primary-toggle"), chapter.locator("#pst-primary-sidebar")
    for is_shown in (False, True):
        chapter.keyboard.press("Enter")
        contents.wait_for(state="visible" if is_shown else "hidden")
        assert has_focus(toggle)
    chapter.keyboard.press("Tab")
    go_back = chapter.locator("#pst-primary-sidebar a", has_text="Preface")
    while not has_focus(go_back):
        chapter.keyboard.press("Shift+Tab")
    chapter.keyboard.press("Enter")
    chapter.wait_for_url("**/preface.html")


def test_buttons_of_the_page(chapter):
    """Each list of links opens, is walked by the arrows, and closes by Escape; colours change."""
    lists = chapter.locator(".article-header-buttons button.dropdown-toggle")
    assert lists.count() >= 3
    for i in range(lists.count()):
        button = lists.nth(i)
        while not has_focus(button):
            chapter.keyboard.press("Tab")
        chapter.keyboard.press("Enter")
        assert button.get_attribute("aria-expanded") == "true"
        chapter.keyboard.press("ArrowDown")
        entry = chapter.locator(".dropdown-menu.show .dropdown-item").first
        assert entry.is_visible() and has_focus(entry)
        chapter.keyboard.press("Escape")
        assert button.get_attribute("aria-expanded") == "false" and has_focus(button)
    switch, theme = go_to(chapter, ".article-header-buttons .theme-switch-button"), chapter.evaluate(THEME)
    chapter.keyboard.press("Enter")
    assert chapter.evaluate(THEME) != theme and has_focus(switch)


def test_explorers(chapter):
    """Slider by arrows, choice by arrows, play by Space: the picture follows."""
    for selector, key in (("input[type=range]", "ArrowLeft"), ("select", "ArrowDown"), (".nntk-button", "Space")):
        control = go_to(chapter, f".nntk-explorer {selector}")
        figure = control.locator("xpath=ancestor::figure")
        before = figure.evaluate(PICTURE)
        chapter.keyboard.press(key)
        handle = figure.element_handle()
        chapter.wait_for_function(f"([figure, before]) => ({PICTURE})(figure) !== before", arg=[handle, before])
        assert has_focus(control)


def test_what_is_folded(chapter):
    """Code, hints and solutions open by Enter and close by Space."""
    folded = {
        "details.above-input > summary": "details.above-input pre",
        "details.nntk-badge > summary": "details.nntk-badge li",
        "details.sd-dropdown > summary": "details.sd-dropdown p",
        "div.solution .toggle-button": "div.solution > section",
    }
    for selector, content in folded.items():
        control, content = go_to(chapter, f"article {selector}"), chapter.locator(f"article {content}").first
        assert not content.is_visible()
        chapter.keyboard.press("Enter")
        content.wait_for()
        assert has_focus(control)
        chapter.keyboard.press("Space")
        content.wait_for(state="hidden")


def test_what_is_wider_than_a_phone(chapter):
    """A formula is reached and scrolls by the arrows; an enlarged picture, too. (Code wraps.)"""
    chapter.set_viewport_size({"width": 390, "height": 844})
    chapter.wait_for_function(
        "() => document.querySelector('article .math[tabindex], article mjx-container[tabindex]')"
    )
    chapter.wait_for_timeout(600)  # the theme takes its time after a resize
    go_to(chapter, ".nntk-zoom")
    chapter.keyboard.press("Enter")
    wide = [":is(.math, mjx-container)[tabindex]", ".nntk-large .nntk-picture[tabindex]"]
    for selector in wide:
        place = chapter.locator(f"article {selector}:visible").first
        place.focus()
        assert has_focus(place)
        chapter.keyboard.press("ArrowRight")
        chapter.wait_for_function("e => e.scrollLeft > 0", arg=place.element_handle())


def test_contents_on_a_phone(chapter):
    """Opened over the page, the list of contents holds the focus until Escape, which gives it back."""
    chapter.set_viewport_size({"width": 390, "height": 844})
    toggle = go_to(chapter, ".primary-toggle")
    chapter.keyboard.press("Enter")
    chapter.locator("#pst-primary-sidebar-modal a").first.wait_for()
    chapter.keyboard.press("Tab")
    assert chapter.evaluate(
        "() => document.querySelector('#pst-primary-sidebar-modal').contains(document.activeElement)"
    )
    chapter.keyboard.press("Escape")
    chapter.locator("#pst-primary-sidebar-modal").wait_for(state="hidden")
    chapter.wait_for_function("e => e === document.activeElement", arg=toggle.element_handle())


def test_ledger_is_filtered(open_page):
    """By the arrow keys from one kind to the next; what a link leads to is shown whatever is chosen."""
    with open_page("book/appendix/ledger") as page:
        shown = page.locator(".ledger-claim:visible")
        everything = shown.count()
        page.locator(".ledger-filter input").first.focus()
        counts = {}
        for label in page.locator(".ledger-filter label").all_inner_texts()[1:]:
            page.keyboard.press("ArrowDown")
            kind, count = re.fullmatch(r"(.+) \((\d+)\)", label.strip()).groups()
            counts[kind] = shown.count()
            assert counts[kind] == int(count)
        assert len(counts) >= 3 and all(0 < count < everything for count in counts.values())
        assert counts.get("carried", 0) + counts.get("open", 0) in (0, everything)  # not offered where all are carried
        name = page.locator(".ledger-claim.ledger-hidden details").first.get_attribute("id")
        page.evaluate("name => { location.hash = name; }", name)
        page.wait_for_function("name => document.getElementById(name).open", arg=name)
        assert page.locator(f"#{name}").is_visible()
