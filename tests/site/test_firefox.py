"""The second engine: explorers, search, keyboard, and pages from a disk, in the Firefox of the machine."""

from __future__ import annotations

import shutil
import subprocess
from contextlib import contextmanager
from urllib.parse import quote

import pytest
from asked import QUERIES, RESET, SPACING
from firefox import Firefox, program
from sources import CI, MAIN, PAGES, calls, name_of

pytestmark = pytest.mark.browser

WITH_EXPLORERS = ["book/" + name_of(path) for path in PAGES if calls(path, "explorer")]
CHAPTER = "book/" + name_of(MAIN[0])
READY = "() => [...document.querySelectorAll('.nntk-explorer')].every(e => e.dataset.ready === 'true')"
COUNT = "() => document.querySelectorAll('.nntk-explorer [data-param]').length"
FOCUS = """k => {
  const control = document.querySelectorAll('.nntk-explorer [data-param]')[k];
  control.focus();
  if (control.options) return control.selectedIndex < control.options.length - 1 ? 'ArrowDown' : 'ArrowUp';
  return control.value === control.max ? 'Home' : 'End';
}"""
SEEN = """k => {
  const figure = document.querySelectorAll('.nntk-explorer [data-param]')[k].closest('.nntk-explorer');
  const picture = figure.querySelector('.nntk-picture'), image = picture.querySelector('img');
  return [image ? image.src : picture.innerHTML, figure.querySelector('.nntk-readout').textContent];
}"""
# A page in a frame without scripts, as its neighbour sees it: [a picture is shown, controls, those shown, text].
WITHOUT_SCRIPTS = """async url => {
  const frame = Object.assign(document.createElement('iframe'), {sandbox: 'allow-same-origin', width: 1000, src: url});
  await new Promise(loaded => { frame.onload = loaded; document.body.append(frame); });
  const shown = e => e.checkVisibility() && e.getClientRects().length > 0, inside = frame.contentDocument;
  const picture = inside.querySelector('.nntk-picture img, .nntk-picture svg');
  const controls = [...inside.querySelectorAll('.nntk-explorer [data-param]')];
  return [Boolean(picture && shown(picture)), controls.length, controls.filter(shown).length, inside.body.innerText];
}"""
RESULTS = "() => [...document.querySelectorAll('ul.search li > a:first-child')].slice(0, 3).map(e => e.href)"
FINISHED = "() => document.querySelector('.search-summary')?.innerText"
MODE = "() => document.documentElement.dataset.mode"


def offered() -> bool:
    """Whether this machine's packages have a Firefox."""
    if shutil.which("apt-cache") is None:
        return False
    said = subprocess.run(["apt-cache", "policy", "firefox-esr"], capture_output=True, text=True).stdout
    return "Candidate:" in said and "Candidate: (none)" not in said


@contextmanager
def started(folder, prefs=None):
    if program() is None:
        reason = "NOTHING RAN IN A SECOND ENGINE: no Firefox found; install firefox-esr, or set FIREFOX to its path"
        pytest.fail(reason, pytrace=False) if CI and offered() else pytest.skip(reason)
    browser = Firefox(folder, prefs)
    try:
        yield browser
    finally:
        browser.close()
    assert browser.errors == []


@pytest.fixture(scope="module")
def firefox(tmp_path_factory):
    with started(tmp_path_factory.mktemp("firefox")) as browser:
        yield browser


@pytest.mark.parametrize("page", WITH_EXPLORERS)
def test_every_control_moves_the_picture_by_keys(firefox, site, page):
    firefox.goto(f"{site}/{page}.html")
    firefox.wait_for(READY)
    assert firefox.evaluate(COUNT)
    for k in range(firefox.evaluate(COUNT)):
        firefox.evaluate(RESET)  # at the end of another control this one may have nothing to change
        before = firefox.evaluate(SEEN, k)
        firefox.press(firefox.evaluate(FOCUS, k))
        firefox.wait_for(f"(k, old) => ({SEEN})(k)[0] !== old", k, before[0])


@pytest.mark.parametrize("query, wanted", QUERIES)
def test_statements_are_found(firefox, site, query, wanted):
    firefox.goto(f"{site}/search.html?q={quote(query)}")
    firefox.wait_for(FINISHED)
    found = [link.removeprefix(site + "/").replace("?highlight=", "") for link in firefox.evaluate(RESULTS)]
    assert wanted in found


