"""What a chapter shows beside figures: tables, and the numbers of its captions.

A table travels as Markdown, which the page, JupyterLab and the printed book set in their own way, and as text. The
numbers of a caption travel in the metadata of an output that shows nothing: ``{slope}`` in the caption of the cell's
figure (its ``mystnb`` metadata) becomes ``caption(slope=...)``'s value when the page is built.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

import numpy as np

from ..exceptions import NNTKError
from .plotting import power_label

SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def number(value, digits: int = 3) -> str:
    """A number as the text has it: true minus signs, powers of ten as 3.1·10⁻⁹, nothing for None and NaN."""
    if isinstance(value, str):
        return value
    if value is None or value != value:
        return "–"
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if isinstance(value, (int, np.integer)):
        return f"{value:,}".replace(",", "\u202f").replace("-", "−")
    if value != 0 and abs(np.log10(abs(value)) - round(np.log10(abs(value)))) < 1e-9 and not 1e-3 <= abs(value) <= 1e4:
        return power_label(value)
    if min(1e3, 10**digits) <= abs(value) < 1e6:
        return number(int(float(f"{value:.{digits}g}")))
    text = f"{value:.{digits}g}"
    mantissa, e, exponent = text.partition("e")
    if e:
        return f"{mantissa}·10{str(int(exponent)).translate(SUPERSCRIPTS)}".replace("-", "−")
    return text.replace("-", "−")


def with_interval(values: Sequence[float], digits: int = 2) -> str:
    """A value and the ends of its interval, as 1.7 (1.5–1.9)."""
    middle, low, high = (number(value, digits) for value in values)
    return f"{middle} ({low}–{high})"


def least_and_most(values: Sequence[float], digits: int = 2) -> str:
    """The ends of some values, as 1.5–1.9."""
    return f"{number(min(values), digits)}–{number(max(values), digits)}"


def log_ticks(axis, values: Sequence) -> None:
    """Ticks at these values, and no others, of a logarithmic axis, written as `number` writes them."""
    axis.set_ticks(values, [number(value) for value in values])
    axis.set_ticks([], minor=True)


def table(columns: Mapping[str, Sequence], digits: int = 3) -> None:
    """Show a table; its columns are numbers (see `number`) or texts, which may have formulas between dollar signs.

    Parameters
    ----------
    columns : heading to the column's entries, from left to right; all of one length
    digits : significant digits of numbers that are not integers
    """
    cells = [[number(value, digits) for value in column] for column in columns.values()]
    if not cells or len({len(column) for column in cells}) != 1 or not cells[0]:
        lengths = {name: len(list(column)) for name, column in columns.items()}
        raise NNTKError(f"table: columns of one length, with an entry at least, are needed; got lengths {lengths}")
    numeric = [not any(isinstance(value, str) for value in column) for column in columns.values()]
    rows = [list(columns), *map(list, zip(*cells, strict=True))]
    marks = ["---:" if right else ":---" for right in numeric]
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    markdown = "\n".join([lines[0], "| " + " | ".join(marks) + " |", *lines[1:]])
    widths = [max(len(row[i]) for row in rows) for i in range(len(marks))]
    plain = "\n".join("  ".join(cell.rjust(w) for cell, w in zip(row, widths, strict=True)) for row in rows)
    _display({"text/plain": plain, "text/markdown": markdown}, {"kind": "table"})


def caption(**values) -> None:
    """The numbers of the caption of this cell's figure: ``{name}`` there becomes the value, set by `number`."""
    texts = {name: number(value) for name, value in values.items()}
    _display({"text/plain": ""}, {"kind": "caption", "values": texts})


def _display(bundle, data) -> None:
    ipython = sys.modules.get("IPython")
    if ipython is None or ipython.get_ipython() is None:
        print(bundle["text/plain"])
        return
    from IPython.display import display

    display(bundle, raw=True, metadata={"nntk": data})
