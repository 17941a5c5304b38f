r"""Phase diagrams over width and regularization.

One network is drawn for every width. Its blocks are computed once for all gamma; where they are definite a Cholesky
factorization serves one gamma, and one eigendecomposition serves all gamma where they are not. So a diagram of W widths
and G values of gamma costs at most W decompositions, W G small systems, and memory for one width. Three questions are
answered for every pair: is D positive definite (gamma against gamma*)? does the step descend (the sign of
grad L . Delta)? and how far does one full step get (L(theta + Delta) / L(theta))?
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from ..exceptions import Array, finite_array, flag, integer, positive_list
from ..losses import Square
from ..methods.newton import Direct, sweep
from ..methods.threshold import BlockSpectrum
from ..networks.shallow.curvature import curvature_level
from ..networks.shallow.spec import Shallow, shallow
from ..training import counted


@dataclass(frozen=True, eq=False)
class PhaseDiagram:
    """Newton's first step on a grid of widths and regularizations.

    Attributes
    ----------
    widths : ndarray, shape (W,)
    gammas : ndarray, shape (G,)
    min_eig : ndarray, shape (W, G)
        Smallest eigenvalue of the scaled blocks, Riedl et al. (50).
    slope : ndarray, shape (W, G)
        grad L . Delta divided by 2 L: in (-1, 0) where D is positive definite; positive means ascent.
    loss_ratio : ndarray, shape (W, G)
        L(theta + Delta) / L(theta).
    threshold : ndarray, shape (W,)
        Smallest safe gamma, from the eigenvalues.
    bound : ndarray, shape (W,)
        The same by Lemma 20.
    """

    widths: Array
    gammas: Array
    min_eig: Array = field(repr=False)
    slope: Array = field(repr=False)
    loss_ratio: Array = field(repr=False)
    threshold: Array = field(repr=False)
    bound: Array = field(repr=False)


def relative(values: list[float], loss: float, fitted: float) -> list[float]:
    """The values over the loss; where that is zero nothing moves, and they are `fitted`."""
    return [value / loss if loss else fitted for value in values]


def phase_diagram(
    net: Shallow,
    X: ArrayLike,
    y: ArrayLike,
    widths: ArrayLike,
    gammas: ArrayLike,
    seed: int = 0,
    progress: bool = False,
) -> PhaseDiagram:
    """Take Newton's first step for every width and every gamma, definite or not.

    Parameters
    ----------
    net : Shallow
    X : ndarray, shape (n, d)
    y : ndarray, shape (n,)
    widths : sequence of int
    gammas : sequence of float
    seed : int
        Each width's network is drawn from ``default_rng([seed, m])``.
    progress : bool
        Show a tqdm progress bar.

    Returns
    -------
    PhaseDiagram
    """
    X, gammas, seed = finite_array("X", X, 2), np.array(positive_list("gammas", gammas)), integer("seed", seed, 0)
    widths = np.array([integer(f"widths[{i}]", m) for i, m in enumerate(finite_array("widths", widths, 1))])
    shallow(net), flag("progress", progress)
    rows = []
    for m in counted(widths.tolist(), progress, "phase diagram", "width"):
        theta = net.init(m, X.shape[1], np.random.default_rng([seed, m]))
        at, square = net.at(theta, X), Square()
        before, a = square.value(at.f, y), square.gradient(at.f, y)
        steps = sweep(at, square, y, gammas / at.kernel_scale, Direct(indefinite="solve"))
        after = [square.value(net.at(theta + s.delta, X).f, y) for s in steps]
        edges = at.kernel_scale * BlockSpectrum(at, a).threshold, curvature_level(at, a)
        rows.append(
            (
                [s.min_eig for s in steps],
                relative([s.slope / 2 for s in steps], before, 0.0),
                relative(after, before, 1.0),
                *edges,
            )
        )
    min_eig, slope, ratio, threshold, bound = (np.array(column) for column in zip(*rows, strict=True))
    return PhaseDiagram(widths, gammas, min_eig, slope, ratio, threshold, bound)
