"""Explorers: the grid of frames, the served page, the live widgets, and the errors an author meets."""

import json
import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest

from nntk_lib.book import explore, frames
from nntk_lib.book.explore import choice, explorer, play, slider
from nntk_lib.exceptions import NNTKError

STATIC = Path(__file__).parents[3] / "book" / "_static"
T = np.linspace(0, 1, 60)
WORDS = {"caption": "A caption with <em>stress</em> & signs <", "alt": 'A wave of "growing" height'}


def wave(gamma, shape):
    fig, ax = plt.subplots(figsize=(3, 2))
    ax.plot(T, gamma * getattr(np, shape)(6 * T), "o-", color="k", markevery=20, label="wave γ")
    ax.set_ylim(-2, 2)
    ax.legend(facecolor="white")
    return fig, f"height {gamma:.2f} </script><!--"


def cloud(k):
    fig, ax = plt.subplots(figsize=(3, 2))
    ax.scatter(*np.random.default_rng(k).normal(size=(2, 3000)), c=np.arange(3000), s=3)
    return fig


def params():
    return {"gamma": slider([0.5, 1.0, 1.5], "size γ", start=1.0), "shape": choice(["sin", "cos"], "shape")}


@pytest.fixture
def serving(monkeypatch):
    monkeypatch.setenv("NNTK_RENDER_FRAMES", "1")


@pytest.fixture(scope="module")
def served():
    """The explorer of `wave` as the book build makes it: (explorer, page, data of its script)."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NNTK_RENDER_FRAMES", "1")
        made = explorer(wave, params(), name="fig-wave", **WORDS)
    page = made._repr_mimebundle_()[0]["text/html"]
    return made, page, page_data(page)


def page_data(page):
    return json.loads(re.search(r'class="nntk-frames">(.*?)</script>', page, re.S)[1])


class Tags(HTMLParser):
    """Tags with their attributes, and the elements left open."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.open = [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in ("input", "img"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def attributes(self, name):
        return [attrs[name] for _, attrs in self.tags if name in attrs]


# the grid


def test_grid_runs_the_last_parameter_fastest_and_corners_are_its_extremes(served):
    made, _, _ = served
    rows = [tuple(values.values()) for values in made.grid()]
    assert rows == [(g, s) for g in (0.5, 1.0, 1.5) for s in ("sin", "cos")]
    assert made.frames == len(rows) == 6
    corners = [tuple(values.values()) for values in made.corners()]
    assert corners == [(g, s) for g in (0.5, 1.5) for s in ("sin", "cos")]
    assert made.defaults() == {"gamma": 1.0, "shape": "sin"}


def test_numpy_integers_stay_integers_and_numbers_become_floats():
    assert [type(v) for v in slider(np.array([16, 64]), "m").values] == [int, int]
    assert [type(v) for v in slider(np.array([1, 2.5]), "γ").values] == [float, float]


def test_real_numbers_are_shown_to_four_digits_and_integers_whole():
    assert slider([10**-1.5, 1.0], "γ").text(10**-1.5) == "0.03162"
    assert slider([16, 16384], "m").text(16384) == "16384"


def test_start_is_found_up_to_rounding():
    assert slider(10.0 ** np.arange(-3, 1), "γ", start=1e-3).start == 10.0**-3


# the served page


def test_every_frame_is_recovered_from_the_table(served):
    made, _, data = served
    ids = {}
    for values, indexes in zip(made.grid(), data["frames"], strict=True):
        expected = "\n".join(frames.figure_svg(made.draw_at(**values)[0], "fig-wave", ids))
        picture = frames.unpack(data["table"], indexes)
        assert picture == expected
        ElementTree.fromstring(picture)
    pictures = {frames.unpack(data["table"], indexes) for indexes in data["frames"]}
    assert len(pictures) == made.frames


def test_lines_that_frames_share_are_stored_once(served):
    _, _, data = served
    assert len(set(data["table"])) == len(data["table"])
    assert len(data["table"]) < 0.5 * sum(map(len, data["frames"]))


def test_page_shows_the_default_frame_before_any_script(served):
    made, page, data = served
    at = list(made.grid()).index(made.defaults())
    assert 'class="nntk-picture" role="img"' in page
    picture = page.split("<script")[0]
    assert frames.unpack(data["table"], data["frames"][at]) in picture
    assert "size γ: 1, shape: sin. height 1.00 &lt;/script&gt;&lt;!--" in picture


