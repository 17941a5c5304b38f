"""The book's look: contrast on white and dark pages, signs besides colour, and helpers that hide nothing."""

import re

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_hex, to_rgb

from nntk_lib.book import plotting
from nntk_lib.book.plotting import METHODS, style, use_style
from nntk_lib.exceptions import NNTKError, NonFiniteError


@pytest.fixture
def ax():
    with matplotlib.rc_context():
        use_style()
        fig, ax = plt.subplots()
        yield ax
        plt.close(fig)


def luminance(color):
    """Relative luminance of the WCAG 2 definition of contrast."""
    rgb = np.array(to_rgb(color))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


def contrast(a, b):
    low, high = sorted([luminance(a), luminance(b)])
    return (high + 0.05) / (low + 0.05)


def test_contrast_of_known_colours():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("page", ["#ffffff", "#121212"])
@pytest.mark.parametrize("method", METHODS)
def test_every_method_stands_out_on_light_and_dark_pages(method, page):
    assert contrast(METHODS[method]["color"], page) >= 3


@pytest.mark.parametrize("page", ["#ffffff", "#121212"])
def test_guides_stand_out_on_light_and_dark_pages(page):
    assert contrast(plotting.NEUTRAL, page) >= 3


def test_methods_differ_without_colour():
    assert len({method["marker"] for method in METHODS.values()}) == len(METHODS)
    assert len({str(method["linestyle"]) for method in METHODS.values()}) == len(METHODS)
    assert len({method["label"] for method in METHODS.values()}) == len(METHODS)
    assert len({method["color"] for method in METHODS.values()}) == len(METHODS)


def test_style_is_usable_by_plot_and_can_be_overridden(ax):
    (line,) = ax.plot([1, 2], [1, 2], **style("newton", label="two steps"))
    assert to_hex(line.get_color()) == METHODS["newton"]["color"]
    assert line.get_marker() == METHODS["newton"]["marker"] and line.get_label() == "two steps"
    assert METHODS["newton"]["label"] == "Newton"


def test_unknown_method_lists_those_there_are():
    with pytest.raises(NNTKError, match="'lbfgs'.*gradient-descent.*newton"):
        style("lbfgs")


def test_use_style_fits_a_phone(ax):
    width, _ = ax.figure.get_size_inches()
    points = matplotlib.rcParams["xtick.labelsize"] * 340 / (72 * width)  # 340 px: a phone's text column
    assert points >= 9
    assert ax.figure.get_layout_engine() is not None


def test_semilogy_floor_lifts_and_marks_what_lies_below(ax):
    curve = plotting.semilogy_floor(ax, [0, 1, 2, 3], [1.0, 1e-5, 1e-20, 0.0], floor=1e-16)
    np.testing.assert_array_equal(curve.get_ydata(), [1.0, 1e-5, 1e-16, 1e-16])
    _, line, marks = ax.lines
    np.testing.assert_array_equal(line.get_ydata(), [1e-16, 1e-16])
    np.testing.assert_array_equal(marks.get_xdata(), [2, 3])
    assert marks.get_fillstyle() == "none" and ax.get_yscale() == "log"


def test_what_is_lifted_has_no_other_marker(ax):
    curve = plotting.semilogy_floor(ax, [0, 1, 2, 3], [1.0, 1e-5, 1e-20, 0.0], floor=1e-16, **style("newton"))
    assert curve.get_markevery() == [0, 1]


def test_series_differ_from_methods_and_from_each_other():
    looks = [plotting.series(i) for i in range(6)]
    assert len({look["color"] for look in looks}) == len({look["marker"] for look in looks}) == 6
    assert not {look["color"] for look in looks} & {method["color"] for method in METHODS.values()}


@pytest.mark.parametrize("page", ["#ffffff", "#121212"])
@pytest.mark.parametrize("color", plotting.SERIES)
def test_series_stand_out_on_light_and_dark_pages(color, page):
    assert contrast(color, page) >= 3


def test_legends_over_data_are_found(ax):
    ax.plot([0, 1], [0, 1], label="diagonal")
    ax.legend(loc="upper right")
    assert plotting.covered_by_legends(ax.figure) == ["Line2D 'diagonal'"]
    ax.legend(loc="upper left")
    assert plotting.covered_by_legends(ax.figure) == []
    plotting.legend(ax)
    assert plotting.covered_by_legends(ax.figure) == []


