r"""Losses of the outputs, each with its own 1/n, and the symmetric form of their Hessians.

A loss L(f) of the outputs f on n samples is known by its gradient g and its Hessian H with respect to f. H acts on
every sample for itself: it is diagonal, or a block for every sample where outputs are coupled. All methods use it as

    H = R R^T,        g = R q,

because then (b J^T H J + a I) delta = -J^T g becomes the symmetric delta = -J^T R (b R^T J J^T R + a I)^{-1} q. With H
and g themselves, the system is not symmetric and loses digits, or H has to be invertible. With r = f - y:

    squares         R = n^{-1/2},
                    q = n^{-1/2} r,
    logistic        R = n^{-1/2} (s(f) s(-f))^{1/2},
                    q = -n^{-1/2} y e^{-y f/2},        s the sigmoid,
    cross-entropy   R = (diag(p)^{1/2} - p p^{1/2 T}) n^{-1/2},
                    q = (p - y) p^{-1/2} n^{-1/2},     p the softmax,

per sample, where p p^{1/2 T} is the outer product of p and of its entrywise root. Nothing is divided that may vanish: q
comes from logarithms of probabilities, so both factors are right to rounding until outputs differ by about 1400, where
e^{700} ends the numbers.
"""

from __future__ import annotations

from .base import Loss, sandwich, times, transposed
from .cross_entropy import CrossEntropy
from .separable import LogCosh, Logistic, Square, WeightedSquare

__all__ = ["CrossEntropy", "LogCosh", "Logistic", "Loss", "Square", "WeightedSquare", "sandwich", "times", "transposed"]