def test_page_is_well_formed_labelled_and_described(served):
    _, page, data = served
    tags = Tags(page)
    assert tags.open == []
    by_id = {attrs["id"]: (tag, attrs) for tag, attrs in tags.tags if "id" in attrs}
    for label in tags.attributes("for"):
        assert label in by_id
    assert by_id["fig-wave-gamma"][0] == "input" and by_id["fig-wave-shape"][0] == "select"
    assert by_id["fig-wave-gamma"][1]["aria-valuetext"] == "1"
    assert by_id["fig-wave-gamma"][1]["value"] == "1" and by_id["fig-wave-gamma"][1]["max"] == "2"
    assert WORDS["alt"] in tags.attributes("aria-label")
    assert "A caption with <em>stress</em> &amp; signs &lt;" in page
    assert data["values"] == [["0.5", "1", "1.5"], ["sin", "cos"]]
    assert data["readouts"][0] == "size γ: 0.5, shape: sin. height 0.50 </script><!--"
    assert page.count("</script>") == 1 and "<!--" not in page
    assert not re.search(r"\son\w+=", page)


def test_two_explorers_share_no_id_and_every_reference_resolves(serving, served):
    other = explorer(wave, params(), name="fig-other", **WORDS)._repr_mimebundle_()[0]["text/html"]
    pages = [page.split("<script")[0] for page in (served[1], other)]
    ids = [Tags(page).attributes("id") for page in pages]
    assert len(set(ids[0] + ids[1])) == len(ids[0]) + len(ids[1])
    for data in (served[2], page_data(other)):
        for indexes in data["frames"]:
            picture = frames.unpack(data["table"], indexes)
            targets = re.findall(r'href="#([^"]*)"|url\(#([^)]*)\)', picture)
            assert targets
            assert {a or b for a, b in targets} <= set(re.findall(r'id="([^"]*)"', picture))


def test_rendering_is_deterministic(serving, served):
    plt.close(wave(1.0, "sin")[0])
    again = explorer(wave, params(), name="fig-wave", **WORDS)
    assert again._repr_mimebundle_() == served[0]._repr_mimebundle_()


def test_svg_takes_the_colours_of_the_page_and_keeps_its_text(served):
    picture = frames.unpack(served[2]["table"], served[2]["frames"][0])
    assert "#000000" not in picture and "#ffffff" not in picture
    assert "stroke:currentColor" in picture and "var(--nntk-paper,#fff)" in picture
    assert ">wave γ</text>" in picture and "<style" not in picture


def test_scatter_of_thousands_is_served_as_webp_and_a_line_as_svg(serving, served):
    made = explorer(cloud, {"k": play(range(3), "step k")}, name="fig-cloud", **WORDS)
    page = made._repr_mimebundle_()[0]["text/html"]
    data = page_data(page)
    assert 'data-format="webp"' in page and 'data-format="svg"' in served[1]
    pictures = [frames.unpack(data["table"], indexes) for indexes in data["frames"]]
    assert len(set(pictures)) == 3
    assert all(picture.startswith("data:image/webp;base64,") for picture in pictures)
    (image,) = [attrs for tag, attrs in Tags(page).tags if tag == "img"]
    assert image["src"] == pictures[0] and image["alt"] == WORDS["alt"]


def test_play_button_is_labelled_and_not_started(serving):
    made = explorer(wave_at, {"k": play(range(3), "step k", interval=250)}, name="fig-play", **WORDS)
    (button,) = [a for tag, a in Tags(made._repr_mimebundle_()[0]["text/html"]).tags if tag == "button"]
    assert button["aria-pressed"] == "false" and button["data-interval"] == "250"
    assert button["aria-controls"] == "fig-play-k" and "step k" in button["aria-label"]


def test_served_face_creates_no_widget(serving, monkeypatch):
    monkeypatch.setitem(sys.modules, "ipywidgets", None)  # an import would raise
    made = explorer(wave_at, {"k": slider([1, 2], "k")}, name="fig-plain", **WORDS)
    assert set(made._repr_mimebundle_()[0]) == {"text/html", "image/png", "application/pdf", "text/plain"}


def test_text_cannot_close_the_script():
    text = '</script><!-- "x" </SCRIPT>'
    packed = frames.script_json([text])
    assert "</" not in packed and "<!--" not in packed
    assert json.loads(packed) == [text]