def test_points_bars_and_flat_curves_behind_legends(ax):
    ax.plot([0, 1], [1, 1], label="flat")
    ax.set_ylim(0, 1.1)
    ax.legend(loc="upper center")
    assert plotting.covered_by_legends(ax.figure) == ["Line2D 'flat'"]
    ax.lines[0].remove()
    ax.scatter([0.5, 0.6], [1.02, 1.03], label="cloud")
    ax.legend(loc="upper center")
    assert len(plotting.covered_by_legends(ax.figure)) == 1


def test_what_the_axes_do_not_show_of_an_area_is_behind_no_legend(ax):
    ax.set_position([0.1, 0.1, 0.8, 0.6])
    ax.fill([0, 1, 1, 0], [0, 0, 3, 3], label="area")
    ax.set_ylim(0, 1)
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.05))
    assert plotting.covered_by_legends(ax.figure) == []
    ax.patches[0].set_clip_on(False)
    assert plotting.covered_by_legends(ax.figure) == ["Polygon 'area'"]


def test_a_figure_in_the_colours_of_the_page(ax):
    ax.plot([0, 1], [0, 1])
    text = plotting.figure_html(ax.figure)
    assert re.match(r'<div class="nntk-picture" style="--nntk-width:480px"><svg', text) and "currentColor" in text
    ids, again = (re.findall(r'id="([^"]+)"', html) for html in (text, plotting.figure_html(ax.figure)))
    assert len(ids) == len(set(ids)) and not set(ids) & set(again)


def test_semilogy_floor_draws_no_floor_when_nothing_lies_below(ax):
    plotting.semilogy_floor(ax, [0, 1], [1.0, 1e-5])
    assert len(ax.lines) == 1


@pytest.mark.parametrize("bad", [np.nan, np.inf, -1e-3])
def test_semilogy_floor_hides_no_bad_value(ax, bad):
    with pytest.raises(NonFiniteError, match="y >= 0"):
        plotting.semilogy_floor(ax, [0, 1], [1.0, bad])


def test_matrix_image_is_symmetric_about_zero(ax):
    image = plotting.matrix_image(ax, [[-2.0, 0.0], [1e-3, 2.0]], label="entry")
    below, middle, small, above = image.norm([-2.0, 0.0, 1e-3, 2.0])
    assert (below, middle, above) == pytest.approx((0, 0.5, 1))
    assert 0.5 < small < 0.6
    assert image.norm(-1e-3) + small == pytest.approx(1)
    ax.figure.canvas.draw()
    bar = ax.figure.axes[1]
    labels = [text.get_text() for text in bar.get_yticklabels()]
    assert labels == ["−10⁰", "−10⁻¹", "−10⁻²", "0", "10⁻²", "10⁻¹", "10⁰"]


def test_matrix_image_takes_a_common_limit_and_bears_a_zero_matrix(ax):
    assert plotting.matrix_image(ax, np.eye(2), limit=10).norm.vmax == 10
    image = plotting.matrix_image(ax, np.zeros((2, 2)))
    np.testing.assert_allclose(image.norm(image.get_array()), 0.5)
    with pytest.raises(NonFiniteError, match=r"shape \(3,\)"):
        plotting.matrix_image(ax, [1.0, 2.0, 3.0])


def test_magnitude_image_ignores_sign_and_shows_zero_as_the_smallest(ax):
    image = plotting.magnitude_image(ax, [[-1.0, 1.0], [0.0, 1e-3]], decades=6)
    np.testing.assert_allclose(image.norm(image.get_array()), [[1, 1], [0, 0.5]], atol=1e-12)


def test_reference_slope_has_the_slope_and_passes_through_the_anchor(ax):
    guide = plotting.reference_slope(ax, [10, 100, 1000], 2.0, -0.5)
    x, y = guide.get_data()
    assert (x[0], y[0]) == (10, 2)
    assert np.log(y[-1] / y[0]) / np.log(x[-1] / x[0]) == pytest.approx(-0.5)
    assert ax.texts[0].get_text() == "slope −0.5"


@pytest.mark.parametrize(
    ("value", "label"), [(1e-3, "10⁻³"), (-100.0, "−10²"), (1.0, "10⁰"), (0, "0"), (2.0, ""), (1e16, "10¹⁶")]
)
def test_power_label(value, label):
    assert plotting.power_label(value) == label
