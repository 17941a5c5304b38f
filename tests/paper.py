"""A page as it is printed from a dark screen."""

from __future__ import annotations

PAPER = {"width": 673, "height": 971}  # CSS pixels between the margins of A4
OUTSIDE = """() => [...document.querySelectorAll('article :is(mjx-container, pre, img, svg, table)')]
  .filter(e => e.getClientRects().length && e.getBoundingClientRect().right > innerWidth + 1)
  .map(e => e.outerHTML.slice(0, 120))"""


def put_on_paper(page) -> None:
    page.emulate_media(color_scheme="dark")
    page.wait_for_function("() => document.documentElement.dataset.theme === 'dark'")
    page.set_viewport_size(PAPER)
    page.emulate_media(media="print", color_scheme="dark")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")


def cut_off(page) -> list[str]:
    """What runs off the paper."""
    return page.evaluate(OUTSIDE)
