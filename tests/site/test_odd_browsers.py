"""Browsers that store nothing, frames that may do nothing but run scripts, colours and spacing of the reader's own."""

from __future__ import annotations

import pytest
from asked import SPACING
from sources import MAIN, name_of

pytestmark = pytest.mark.browser

CHAPTER = "book/" + name_of(MAIN[0])
REFUSED = """() => {
  const get = () => { throw new DOMException("Access is denied for this document.", "SecurityError"); };
  for (const name of ["localStorage", "sessionStorage"]) {
    Object.defineProperty(window, name, { get, configurable: true });
  }
}"""
MISSING = """() => {
  for (const name of ["localStorage", "sessionStorage"]) {
    Object.defineProperty(window, name, { value: null, configurable: true });
  }
}"""


@pytest.mark.parametrize("storage", [REFUSED, MISSING], ids=["refused", "missing"])
def test_without_storage_everything_works(open_page, site, storage):
    """The theme's button, the search field and the results, and an explorer; no error, which the fixture looks for."""
    with open_page(CHAPTER, before=f"({storage})()") as page:
        modes = []
        for _ in range(3):
            page.locator(".theme-switch-button").first.click()
            modes.append(page.evaluate("() => document.documentElement.dataset.mode"))
        assert set(modes) == {"auto", "light", "dark"}
        page.wait_for_function("() => document.querySelector('.nntk-explorer').dataset.ready === 'true'")
        page.keyboard.press("Control+k")
        assert page.locator("#pst-search-dialog input").is_visible()
        page.goto(f"{site}/search.html?q=Hessian")
        page.locator("ul.search li").nth(5).wait_for()


def test_in_a_sandboxed_frame(browser, site):
    """As learning platforms show pages: scripts run, and nothing else is allowed; no script fails."""
    page, errors = browser.new_page(), []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"{site}/book/preface.html")
    page.evaluate(
        """address => {
          const frame = document.createElement("iframe");
          frame.setAttribute("sandbox", "allow-scripts");
          frame.src = address;
          document.body.replaceChildren(frame);
        }""",
        f"{site}/search.html?q=Hessian",
    )
    page.frame_locator("iframe").locator("ul.search li").nth(5).wait_for()
    page.close()
    assert not errors


def test_without_javascript(browser, site):
    """An explorer's first picture is there, without controls that would do nothing; the search says what it lacks."""
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{site}/{CHAPTER}.html")
    explorer = page.locator(".nntk-explorer").first
    assert explorer.locator(".nntk-picture img, .nntk-picture svg").first.is_visible()
    controls = explorer.locator("[data-param]").all()
    assert controls and not any(control.is_visible() for control in controls)
    page.goto(f"{site}/search.html")
    assert "activate JavaScript" in page.locator(".admonition").first.inner_text()
    context.close()


def test_excerpts_are_text(open_page, site):
    """Formulas of a page that are shown as text have neither delimiters nor backslashes."""
    with open_page("search") as page:
        page.goto(f"{site}/search.html?q=limit+kernel")
        page.locator("ul.search p.context").nth(3).wait_for()
        excerpts = page.locator("ul.search p.context").all_inner_texts()
    assert not [text for text in excerpts if "\\" in text or "$" in text]


def test_a_copied_example_is_code(open_page):
    """Neither prompts nor results of a docstring's example."""
    with open_page("book/appendix/library-methods") as page:
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        block = page.locator("div.highlight", has_text=">>> ").first
        block.hover()
        block.locator("button.copybtn").click()
        copied = page.evaluate("() => navigator.clipboard.readText()")
        lines = block.locator("pre").inner_text().splitlines()
    shown = [line[4:] for line in lines if line.startswith((">>> ", "... "))]
    assert copied.splitlines() == shown and len(shown) < len(lines)


def test_the_page_one_is_on(open_page):
    """It is told to screen readers, and by more than its weight where colours are the reader's own."""
    with open_page(CHAPTER) as page:
        entry = page.locator(".bd-sidebar-primary [aria-current=page]")
        assert entry.count() == 1
        assert entry.evaluate("e => e.href") == page.url + "#" or entry.get_attribute("href") == "#"
        page.emulate_media(forced_colors="active")
        assert entry.evaluate("e => getComputedStyle(e).borderInlineStartWidth") == "3px"


@pytest.mark.parametrize("name", [CHAPTER, "book/2-newton/02-exact-step"])
def test_text_spacing_on_a_small_screen(open_page, name):
    """WCAG's spacing at 320 px: nothing scrolls sideways but what does so by itself."""
    with open_page(name) as page:
        page.set_viewport_size({"width": 320, "height": 640})
        page.add_style_tag(content=SPACING)
        page.wait_for_timeout(300)
        assert page.evaluate("() => document.documentElement.scrollWidth") <= 320
