"""One look for the whole book: a method has the same colour, marker and line everywhere.

The colours start from the palette of Okabe and Ito; they are kept where they have a contrast of at least
3 to 1 on a white page and on a dark one, darkened where they do not. Colour is never the only sign: every
method has a marker and a line style of its own. Sizes are chosen for a figure 5 inches wide, which a
phone of 390 px shows at nearly the size of its text.
"""

from __future__ import annotations

import itertools
import sys

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, SymLogNorm
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from ..exceptions import NNTKError, NonFiniteError
from .frames import figure_svg

METHODS: dict[str, dict[str, str]] = {
    "gradient-descent": {"color": "#0072b2", "marker": "o", "linestyle": "-", "label": "gradient descent"},
    "gradient-flow": {"color": "#2b8ac9", "marker": "", "linestyle": ":", "label": "gradient flow"},
    "gauss-newton": {"color": "#009e73", "marker": "s", "linestyle": "--", "label": "Gauss-Newton"},
    "gram-gauss-newton": {"color": "#b8860b", "marker": "D", "linestyle": "-.", "label": "Gram-Gauss-Newton"},
    "levenberg-marquardt": {
        "color": "#a0522d",
        "marker": "v",
        "linestyle": (0, (3, 1)),
        "label": "Levenberg-Marquardt",
    },
    "momentum": {"color": "#4169c8", "marker": "<", "linestyle": (0, (1, 1)), "label": "SGD with momentum"},
    "adam": {"color": "#c04a8a", "marker": "P", "linestyle": (0, (4, 1, 1, 1)), "label": "Adam"},
    "kfac": {"color": "#8a7a00", "marker": "X", "linestyle": (0, (6, 2, 2, 2)), "label": "K-FAC"},
    "newton": {"color": "#d55e00", "marker": "^", "linestyle": (0, (5, 1)), "label": "Newton"},
    "spring": {"color": "#7a68cc", "marker": ">", "linestyle": (0, (3, 1, 1, 1)), "label": "SPRING"},
}
LARGEST_SVG = 400_000  # characters
DIVERGING = "PuOr_r"  # orange positive, purple negative; told apart with every kind of colour vision
SEQUENTIAL = "cividis"
NEUTRAL = "#808080"  # guides, bounds, targets
# What is neither a method nor a guide (widths, batch sizes, data sets, libraries): in this order, by `series`.
SERIES = ("#8250a5", "#0f8a8a", "#b4537c", "#6b7d1e", "#5867c3", "#9a6324")
MARKERS = "oDvsP*"

STYLE = {
    "figure.figsize": (5.0, 3.2),
    "figure.constrained_layout.use": True,
    "figure.dpi": 110,
    "savefig.dpi": 160,
    "font.size": 11,
    "axes.titlesize": 11,
    "xtick.labelsize": 10,
    "ytick.labelsize": 10,
    "legend.fontsize": 10,
    "legend.frameon": False,
    "axes.formatter.use_mathtext": False,
    "lines.linewidth": 1.8,
    "lines.markersize": 5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": NEUTRAL,
    "grid.alpha": 0.3,
    "axes.prop_cycle": plt.cycler(color=[m["color"] for m in METHODS.values()]),
    "image.cmap": SEQUENTIAL,
}


def use_style() -> None:
    """Set Matplotlib's defaults to the book's; the first cell of every chapter calls it.

    In a notebook a figure is shown as SVG in the colours of its page, light or dark; its PNG is for paper.
    """
    plt.rcParams.update(STYLE)
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    if shell is not None:
        shell.display_formatter.formatters["text/html"].for_type(Figure, figure_html)


_shown_figures = itertools.count(1)  # a page's pictures share its names
behind_legends: list[str] = []  # what lies behind legends of the figures shown so far; for the tests


def figure_html(figure: Figure) -> str | None:
    """The figure as SVG that takes the page's colours; nothing when its PNG is far smaller (a large image)."""
    behind_legends.extend(covered_by_legends(figure))
    text = "\n".join(figure_svg(figure, f"f{next(_shown_figures)}", {}))
    width = round(96 * figure.get_size_inches()[0])
    picture = f'<div class="nntk-picture" style="--nntk-width:{width}px">{text}</div>'
    return picture if len(text) < LARGEST_SVG else None