def test_mathtext_and_images_survive_as_valid_svg():
    fig, ax = plt.subplots()
    ax.imshow([[0, 1], [2, 3]], interpolation="none")
    ax.set_title(r"$\lambda_1^{-2}$ of a matrix")
    plt.close(fig)
    root = ElementTree.fromstring("\n".join(frames.figure_svg(fig, "fig-a", {})))
    assert "λ" in "".join(root.itertext())
    (image,) = root.iter("image")
    assert image.get("href").startswith("data:image/png;base64,iVBOR")
    assert not re.search(r"\s", image.get("href"))


# the script, on a page that loads it twice as the theme does


@pytest.fixture
def open_page(browser, serving, served, tmp_path):
    """Open the explorer `wave` and one with a play button from a file, in a window of the given width."""
    play_k = {"k": play(range(4), "step k", start=2, interval=40)}
    moving = explorer(wave_at, play_k, name="fig-play", **WORDS)
    script = f'<script src="{(STATIC / "explore.js").as_uri()}"></script>'
    style = f'<link rel="stylesheet" href="{(STATIC / "explore.css").as_uri()}">'
    style += f'<link rel="stylesheet" media="print" href="{(STATIC / "print.css").as_uri()}">'
    body = served[1] + moving._repr_mimebundle_()[0]["text/html"]
    page_file = tmp_path / "page.html"
    page_file.write_text(f'<!doctype html><meta charset="utf-8">{style}{script}{script}{body}', "utf-8")
    errors = []

    def opened(width=1280):
        page = browser.new_page(viewport={"width": width, "height": 800})
        page.on("pageerror", lambda error: errors.append(error))
        page.goto(page_file.as_uri())
        return page

    yield opened
    assert errors == []


@pytest.mark.browser
def test_keyboard_reaches_every_frame(open_page, served):
    page = open_page()
    made, _, data = served
    seen = []
    for step in range(3):
        page.locator("#fig-wave-gamma").press("ArrowRight" if step else "Home")
        for shape in ("sin", "cos"):
            page.locator("#fig-wave-shape").select_option(label=shape)
            seen.append(page.locator("#fig-wave .nntk-readout").text_content())
            picture = page.locator("#fig-wave .nntk-picture").inner_html()
            shown = ElementTree.fromstring("\n".join(data["table"][i] for i in data["frames"][len(seen) - 1]))
            assert ElementTree.canonicalize(picture) == ElementTree.canonicalize(ElementTree.tostring(shown))
            assert page.locator("#fig-wave-gamma").get_attribute("aria-valuetext") == data["values"][0][step]
            assert page.locator("#fig-wave output").text_content() == data["values"][0][step]
    assert seen == data["readouts"] and len(set(seen)) == made.frames
    page.close()


@pytest.mark.browser
def test_play_runs_to_the_end_stops_and_starts_over(open_page):
    page = open_page()
    button, control = page.locator("#fig-play .nntk-button"), page.locator("#fig-play-k")
    readout = page.locator("#fig-play .nntk-readout")
    page.evaluate("""() => {
        window.seen = [];
        const note = () => window.seen.push(document.querySelector("#fig-play .nntk-readout").textContent);
        new MutationObserver(note).observe(document.querySelector("#fig-play .nntk-readout"), {childList: true});
    }""")
    for start in (["step k: 3"], [f"step k: {k}" for k in range(4)]):
        page.evaluate("window.seen.length = 0")
        button.click()
        page.wait_for_function("document.querySelector('#fig-play .nntk-button').ariaPressed === 'false'")
        assert page.evaluate("window.seen") == start
        assert control.input_value() == "3" and readout.get_attribute("aria-live") == "polite"
    page.close()


@pytest.mark.browser
def test_moving_the_slider_stops_the_play(open_page):
    page = open_page()
    page.clock.install(time=0)
    page.clock.pause_at(1000)
    control, button = page.locator("#fig-play-k"), page.locator("#fig-play .nntk-button")
    control.press("Home")
    button.press("Space")
    page.clock.run_for(40)
    assert control.input_value() == "1" and button.get_attribute("aria-pressed") == "true"
    control.press("Home")
    page.clock.run_for(400)
    assert control.input_value() == "0" and button.get_attribute("aria-pressed") == "false"
    page.close()


