"""Controls of an explorer: what a parameter may be, its native HTML and its ipywidget.

The same control has two looks. On the served page it moves over the listed values, for these are the frames
that were rendered; in a live kernel a slider over real numbers moves over the whole range between them.
"""

from __future__ import annotations

import html
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral, Real

from ..exceptions import NNTKError


@dataclass(frozen=True)
class Control:
    """One parameter: kind (slider, play, choice), values, label, start value and how it is shown."""

    kind: str
    values: tuple
    label: str
    start: object
    fmt: str = "{:g}"
    log: bool = False
    interval: int = 400
    listed: bool = False

    def text(self, value) -> str:
        """The value as the reader sees it."""
        return str(value) if self.kind == "choice" else self.fmt.format(value)

    @property
    def ends(self) -> tuple:
        """The values that a test of the extremes has to try: first and last, every option of a choice."""
        return self.values if self.kind == "choice" else (self.values[0], self.values[-1])

    @property
    def continuous(self) -> bool:
        """Whether a live slider also moves between the values."""
        return not (self.listed or self.kind == "choice" or all(isinstance(v, int) for v in self.values))

    @property
    def between(self):
        """A value that only a live slider can have; the start where there is none."""
        return (self.values[0] + self.values[1]) / 2 if self.continuous else self.start

    @property
    def integer_step(self) -> int | None:
        """The spacing of evenly spaced integers, None for anything else."""
        if self.kind == "choice" or not all(isinstance(v, int) for v in self.values):
            return None
        gaps = {b - a for a, b in itertools.pairwise(self.values)}
        return gaps.pop() if len(gaps) == 1 else None


def slider(values: Sequence[float], label: str, start=None, log=False, fmt=None, listed=False) -> Control:
    """A slider over increasing numbers; the served page has these values, a kernel what lies between as well.

    Parameters
    ----------
    values : at least two finite numbers, strictly increasing; integers stay integers
    label : what the reader sees, with Unicode and without math markup, "regularization γ"
    start : the default value, one of `values`; the first when not given
    log : the values are positive and a live slider moves in their logarithm
    fmt : format of the value shown; integers whole and other numbers to four digits when not given
    listed : the drawing knows only these values, computed before; a live slider has no others either

    Raises
    ------
    NNTKError
        when the values are not as above or `start` is not among them.
    """
    values = _increasing(values, label)
    if log and values[0] <= 0:
        raise NNTKError(f"slider {label!r}: log=True needs positive values, got {values[0]!r}")
    fmt = fmt or ("{:g}" if all(isinstance(v, int) for v in values) else "{:.4g}")
    return Control("slider", values, label, _start(values, start, label), fmt, log, listed=listed)


def play(values: Sequence[int], label: str, start=None, fmt="{:g}", interval=400) -> Control:
    """A slider over evenly spaced integers with a play button; `interval` milliseconds a step.

    Raises
    ------
    NNTKError
        when the values are not evenly spaced increasing integers or `start` is not among them.
    """
    values = _increasing(values, label)
    control = Control("play", values, label, _start(values, start, label), fmt, interval=interval)
    if control.integer_step is None:
        raise NNTKError(f"play {label!r} needs evenly spaced integers, such as range(0, 21), got {values!r}")
    return control


def choice(options: Sequence, label: str, start=None) -> Control:
    """A list to choose from, shown by ``str(option)``; the first is the default when `start` is not given.

    Raises
    ------
    NNTKError
        for fewer than two options, two that read the same, or a `start` that is no option.
    """
    options = tuple(options)
    if len(options) < 2 or len(set(map(str, options))) < len(options):
        raise NNTKError(f"choice {label!r} needs two or more options with different texts, got {options!r}")
    if start is not None and start not in options:
        raise NNTKError(f"choice {label!r}: start {start!r} is not one of {options!r}")
    return Control("choice", options, label, options[0] if start is None else start)


