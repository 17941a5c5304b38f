"""The methods, of two numbers each, and their grids."""

from __future__ import annotations

from dataclasses import dataclass

from ... import KFAC, Adam, Constant, GaussNewton, Momentum
from ...methods.base import Direction
from ...methods.spring import Spring


@dataclass(frozen=True)
class Recipe:
    """v <- momentum v + alpha delta, theta <- theta + v."""

    direction: Direction
    alpha: float = 1.0
    momentum: float = 0.0
    warm: int = 0  # passes with alpha = 1 before


# Of each method: what makes it of two numbers.
METHODS = {
    "momentum": lambda rate, mu: Recipe(Momentum(rate, mu)),
    "adam": lambda rate, b1: Recipe(Adam(rate, b1)),
    "kfac": lambda rate, damping: Recipe(KFAC(damping, rate, momentum=0.9)),
    "gram-gauss-newton": lambda rate, damping: Recipe(GaussNewton(Constant(damping)), rate),
    "heavy-ball": lambda rate, damping: Recipe(GaussNewton(Constant(damping)), rate, 0.9),
    "spring": lambda mu, damping: Recipe(Spring(Constant(damping), mu)),
    # K-FAC without its momentum, without its memory of the factors, without both
    "kfac-no-momentum": lambda rate, damping: Recipe(KFAC(damping, rate)),
    "kfac-no-memory": lambda rate, damping: Recipe(KFAC(damping, rate, momentum=0.9, decay=0)),
    "kfac-neither": lambda rate, damping: Recipe(KFAC(damping, rate, decay=0)),
}
NAMES = {  # of those that are raced
    "momentum": "SGD with momentum",
    "adam": "Adam",
    "kfac": "K-FAC with momentum",
    "gram-gauss-newton": "Gram-Gauss-Newton",
    "heavy-ball": "Gram-Gauss-Newton, heavy ball",
    "spring": "SPRING",
}
# The step of Gram-Gauss-Newton: lambda J J^T + a I, and a step that is shortened after the 20th pass.
STEPS = {
    "map": lambda lam, damping: Recipe(GaussNewton(Constant(damping, lam))),
    "floor": lambda alpha, damping: Recipe(GaussNewton(Constant(damping)), alpha, warm=20),
}


def ladder(first: float) -> tuple[float, ...]:
    """Five numbers, each about the square root of ten times the one before."""
    return tuple(float(f"{first * 10 ** (k / 2):.0e}") for k in range(5))


DAMPINGS = ladder(1e-5)
GRIDS = {
    "momentum": ((0.5, 1.0, 2.0, 4.0, 8.0), (0.8, 0.9, 0.95, 0.98, 0.99)),
    "adam": ((0.02, 0.05, 0.1, 0.2, 0.5), (0.5, 0.8, 0.9, 0.95, 0.98)),
    "kfac": ((0.01, 0.02, 0.05, 0.1, 0.2), DAMPINGS),
    "kfac-no-memory": ((0.01, 0.02, 0.05, 0.1, 0.2), DAMPINGS),
    "kfac-no-momentum": ((0.1, 0.2, 0.4, 0.7, 1.0), DAMPINGS),
    "kfac-neither": ((0.1, 0.2, 0.4, 0.7, 1.0), DAMPINGS),
    "gram-gauss-newton": ((0.25, 0.5, 0.7, 1.0, 1.4), DAMPINGS),
    "heavy-ball": ((0.02, 0.05, 0.1, 0.2, 0.4), DAMPINGS),
    "spring": ((0.5, 0.8, 0.9, 0.95, 0.98), ladder(1e-4)),
}
#: Grids elsewhere, because the best point was at an edge; of five numbers each, like the others.
MOVED = {
    ("digits-mlp", "gram-gauss-newton"): ((0.7, 1.0, 1.4, 1.8, 1.9), ladder(1e-6)),
    ("digits-mlp", "kfac-no-memory"): ((0.02, 0.05, 0.1, 0.2, 0.4), ladder(3e-5)),
    ("digits-mlp", "kfac-no-momentum"): ((0.1, 0.2, 0.4, 0.7, 1.0), ladder(3e-5)),
    ("digits-mlp", "kfac-neither"): ((0.1, 0.2, 0.4, 0.7, 1.0), ladder(3e-5)),
    ("california-mlp", "momentum"): ((1.0, 2.0, 4.0, 8.0, 16.0), (0.8, 0.9, 0.95, 0.98, 0.99)),
    ("california-mlp", "kfac"): ((0.005, 0.01, 0.02, 0.05, 0.1), ladder(3e-5)),
    ("california-mlp", "gram-gauss-newton"): ((0.25, 0.5, 0.7, 1.0, 1.4), ladder(1e-3)),
    ("california-mlp", "heavy-ball"): ((0.02, 0.05, 0.1, 0.2, 0.4), ladder(1e-3)),
    ("digits-mlp", "heavy-ball"): ((0.05, 0.1, 0.2, 0.4, 0.7), DAMPINGS),
    ("digits-conv", "momentum"): ((0.5, 1.0, 2.0, 4.0, 8.0), (0.6, 0.8, 0.9, 0.95, 0.98)),
    ("digits-conv", "adam"): ((0.01, 0.02, 0.05, 0.1, 0.2), (0.2, 0.5, 0.8, 0.9, 0.95)),
    ("digits-conv", "gram-gauss-newton"): ((0.12, 0.25, 0.5, 1.0, 1.4), ladder(1e-6)),
    ("digits-conv", "spring"): ((0.1, 0.2, 0.5, 0.7, 0.8), ladder(1e-6)),
    ("digits-batchnorm", "momentum"): ((0.5, 1.0, 2.0, 4.0, 8.0), (0.6, 0.8, 0.9, 0.95, 0.98)),
    ("digits-batchnorm", "adam"): ((0.01, 0.02, 0.05, 0.1, 0.2), (0.2, 0.5, 0.8, 0.9, 0.95)),
    ("mnist-mlp", "adam"): ((0.02, 0.05, 0.1, 0.2, 0.5), (0.8, 0.9, 0.95, 0.98, 0.99)),
    ("mnist-mlp", "kfac"): ((0.02, 0.05, 0.1, 0.2, 0.4), ladder(3e-5)),
    ("mnist-mlp", "gram-gauss-newton"): ((0.7, 1.0, 1.4, 1.8, 1.9), ladder(1e-6)),
    ("mnist-mlp", "heavy-ball"): ((0.1, 0.2, 0.4, 0.7, 1.0), ladder(3e-5)),
    ("california-mlp", "spring"): ((0.2, 0.5, 0.7, 0.8, 0.9), ladder(3e-4)),
}


def grid(name: str, method: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The two times five numbers of a method on a task."""
    return MOVED.get((name, method), GRIDS[method])


def applies(name: str, method: str) -> bool:
    """K-FAC is for dense layers, its variants for the digits, and a Gram matrix not for batch normalization."""
    if method.startswith("kfac-"):
        return name == "digits-mlp"
    only = {"digits-conv": ("momentum", "adam", "gram-gauss-newton", "spring")}
    return method in (only | {"digits-batchnorm": ("momentum", "adam")}).get(name, METHODS)
