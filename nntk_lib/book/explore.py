"""Explorers: figures with controls that work on the page as it is served and compute live in a kernel.

An explorer is a function that draws one figure from its parameters, and the values each parameter may
take. Put it as the last expression of a cell; Jupyter asks the object for its faces and shows the
best one it can. In a live kernel these are ipywidgets over the continuous ranges. When the book is built
(environment variable ``NNTK_RENDER_FRAMES=1``) the frames over the grid of values are rendered and served
with native controls, see `nntk_lib.book.frames`, and no widget is created. A PNG of the default values
serves print.

Frames are rendered, or the default one drawn, when the explorer is made and not when it is shown: IPython
swallows what is raised while showing, and a cell whose explorer cannot be drawn must fail.
"""

from __future__ import annotations

import base64
import html
import itertools
import math
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from ..exceptions import NNTKError
from . import frames
from .controls import Control, choice, control_widget, play, slider

__all__ = ["Control", "Explorer", "choice", "created", "explorer", "play", "slider"]

MAX_FRAMES = 120
created: dict[str, Explorer] = {}  # the explorers of this process, the latest of each name; for the tests


@dataclass(eq=False)
class Explorer:
    """A figure with controls; made by `explorer`, shown by Jupyter through ``_repr_mimebundle_``."""

    draw: Callable
    params: dict[str, Control]
    caption: str
    alt: str
    name: str
    _bundle: dict[str, object] = field(default_factory=dict)
    _readout: str = ""

    def __repr__(self) -> str:
        return f"Explorer({self.name!r}, {', '.join(self.params)}: {self.frames} frames)"

    @property
    def frames(self) -> int:
        """Number of frames of the served page: the product of the numbers of values."""
        return math.prod(len(control.values) for control in self.params.values())

    def defaults(self) -> dict[str, object]:
        """The values the figure starts with."""
        return {key: control.start for key, control in self.params.items()}

    def grid(self) -> Iterator[dict[str, object]]:
        """All combinations of the values, the last parameter fastest: the order of the frames."""
        return self._combinations(control.values for control in self.params.values())

    def corners(self) -> Iterator[dict[str, object]]:
        """All combinations of the extremes (first and last value; every option of a choice)."""
        return self._combinations(control.ends for control in self.params.values())

    def between(self) -> dict[str, object]:
        """Values that only a kernel draws: every continuous slider between two values of the page."""
        return {key: control.between for key, control in self.params.items()}

    def _combinations(self, values):
        return (dict(zip(self.params, row, strict=True)) for row in itertools.product(*values))

    def draw_at(self, **values) -> tuple[Figure, str]:
        """The figure and its readout; parameters that are not given have their default.

        The figure is closed for pyplot (a notebook would show it a second time) and can still be saved.

        Raises
        ------
        NNTKError
            for a parameter the explorer does not have, or when draw does not return what it should.
        """
        unknown = sorted(set(values) - set(self.params))
        if unknown:
            raise NNTKError(f"explorer {self.name!r} has no parameter {unknown}; it has {list(self.params)}")
        before = plt.get_fignums()
        try:
            result = self.draw(**{**self.defaults(), **values})
        finally:
            for number in set(plt.get_fignums()) - set(before):
                plt.close(number)
        figure, readout = result if isinstance(result, tuple) and len(result) == 2 else (result, "")
        if not isinstance(figure, Figure) or not isinstance(readout, str):
            given = type(result).__name__
            raise NNTKError(f"draw of {self.name!r} must return a Figure or (Figure, str), got {given}")
        return figure, readout

    def describe(self, values: Mapping[str, object], readout: str = "") -> str:
        """The line under the picture: label and value of every control, then the readout of the drawing."""
        controls = [(self.params[key], value) for key, value in values.items()]
        shown = ", ".join(f"{control.label}: {control.text(value)}" for control, value in controls)
        return f"{shown}. {readout}" if readout else shown

    def prepare(self) -> Explorer:
        """Render what the faces need: every frame when the book is built, else the default picture."""
        figure, self._readout = self.draw_at()
        self._bundle["image/png"] = frames.figure_png(figure)
        if os.environ.get("NNTK_RENDER_FRAMES") == "1":
            self._bundle["text/html"] = frames.figure_html(self, frames.render(self))
            self._bundle["application/pdf"] = frames.figure_pdf(figure)  # for the printed book
        return self

    def _repr_mimebundle_(self, include=None, exclude=None) -> tuple[dict, dict]:
        """The faces; caption, alternative text and values shown travel beside them, for the printed book and tests."""
        bundle = dict(self._bundle)
        if "text/html" not in bundle:
            try:
                view = {"version_major": 2, "version_minor": 0, "model_id": self.widget().model_id}
                bundle["application/vnd.jupyter.widget-view+json"] = view
            except ImportError:  # no ipywidgets: the picture of the default values remains
                pass
        shown = self.describe(self.defaults(), self._readout)
        data = {"kind": "explorer", "name": self.name, "caption": self.caption, "alt": self.alt, "shown": shown}
        return {**bundle, "text/plain": repr(self)}, {"nntk": data}

    def widget(self):
        """The live face: an ipywidgets VBox of controls, picture, readout and caption.

        A value for which draw raises shows the message in the readout and leaves the picture as it was.
        """
        import ipywidgets as w

        label_width = f"{max(len(control.label) for control in self.params.values())}ch"  # the tracks begin in line
        made = {key: control_widget(w, control, label_width) for key, control in self.params.items()}
        picture = w.HTML(picture_html(self._bundle["image/png"], self.alt))
        readout = w.HTML(line_html(html.escape(self.describe(self.defaults(), self._readout))))

        def update(_change):
            values = {key: widget.value for key, (widget, _row) in made.items()}
            try:
                figure, text = self.draw_at(**values)
                picture.value = picture_html(frames.figure_png(figure), self.alt)
                readout.value = line_html(html.escape(self.describe(values, text)))
            except Exception as error:
                message = html.escape(f"{type(error).__name__}: {error}")
                readout.value = line_html(f"{html.escape(self.describe(values))} <b>{message}</b>")

        for widget, _row in made.values():
            widget.observe(update, names="value")
        caption = w.HTML(line_html(frames.caption_html(self.caption)))
        return w.VBox([*(row for _widget, row in made.values()), picture, readout, caption])


