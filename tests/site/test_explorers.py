"""Every control of every explorer, on the downloaded page with the network off: the picture must change."""

from __future__ import annotations

from itertools import pairwise

import pytest
from asked import RESET
from sources import PAGES, calls, name_of

pytestmark = pytest.mark.browser

WITH_EXPLORERS = ["book/" + name_of(path) for path in PAGES if calls(path, "explorer")]
# Of formulas nothing is tested here, and to set them takes longer than to try the controls of a page.
NO_FORMULAS = """document.addEventListener('readystatechange', () =>
  document.querySelectorAll('.math').forEach(e => e.classList.remove('math')), {once: true})"""
PICTURE = """figure => {
  const image = figure.querySelector('.nntk-picture img');
  return image ? image.src : figure.querySelector('.nntk-picture').innerHTML;
}"""
STATE = """figure => ({
  values: [...figure.querySelectorAll('[data-param]')].map(e => e.value),
  outputs: [...figure.querySelectorAll('output')].map(e => e.textContent),
  spoken: [...figure.querySelectorAll('input[type=range]')].map(e => e.getAttribute('aria-valuetext')),
  readout: figure.querySelector('.nntk-readout').textContent,
})"""


@pytest.fixture(scope="module", params=WITH_EXPLORERS)
def offline(request, open_page, unpacked):
    """One page with explorers of the downloaded book, opened as a file with the network off."""
    with open_page(request.param, unpacked, NO_FORMULAS) as page:
        page.wait_for_function(
            "() => [...document.querySelectorAll('.nntk-explorer')].every(e => e.dataset.ready === 'true')"
        )
        page.clock.install(time=0)  # play buttons advance when a test says so
        page.clock.pause_at(1000)
        yield page


def explorers(page):
    found = page.locator("figure.nntk-explorer")
    return [found.nth(i) for i in range(found.count())]


def controls(page, selector):
    """(explorer, control) for every control of a kind on the page."""
    for figure in explorers(page):
        found = figure.locator(selector)
        yield from ((figure, found.nth(i)) for i in range(found.count()))


def reset(page):
    """Put every control back to where the page starts."""
    page.evaluate(RESET)


def test_explorers_are_complete(offline):
    """Each has visible, labelled controls, a readout that is announced, a description and a caption."""
    assert explorers(offline)
    for figure in explorers(offline):
        assert figure.locator("[data-param]").count() >= 1
        for control in figure.locator("[data-param], .nntk-button").all():
            assert control.is_visible() and control.is_enabled()
        assert figure.locator("[aria-live]").count() >= 1
        assert len(figure.locator("figcaption").inner_text()) >= 20
        picture = figure.locator(".nntk-picture")
        alt = picture.get_attribute("aria-label") or picture.locator("img").get_attribute("alt")
        assert len(alt) >= 40


def test_sliders_by_keyboard(offline):
    """From Home, one arrow key at a time: value, output, announced text and picture change."""
    for figure, slider in controls(offline, "input[type=range]"):
        reset(offline)
        slider.focus()
        offline.keyboard.press("Home")
        pictures, states = [figure.evaluate(PICTURE)], [figure.evaluate(STATE)]
        for _ in range(int(slider.get_attribute("max"))):
            offline.keyboard.press("ArrowRight")
            pictures.append(figure.evaluate(PICTURE))
            states.append(figure.evaluate(STATE))
        name = f"{figure.get_attribute('id')}, {slider.get_attribute('data-param')}"
        for key in ("values", "outputs", "spoken"):
            assert all(a[key] != b[key] for a, b in pairwise(states)), f"{name}: {key} stuck"
        different = len(set(pictures))
        assert different > len(pictures) / 2, f"{name}: {different} pictures for {len(pictures)} values"
        offline.keyboard.press("Home")
        assert figure.evaluate(PICTURE) == pictures[0], f"{name}: another picture for the same values"


def test_sliders_by_mouse(offline):
    """A click near each end of the track, and a drag between them."""
    for figure, slider in controls(offline, "input[type=range]"):
        reset(offline)
        slider.scroll_into_view_if_needed()
        box = slider.bounding_box()
        height = box["y"] + box["height"] / 2
        offline.mouse.click(box["x"] + 3, height)
        low = (slider.input_value(), figure.evaluate(PICTURE))
        offline.mouse.click(box["x"] + box["width"] - 3, height)
        high = (slider.input_value(), figure.evaluate(PICTURE))
        assert low[0] == "0" and high[0] == slider.get_attribute("max")
        assert low[1] != high[1], f"{figure.get_attribute('id')}: the ends show one picture"
        offline.mouse.move(box["x"] + box["width"] - 8, height)
        offline.mouse.down()
        offline.mouse.move(box["x"] + 3, height, steps=5)
        offline.mouse.up()
        assert (slider.input_value(), figure.evaluate(PICTURE)) == low


def test_choices_by_keyboard_and_pointer(offline):
    for figure, choice in controls(offline, "select"):
        reset(offline)
        values = choice.locator("option").count()
        choice.focus()
        for _ in range(values):
            offline.keyboard.press("ArrowUp")
        pictures = [figure.evaluate(PICTURE)]
        for _ in range(values - 1):
            offline.keyboard.press("ArrowDown")
            pictures.append(figure.evaluate(PICTURE))
        assert len(set(pictures)) == values, f"{figure.get_attribute('id')}: two choices, one picture"
        for i in range(values):
            choice.select_option(index=i)
            assert figure.evaluate(PICTURE) == pictures[i]


@pytest.mark.parametrize("way", ["mouse", "keyboard"])
def test_play_and_pause(offline, way):
    """Play moves its slider and the picture; a second press stops it; at the end it stops by itself."""
    for figure, button in controls(offline, "button.nntk-button"):
        reset(offline)
        slider = offline.locator(f"[id='{button.get_attribute('aria-controls')}']")
        slider.focus()
        offline.keyboard.press("Home")
        pictures, interval = [figure.evaluate(PICTURE)], int(button.get_attribute("data-interval"))
        last = int(slider.get_attribute("max"))
        press(offline, button, way)
        for _ in range(last - 1):
            assert button.get_attribute("aria-pressed") == "true"
            offline.clock.run_for(interval)
            pictures.append(figure.evaluate(PICTURE))
        assert len(set(pictures)) > len(pictures) / 2, "the picture does not follow"
        press(offline, button, way)
        assert button.get_attribute("aria-pressed") == "false"
        offline.clock.run_for(3 * interval)
        assert slider.input_value() == str(last - 1), "it moves after it was stopped"
        press(offline, button, way)
        offline.clock.run_for(3 * interval)
        assert slider.input_value() == str(last)
        assert button.get_attribute("aria-pressed") == "false", "it does not stop at the end"


def press(page, button, way):
    if way == "mouse":
        button.click()
    else:
        button.focus()
        page.keyboard.press("Space")
