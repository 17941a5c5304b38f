"""The machinery of the book: figures, explorers, and the ledger of claims. The library itself never imports it."""

from .explore import Explorer, choice, explorer, play, slider
from .ledger import check
from .plotting import (
    DIVERGING,
    METHODS,
    NEUTRAL,
    magnitude_image,
    matrix_image,
    power_label,
    reference_slope,
    semilogy_floor,
    style,
    use_style,
)

__all__ = [
    "DIVERGING",
    "METHODS",
    "NEUTRAL",
    "Explorer",
    "check",
    "choice",
    "explorer",
    "magnitude_image",
    "matrix_image",
    "play",
    "power_label",
    "reference_slope",
    "semilogy_floor",
    "slider",
    "style",
    "use_style",
]