def picture_html(png: bytes, alt: str) -> str:
    """A PNG of `frames.figure_png` in its true size, narrower where there is less room.

    Not an ``Image`` widget: that has no alternative text, and given a tooltip it fails in the browser.
    """
    width, height = (int.from_bytes(png[i : i + 4]) * 2 // 3 for i in (16, 20))  # 144 dots an inch, CSS has 96
    data = base64.b64encode(png).decode()
    return (
        f'<img src="data:image/png;base64,{data}" alt="{html.escape(alt)}" width="{width}" height="{height}" '
        'style="max-width: 100%; height: auto">'
    )


def line_html(text: str) -> str:
    """Text whose lines, when it wraps, are closer than the controls are."""
    return f'<div style="line-height: 1.4">{text}</div>'


def explorer(draw: Callable, params: Mapping[str, Control], *, caption: str, alt: str, name: str) -> Explorer:
    """Make an explorer of a drawing function.

    Parameters
    ----------
    draw : callable
        Called as ``draw(**values)``; returns a Figure or (Figure, one-line readout). Keep the size and the
        axes' limits the same over the frames, else the picture jumps and packs badly.
    params : mapping
        Parameter name to `slider`, `play` or `choice`, in the order of the controls.
    caption : str
        States the finding; plain text, ``<em>`` allowed, Unicode for symbols.
    alt : str
        Says what the data show, for a reader who does not see the picture.
    name : str
        Id of the figure on the page: lower-case letters, digits and hyphens, unique in the book.

    Raises
    ------
    NNTKError
        For more than 120 combinations of values, an unusable name, or an empty caption or alt text.
    """
    if not re.fullmatch(r"[a-z][a-z0-9-]*", name):
        raise NNTKError(f"name {name!r}: lower-case letters, digits and hyphens are needed, a letter first")
    if not caption.strip() or not alt.strip():
        raise NNTKError(f"explorer {name!r} needs a caption and an alt text that say what the picture shows")
    if not params or not all(isinstance(control, Control) for control in params.values()):
        raise NNTKError(f"explorer {name!r}: params maps names to slider(...), play(...) or choice(...)")
    frames.caption_html(caption)  # raises for an <em> left open
    made = Explorer(draw, dict(params), caption, alt, name)
    if made.frames > MAX_FRAMES:
        counts = " x ".join(str(len(control.values)) for control in params.values())
        raise NNTKError(
            f"explorer {name!r} has {counts} = {made.frames} frames, at most {MAX_FRAMES} are served: "
            "give the parameters fewer values (a live kernel still moves over the continuous range)"
        )
    created[name] = made.prepare()
    return made