@pytest.mark.browser
def test_on_a_phone_nothing_overflows_and_targets_are_large(open_page):
    page = open_page(390)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    for target in page.locator(".nntk-explorer :is(input, select, button)").all():
        assert target.bounding_box()["height"] >= 44
    picture = page.locator("#fig-wave svg").bounding_box()
    assert picture["width"] > 300 and picture["height"] == pytest.approx(picture["width"] * 2 / 3, rel=0.02)
    page.close()


@pytest.mark.browser
def test_paper_shows_the_picture_without_controls(open_page):
    page = open_page()
    page.emulate_media(media="print")
    assert page.locator("#fig-wave svg").first.is_visible()
    assert not page.locator("#fig-wave-gamma").is_visible() and page.locator("#fig-wave figcaption").is_visible()
    page.close()


# the live widgets


def wave_at(k):
    return wave(float(k), "sin")[0]


def live(draw, controls):
    box = explorer(draw, controls, name="fig-live", **WORDS).widget()
    widgets, stack = [], [box]
    while stack:
        widget = stack.pop(0)
        widgets.append(widget)
        stack.extend(getattr(widget, "children", ()))
    found = {type(widget).__name__: widget for widget in reversed(widgets)}
    picture, readout, _caption = [widget for widget in widgets if type(widget).__name__ == "HTML"]
    return {**found, "picture": picture, "readout": readout}, widgets


def test_moving_a_live_control_redraws_picture_and_readout():
    found, _ = live(wave, params())
    picture, readout = found["picture"], found["readout"]
    before = picture.value
    (image,) = [attrs for tag, attrs in Tags(before).tags if tag == "img"]
    assert image["alt"] == WORDS["alt"] and (image["width"], image["height"]) == ("288", "192")  # 3 x 2 inches
    found["FloatSlider"].value = 0.73  # between the served values
    assert picture.value != before and "data:image/png;base64,iVBOR" in picture.value
    assert "size γ: 0.73" in readout.value and "height 0.73" in readout.value
    before = picture.value
    found["Dropdown"].value = "cos"
    assert picture.value != before and "shape: cos" in readout.value


def test_live_bundle_has_widget_and_picture_and_no_output_widget():
    made = explorer(wave, params(), name="fig-live", **WORDS)
    bundle = made._repr_mimebundle_()[0]
    assert set(bundle) == {"application/vnd.jupyter.widget-view+json", "image/png", "text/plain"}
    assert bundle["text/plain"] == "Explorer('fig-live', gamma, shape: 6 frames)"
    _, widgets = live(wave, params())
    assert not {"Output", "Image"} & {type(widget).__name__ for widget in widgets}


def test_error_for_a_live_value_is_shown_and_the_control_stays_alive():
    def draw(k):
        fig = wave_at(k)
        if k > 1.5:
            raise NNTKError("gamma <too> small")
        return fig

    found, _ = live(draw, {"k": slider([1.0, 2.0], "k")})
    before, figures = found["picture"].value, plt.get_fignums()
    found["FloatSlider"].value = 1.9
    assert "NNTKError: gamma &lt;too&gt; small" in found["readout"].value
    assert found["picture"].value == before and plt.get_fignums() == figures
    found["FloatSlider"].value = 1.4
    assert "NNTKError" not in found["readout"].value and found["picture"].value != before


@pytest.mark.parametrize(
    ("control", "kind"),
    [
        (slider([1, 2, 3], "k"), "IntSlider"),
        (slider([1, 4, 16], "m"), "SelectionSlider"),
        (slider([0.01, 1.0], "k", log=True), "FloatLogSlider"),
        (slider([0.1, 1.0], "k"), "FloatSlider"),
        (slider([0.1, 1.0], "k", listed=True), "SelectionSlider"),
        (choice([1, 2], "k"), "Dropdown"),
    ],
)
def test_each_kind_of_values_has_its_widget(control, kind):
    found, _ = live(wave_at, {"k": control})
    assert found[kind].value == pytest.approx(control.start)
    assert found[kind].description == control.label


@pytest.mark.parametrize(("values", "log"), [([0.01, 0.1, 1.5], True), ([0.0, 0.3, 0.7], False)])
def test_the_start_is_a_step_of_the_slider(values, log):
    control = slider(values, "γ", start=values[1], log=log)
    found, _ = live(wave_at, {"k": control})
    widget = found["FloatLogSlider" if log else "FloatSlider"]
    steps = ((np.log10(widget.value) if log else widget.value) - widget.min) / widget.step
    assert steps == pytest.approx(round(steps)) and 190 < (widget.max - widget.min) / widget.step < 210
    assert values[0] < control.between < values[1]


