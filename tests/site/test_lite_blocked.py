"""JupyterLite says when Python's address, the only one that is not the site's, cannot be reached."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.browser

PLACE = "lite/lab/index.html"
LINE = "[role=alert]"


def opened(browser, site, reachable: bool):
    """JupyterLite's page, and what it asked of other addresses."""
    context, asked = browser.new_context(), []

    def answer(route):
        if route.request.url.startswith((site, "data:", "blob:")):
            route.continue_()
        else:
            asked.append(route.request.url)
            route.fulfill(status=200, body="") if reachable else route.abort()

    context.route("**/*", answer)
    page = context.new_page()
    page.goto(f"{site}/{PLACE}", wait_until="domcontentloaded")
    return context, page, asked


def test_a_blocked_address_is_said(browser, site):
    context, page, asked = opened(browser, site, reachable=False)
    page.locator(LINE).wait_for()
    assert "cdn.jsdelivr.net is out of reach" in page.locator(LINE).inner_text()
    assert {url.split("/")[2] for url in asked} == {"cdn.jsdelivr.net"}
    page.locator(LINE).get_by_role("button", name="Close").click()
    assert not page.locator(LINE).count()
    context.close()


def test_nothing_is_said_where_it_is_reached(browser, site):
    context, page, asked = opened(browser, site, reachable=True)
    page.wait_for_function("() => performance.getEntriesByType('resource').some(e => e.name.includes('jsdelivr'))")
    page.wait_for_timeout(500)
    assert asked and not page.locator(LINE).count()
    context.close()