def _increasing(values, label) -> tuple:
    values = tuple(values)
    numbers = all(isinstance(v, Real) and not isinstance(v, bool) and math.isfinite(v) for v in values)
    if not numbers or len(values) < 2 or any(b <= a for a, b in itertools.pairwise(values)):
        raise NNTKError(f"{label!r} needs two or more finite, strictly increasing numbers, got {values!r}")
    return tuple(int(v) if isinstance(v, Integral) else float(v) for v in values)


def _start(values, start, label):
    near = values if start is None else [v for v in values if math.isclose(v, start, rel_tol=1e-9)]
    if not near:
        raise NNTKError(f"{label!r}: start {start!r} is not one of the values {values!r}")
    return near[0]


def control_html(figure: str, key: str, control: Control) -> str:
    """Native form control of a parameter, its value the index into ``control.values``."""
    identity, label = f"{figure}-{key}", html.escape(control.label)
    start = control.values.index(control.start)
    texts = [html.escape(control.text(v)) for v in control.values]
    head = f'<div class="nntk-control nntk-{control.kind}"><label for="{identity}">{label}</label>'
    attributes = f'id="{identity}" data-param="{key}" autocomplete="off"'
    if control.kind == "choice":
        marks = [" selected" if i == start else "" for i in range(len(texts))]
        options = [f'<option value="{i}"{marks[i]}>{text}</option>' for i, text in enumerate(texts)]
        return f"{head}<select {attributes}>{''.join(options)}</select></div>"
    button = _play_button(identity, label, control.interval) if control.kind == "play" else ""
    longest = max(map(len, texts))  # room for it at once: a track that shrinks under the pointer loses it
    return (
        f'{head}{button}<input type="range" {attributes} min="0" max="{len(texts) - 1}" step="1" '
        f'value="{start}" aria-valuetext="{texts[start]}">'
        f'<output for="{identity}" aria-live="off" style="min-width:{longest}ch">{texts[start]}</output></div>'
    )


def _play_button(identity, label, interval) -> str:
    return (
        f'<button type="button" class="nntk-button" aria-pressed="false" aria-label="Play: {label}" '
        f'aria-controls="{identity}" data-interval="{interval}">'
        '<svg viewBox="0 0 16 16" width="16" height="16" fill="currentColor" aria-hidden="true" '
        'focusable="false"><path class="nntk-go" d="M3 1v14l11-7z"/>'
        '<path class="nntk-stop" d="M3 2h4v12H3zm6 0h4v12H9z"/></svg></button>'
    )


def control_widget(w, control: Control, label_width: str):
    """The ipywidget of a control (`w` is the ipywidgets module) and the row that shows it."""
    style, layout = {"description_width": label_width}, {"width": "36em", "max_width": "100%"}
    look = {"value": control.start, "description": control.label, "style": style, "layout": layout}
    low, high = control.ends[0], control.ends[-1]
    if control.kind == "choice":
        widget = w.Dropdown(options=[(control.text(v), v) for v in control.values], **look)
    elif control.integer_step:
        widget = w.IntSlider(min=low, max=high, step=control.integer_step, **look)
    elif not control.continuous:
        widget = w.SelectionSlider(options=[(control.text(v), v) for v in control.values], **look)
    elif control.log:
        low, start, high = (math.log10(v) for v in (low, control.start, high))
        widget = w.FloatLogSlider(min=low, max=high, step=_step(low, start, high), readout_format=".3g", **look)
    else:
        step = _step(low, control.start, high)
        widget = w.FloatSlider(min=low, max=high, step=step, readout_format=".3g", **look)
    if control.kind != "play":
        return widget, widget
    player = w.Play(value=control.start, min=low, max=high, step=control.integer_step, interval=control.interval)
    w.link((player, "value"), (widget, "value"))
    return widget, w.HBox([widget, player], layout={"flex_flow": "wrap"})


def _step(low, start, high) -> float:
    """About 200 steps a slider. The start is one of them, for a browser moves a slider to its nearest step."""
    step = (high - low) / 200
    return (start - low) / max(1, round((start - low) / step)) if start > low else step