def test_only_real_numbers_that_are_not_a_list_have_values_between():
    controls = {"m": slider([1, 4], "m"), "k": play([0, 1], "k"), "c": choice(["a", "b"], "c")}
    controls["b"] = slider([0.5, 1.0], "β", listed=True)
    made = explorer(lambda **values: wave_at(1), controls, name="fig-whole", **WORDS)
    assert made.between() == made.defaults()


def test_play_moves_its_slider_and_the_picture():
    found, _ = live(wave_at, {"k": play(range(1, 6, 2), "step k")})
    before = found["picture"].value
    found["Play"].value = 3
    assert found["IntSlider"].value == 3 and found["picture"].value != before
    assert found["Play"].step == 2 and found["Play"].max == 5


def test_without_ipywidgets_the_picture_remains(monkeypatch):
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    made = explorer(wave, params(), name="fig-live", **WORDS)
    assert set(made._repr_mimebundle_()[0]) == {"image/png", "text/plain"}


# drawing


def test_drawing_leaves_no_figure_open_and_registers_the_explorer():
    kept = plt.figure()
    made = explorer(wave, params(), name="fig-kept", **WORDS)
    made.draw_at(gamma=0.5)
    assert plt.get_fignums() == [kept.number]
    assert explore.created["fig-kept"] is made
    plt.close(kept)


def test_draw_that_fails_fails_the_cell_and_leaves_nothing_behind():
    def draw(k):
        plt.subplots()
        raise RuntimeError("no picture")

    with pytest.raises(RuntimeError, match="no picture"):
        explorer(draw, {"k": slider([1, 2], "k")}, name="fig-broken", **WORDS)
    assert plt.get_fignums() == [] and "fig-broken" not in explore.created


def test_a_frame_that_fails_fails_the_cell_of_the_build(serving):
    def draw(k):
        if k == 2:
            raise RuntimeError("frame 2")
        return wave_at(k)

    with pytest.raises(RuntimeError, match="frame 2"):
        explorer(draw, {"k": slider([1, 2, 3], "k")}, name="fig-broken", **WORDS)


# errors


def test_too_many_frames_are_counted_in_the_message():
    many = {"a": slider(range(11), "a"), "b": slider(range(11), "b")}
    with pytest.raises(NNTKError, match=r"11 x 11 = 121 frames, at most 120.*fewer values"):
        explorer(wave_at, many, name="fig-many", **WORDS)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: slider([1.0], "γ"), "'γ' needs two or more finite, strictly increasing"),
        (lambda: slider([2.0, 1.0], "γ"), "strictly increasing"),
        (lambda: slider([1.0, np.nan], "γ"), "finite"),
        (lambda: slider([1.0, 2.0], "γ", start=1.5), "start 1.5 is not one of"),
        (lambda: slider([0.0, 1.0], "γ", log=True), "log=True needs positive"),
        (lambda: play([0.0, 0.5], "k"), "evenly spaced integers"),
        (lambda: play([0, 1, 3], "k"), "evenly spaced integers"),
        (lambda: choice(["a", "a"], "c"), "different texts"),
        (lambda: choice(["a", "b"], "c", start="d"), "'d' is not one of"),
    ],
)
def test_controls_name_what_is_wrong(make, message):
    with pytest.raises(NNTKError, match=message):
        make()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "Fig 1"}, "lower-case letters"),
        ({"alt": " "}, "caption and an alt text"),
        ({"caption": "an <em>open"}, "needs its </em>"),
        ({"params": {"k": [1, 2]}}, "slider"),
        ({"params": {}}, "slider"),
        ({"draw": lambda k: None}, "must return a Figure or .*NoneType"),
    ],
)
def test_explorer_names_what_is_wrong(change, message):
    given = {"draw": wave_at, "params": {"k": slider([1, 2], "k")}, "name": "fig-x", **WORDS, **change}
    with pytest.raises(NNTKError, match=message):
        explorer(**given)


def test_draw_at_refuses_a_parameter_it_does_not_have(served):
    with pytest.raises(NNTKError, match=r"no parameter \['beta'\]; it has \['gamma', 'shape'\]"):
        served[0].draw_at(beta=1)


def test_style_of_the_reader_is_not_changed(served):
    before = dict(matplotlib.rcParams)
    frames.figure_svg(served[0].draw_at()[0], "fig-rc", {})
    assert dict(matplotlib.rcParams) == before