def style(method: str, **extra) -> dict:
    """Keywords of ``ax.plot`` for a method; `extra` replaces single ones, such as ``label=None``."""
    if method not in METHODS:
        raise NNTKError(f"no method {method!r}: one of {', '.join(METHODS)} is needed")
    return {**METHODS[method], **extra}


def series(number: int, **extra) -> dict:
    """Keywords of ``ax.plot`` for the curve of that number among curves that are not methods."""
    number %= len(SERIES)
    return {"color": SERIES[number], "marker": MARKERS[number], **extra}


def legend(*axes: Axes, ncols: int | None = None, **options) -> None:
    """The legend of one or more axes in rows above the first (left) one, where no data can be.

    Entries that several axes have stand once. `ncols` is 3 unless given; a legend inside the axes is Matplotlib's own.
    """
    entries: dict[str, object] = {}
    for ax in axes:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            entries.setdefault(label, handle)
    place = {"loc": "lower left", "bbox_to_anchor": (-0.02, 1.0), "borderaxespad": 0.2, "columnspacing": 1.2}
    axes[0].legend(entries.values(), entries.keys(), ncols=ncols or min(3, len(entries)), **(place | options))


def covered_by_legends(figure) -> list[str]:
    """The curves, points and bars that lie behind a legend of the figure, which should be none."""
    figure.canvas.draw()
    found = []
    for ax in figure.axes:
        if (box := ax.get_legend()) is None:
            continue
        for other in figure.axes:
            inside = box.get_window_extent().padded(-2)
            found += [_name(artist) for artist in other.lines if _meets(_points(artist), inside, other, artist)]
            found += [_name(bar) for bar in other.patches if _reaches(bar, inside, other) and _shown(bar)]
            for cloud in other.collections:
                points = np.ma.filled(np.ma.asarray(cloud.get_offsets(), float), np.nan)
                if len(points) > 1 and inside.count_contains(cloud.get_offset_transform().transform(points)):
                    found.append(_name(cloud))
    return found


def _reaches(bar, box: Bbox, axes: Axes) -> bool:
    """Whether a bar or a filled area, as far as its axes show it, overlaps a box."""
    seen = bar.get_window_extent()
    if bar.get_clip_on():
        seen = Bbox.intersection(seen, axes.bbox)
    return seen is not None and bool(seen.overlaps(box))


def _points(line) -> np.ndarray:
    """The points of a line in pixels, its straight pieces filled in."""
    points = line.get_transform().transform(np.ma.filled(np.ma.asarray(line.get_xydata(), float), np.nan))
    if line.get_linestyle() in ("None", "none", "", " ") or len(points) < 2:
        return points
    t = np.linspace(0, 1, 40)[:, None, None]
    return (points[:-1] + t * (points[1:] - points[:-1])).reshape(-1, 2)


def _meets(points, box, ax, line) -> bool:
    """Whether data are behind the box; guides (lines across the axes) may be."""
    guide = line.get_color() == NEUTRAL and len(line.get_xdata()) == 2
    points = points[np.isfinite(points).all(1)]
    frame = ax.get_window_extent()
    seen = points[((points >= frame.min) & (points <= frame.max)).all(1)]
    return bool(not guide and _shown(line) and len(seen) and box.count_contains(seen))


def _shown(artist) -> bool:
    return bool(artist.get_visible() and artist.get_alpha() != 0)


def _name(artist) -> str:
    return f"{type(artist).__name__} {artist.get_label()!r}"


