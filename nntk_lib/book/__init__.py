"""The machinery of the book: figures, explorers, and the ledger of claims. The library itself never imports it."""

from .explore import Explorer, choice, explorer, play, slider
from .ledger import check, check_rate
from .plotting import (
    DIVERGING,
    METHODS,
    NEUTRAL,
    SERIES,
    legend,
    magnitude_image,
    matrix_image,
    power_label,
    reference_slope,
    semilogy_floor,
    series,
    style,
    use_style,
)
from .tables import caption, least_and_most, log_ticks, number, table, with_interval

__all__ = [
    "DIVERGING",
    "METHODS",
    "NEUTRAL",
    "SERIES",
    "Explorer",
    "caption",
    "check",
    "check_rate",
    "choice",
    "explorer",
    "least_and_most",
    "legend",
    "log_ticks",
    "magnitude_image",
    "matrix_image",
    "number",
    "play",
    "power_label",
    "reference_slope",
    "semilogy_floor",
    "series",
    "slider",
    "style",
    "table",
    "use_style",
    "with_interval",
]