def test_tab_and_enter(firefox, site):
    """To the button of the theme, which answers, and to the first slider; Ctrl+K opens the search."""
    firefox.goto(f"{site}/{CHAPTER}.html")
    firefox.wait_for(READY)
    reached = {"button": False, "slider": False}
    for _ in range(300):
        firefox.press("Tab")
        if firefox.evaluate("() => document.activeElement.matches('.theme-switch-button')") and not reached["button"]:
            mode = firefox.evaluate(MODE)
            firefox.press("Enter")
            reached["button"] = firefox.evaluate(MODE) != mode
        if firefox.evaluate("() => document.activeElement.matches('.nntk-explorer input[type=range]')"):
            reached["slider"] = True
            break
    assert all(reached.values()), reached
    firefox.press("Control", "k")
    firefox.wait_for("() => document.querySelector('#pst-search-dialog')?.open")
    firefox.press("Escape")


def test_formulas_are_set(firefox, site):
    firefox.goto(f"{site}/{CHAPTER}.html")
    firefox.evaluate("() => window.MathJax.startup.promise.then(() => true)")
    assert firefox.evaluate("() => document.querySelectorAll('mjx-container').length") > 20
    assert not firefox.evaluate("() => document.querySelectorAll('mjx-merror').length")


def test_in_a_sandboxed_frame(firefox, site):
    """As learning platforms show pages: the search has results. Fonts may not be read there, which Firefox says."""
    earlier = len(firefox.errors)
    firefox.goto(f'data:text/html,<iframe sandbox="allow-scripts" src="{site}/search.html?q=Hessian"></iframe>')
    firefox.wait_for(FINISHED, frame=firefox.frame())
    assert len(firefox.evaluate(RESULTS, frame=firefox.frame())) == 3
    fonts = ("downloadable font", "Cross-Origin Request Blocked")
    firefox.errors[earlier:] = [text for text in firefox.errors[earlier:] if not text.startswith(fonts)]


def test_without_javascript(firefox, site):
    """An explorer's first picture is there, without controls that would do nothing; the search says what it lacks."""
    firefox.goto(f"{site}/{CHAPTER}.html")
    picture, controls, shown, _ = firefox.evaluate(WITHOUT_SCRIPTS, f"{site}/{CHAPTER}.html")
    assert picture and controls and not shown
    assert "activate JavaScript" in firefox.evaluate(WITHOUT_SCRIPTS, f"{site}/search.html")[3]


def test_text_spacing_on_a_small_screen(firefox, site):
    """WCAG's spacing at 320 px: nothing scrolls sideways but what does so by itself."""
    firefox.goto(f"{site}/{CHAPTER}.html")
    firefox.resize(320, 640)
    firefox.evaluate(
        "text => { document.head.appendChild(document.createElement('style')).textContent = text; }", SPACING
    )
    width = firefox.evaluate("() => document.documentElement.scrollWidth")
    firefox.resize(1280, 800)
    assert width <= 320


def test_from_a_disk(firefox, unpacked):
    """The unpacked zip: explorer, formulas and search."""
    firefox.goto(f"{unpacked}/{CHAPTER}.html")
    firefox.wait_for(READY)
    firefox.evaluate("() => window.MathJax.startup.promise.then(() => true)")
    before = firefox.evaluate(SEEN, 0)
    firefox.press(firefox.evaluate(FOCUS, 0))
    firefox.wait_for(f"(k, old) => ({SEEN})(k)[0] !== old", 0, before[0])
    firefox.goto(f"{unpacked}/search.html?q=Hessian")
    firefox.wait_for(FINISHED)
    assert len(firefox.evaluate(RESULTS)) == 3


def test_without_storage(tmp_path, site):
    with started(tmp_path, {"dom.storage.enabled": False}) as browser:
        browser.goto(f"{site}/{CHAPTER}.html")
        browser.wait_for(READY)
        browser.goto(f"{site}/search.html?q=Hessian")
        browser.wait_for(FINISHED)
        assert len(browser.evaluate(RESULTS)) == 3


def test_with_the_readers_own_colours(tmp_path, site):
    """Forced colours: the picture keeps its own, controls are there and move it, the page one is on has a border."""
    with started(tmp_path, {"browser.display.document_color_use": 2}) as browser:
        browser.goto(f"{site}/{CHAPTER}.html")
        browser.wait_for(READY)
        assert browser.evaluate("() => matchMedia('(forced-colors: active)').matches")
        style = "(what, name) => getComputedStyle(document.querySelector(what))[name]"
        assert browser.evaluate(style, ".bd-sidebar-primary [aria-current=page]", "borderInlineStartWidth") == "3px"
        assert browser.evaluate(style, ".nntk-picture", "forcedColorAdjust") == "none"
        before = browser.evaluate(SEEN, 0)
        browser.press(browser.evaluate(FOCUS, 0))
        browser.wait_for(f"(k, old) => ({SEEN})(k)[0] !== old", 0, before[0])