def power_label(value: float, _position=None) -> str:
    """A power of ten in Unicode, 0.001 as 10⁻³, and empty for other numbers; an axis takes it as formatter."""
    if value == 0:
        return "0"
    exponent = np.log10(abs(value))
    if abs(exponent - round(exponent)) > 1e-6:
        return ""
    sign = "−" if value < 0 else ""
    return f"{sign}10" + str(round(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def semilogy_floor(ax: Axes, x, y, floor: float = 1e-16, **kwargs):
    """Plot y >= 0 on a logarithmic axis; what lies at or below `floor` is shown on it, hollow.

    An error that is exactly zero, or rounding noise, would vanish from a logarithmic axis or stretch it. A
    dotted line marks the floor, and the points lifted to it are marked, so as not to be taken for values.
    A NaN, infinite or negative y raises `NonFiniteError`.
    """
    x, y = np.asarray(x, float), np.asarray(y, float)
    if not np.isfinite(y).all() or (y < 0).any():
        raise NonFiniteError("semilogy_floor needs finite y >= 0, got a NaN, infinite or negative value")
    below = y <= floor
    (curve,) = ax.semilogy(x, np.maximum(y, floor), **{"markevery": list(np.flatnonzero(~below)), **kwargs})
    ax.yaxis.set_major_formatter(power_label)
    if below.any():
        ax.axhline(floor, color=NEUTRAL, linestyle=":", linewidth=1)
        look = {"color": curve.get_color(), "fillstyle": "none", "markersize": curve.get_markersize()}
        ax.plot(x[below], np.full(below.sum(), floor), "v", **look)
    return curve


def matrix_image(ax: Axes, M, *, decades: float = 3, limit: float | None = None, label: str = ""):
    """Draw a finite matrix with its signs: symmetric logarithmic colours, linear near zero.

    Told apart are `decades` powers of ten below `limit` (max |M| when not given; give it to compare
    pictures), what is smaller fades linearly to zero. A colour bar is drawn when it has a `label`.
    """
    M, limit = _matrix(M, limit)
    norm = SymLogNorm(limit * 10.0**-decades, linscale=0.5, vmin=-limit, vmax=limit)
    powers = _powers(limit, decades)
    return _image(ax, M, norm, DIVERGING, label, [*-powers[::-1], 0, *powers])


def magnitude_image(ax: Axes, M, *, decades: float = 6, limit: float | None = None, label: str = ""):
    """Draw |M| with logarithmic colours over `decades` below `limit`; what is smaller has the darkest."""
    M, limit = _matrix(M, limit)
    norm = LogNorm(limit * 10.0**-decades, limit, clip=True)
    return _image(ax, np.abs(M), norm, SEQUENTIAL, label, _powers(limit, decades))


def _matrix(M, limit):
    M = np.asarray(M, float)
    if M.ndim != 2 or not np.isfinite(M).all():
        raise NonFiniteError(f"a finite matrix is needed, got shape {M.shape}")
    return M, float(limit or np.abs(M).max() or 1.0)


def _powers(limit, decades):
    low, high = np.log10(limit) - decades, np.log10(limit)
    return 10.0 ** np.arange(np.floor(low) + 1, np.floor(high + 1e-9) + 1)


def _image(ax, M, norm, cmap, label, ticks):
    image = ax.imshow(M, norm=norm, cmap=cmap, interpolation="none")
    ax.grid(False)
    if label:
        bar = ax.figure.colorbar(image, ax=ax, label=label, shrink=0.9, ticks=ticks, format=power_label)
        bar.ax.minorticks_off()
    return image


def reference_slope(ax: Axes, x, y: float, exponent: float, label: str | None = None):
    """Draw the guide y (x / x[0])^exponent from x[0] to x[-1] on logarithmic axes.

    The number y is its height at ``x[0]``; `label` stands at its right end, "slope <exponent>" if not given.
    """
    ends = np.array([x[0], x[-1]], float)
    heights = y * (ends / ends[0]) ** exponent
    (guide,) = ax.loglog(ends, heights, color=NEUTRAL, linestyle="--", linewidth=1.2)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(power_label)
    text = f"slope {exponent:g}".replace("-", "−") if label is None else label
    place = {"xytext": (0, -5), "va": "top"} if exponent < 0 else {"xytext": (0, 5), "va": "bottom"}
    ax.annotate(text, (ends[1], heights[1]), textcoords="offset points", ha="right", **place)
    return guide
