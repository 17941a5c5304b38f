"""Messages of the book's machinery, of `nntk_lib.book`."""

from __future__ import annotations

import tempfile
from itertools import count
from pathlib import Path
from unittest.mock import patch

import matplotlib.pyplot as plt
import numpy as np

from nntk_lib.book import explore, ledger, plotting, tables
from nntk_lib.book.explore import choice, explorer, play, slider
from nntk_lib.book.frames import caption_html

from .follow import code, number


def picture(a=1.0):
    return plt.figure(figsize=(1, 1))


NAMES = count()


def made(draw=picture, params=None, caption="A caption.", alt="A picture of a number.", name="advice"):
    params = {"a": slider([1.0, 2.0], "a")} if params is None else params
    with patch.dict(explore.created):
        found = explorer(draw, name=name, params=params, caption=caption, alt=alt)
    plt.close("all")
    return found


def checked(id, measured=0.5, relation="<=", bound=1.0, **options) -> bool:
    """Whether a check is made and holds; it is not kept."""
    with patch.dict(ledger._checked), patch.object(ledger, "_show"), patch.object(ledger, "_write"):
        ledger.check(id, measured, relation, bound, **options)
    return True


def claims(text):
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "claims.yml"
        file.write_text(text)
        return ledger.load_claims(file)


def shown(function) -> bool:
    with patch.object(tables, "_display"):
        function()
    return True


def drawn(function) -> bool:
    figure, ax = plt.subplots()
    try:
        return function(ax) is not None
    finally:
        plt.close(figure)


ID = "advice/claim-1"
CASES = {
    "log of a negative": (
        lambda: slider([-1.0, 1.0], "a", log=True),
        lambda said: slider([0.1, 1.0], "a", log=True).continuous,
    ),
    "uneven integers": (
        lambda: play([0, 1, 3], "k"),
        lambda said: play(code(said, r"such as (.*), got"), "k").integer_step,
    ),
    "one option": (lambda: choice(["a"], "b"), lambda said: choice(["a", "b"], "b").start == "a"),
    "start is no option": (
        lambda: choice(["a", "b"], "c", "d"),
        lambda said: choice(["a", "b"], "c", code(said, r"one of (.*)$")[1]).start == "b",
    ),
    "not increasing": (lambda: slider([1, 1], "a"), lambda said: slider([1, 2], "a").start == 1),
    "start is no value": (
        lambda: slider([1, 2], "a", 3),
        lambda said: slider([1, 2], "a", code(said, r"values (.*)$")[1]).start == 2,
    ),
    "name": (lambda: made(name="A b"), lambda said: made(name="a-b2").name == "a-b2"),
    "no caption": (lambda: made(caption=" "), lambda said: made(caption="It says something.").frames == 2),
    "params": (lambda: made(params={"a": [1, 2]}), lambda said: made(params={"a": choice([1, 2], "a")}).frames == 2),
    "too many frames": (
        lambda: made(params={"a": slider(range(121), "a")}),
        lambda said: made(params={"a": slider(range(2), "a")}).frames <= number(said, "at most (.*) are"),
    ),
    "no such parameter": (
        lambda: made().draw_at(b=1),
        lambda said: made().draw_at(**{code(said, r"it has (.*)$")[0]: 2.0})[1] == "",
    ),
    "draws nothing": (
        lambda: made(draw=lambda a: None),
        lambda said: made(draw=lambda a: (picture(), "one"))._readout == "one",
    ),
    "an em left open": (lambda: caption_html("<em>a"), lambda said: "<em>a</em>" in caption_html("<em>a</em>")),
    "id": (lambda: checked("Newton"), lambda said: checked(code(said, "such as (.*) [(]"))),
    "without within": (
        lambda: checked(ID, 1.0, "=", 1.0),
        lambda said: checked(ID, 1.0, "=", 1.0, within=0.1, resolution=0.2),
    ),
    "relation": (lambda: checked(ID, relation="~"), lambda said: all(checked(ID, 1.0, r) for r in ("<=", ">="))),
    "ends": (lambda: checked(ID, relation="in", bound=(1, 0)), lambda said: checked(ID, relation="in", bound=(0, 1))),
    "several bounds": (
        lambda: checked(ID, [1.0, 2.0], "<=", [2.0, 4.0]),
        lambda said: checked(ID, np.array([1.0, 2.0]) / [2.0, 4.0], "<=", 1.0),
    ),
    "a verdict": (lambda: checked(ID, True), lambda said: checked(ID, float(True))),
    "negative widths": (
        lambda: checked(ID, 1.0, "=", 1.0, within=-0.1),
        lambda said: (
            checked(ID, [1.0, 1.0], "=", 1.0, within=0.1) and checked(ID, [1.0, 1.0], "=", 1.0, within=[0.1, 0.2])
        ),
    ),
    "ids twice": (
        lambda: claims("- id: a/b-1\n- id: a/b-1\n"),
        lambda said: len(claims("- id: a/b-1\n- id: a/b-2\n")) == 2,
    ),
    "a claim that fails": (lambda: checked(ID, 2.0), lambda said: checked(ID, 1.0)),
    "no method": (
        lambda: plotting.style("sgd"),
        lambda said: all("color" in plotting.style(name) for name in said[said.index("one of ") + 7 : -10].split(", ")),
    ),
    "negative error": (
        lambda: drawn(lambda ax: plotting.semilogy_floor(ax, [1, 2], [1.0, -1.0])),
        lambda said: drawn(lambda ax: plotting.semilogy_floor(ax, [1, 2], [1.0, 0.0])),
    ),
    "infinite matrix": (
        lambda: drawn(lambda ax: plotting.matrix_image(ax, [[np.inf]])),
        lambda said: drawn(lambda ax: plotting.matrix_image(ax, [[1.0]])),
    ),
    "uneven columns": (
        lambda: shown(lambda: tables.table({"a": [1], "b": []})),
        lambda said: shown(lambda: tables.table({"a": [1], "b": [2]})),
    ),
}
