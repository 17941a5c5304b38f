r"""The distance of a trained network from its infinite-width limit, taken apart without a remainder.

Outputs f_k of the network obey (13) of the Newton paper, the limit g_k obeys (16):

    f_{k+1} = f_k - alpha K_k r_k + R_k,     r_k = f_k - y,
    g_{k+1} = g_k - alpha K (g_k - y),       g_0 = 0.

Their difference e_k = f_k - g_k therefore satisfies e_{k+1} = (I - alpha K) e_k - alpha (K_k - K) r_k + R_k. With
h(A) = A (A + gamma I)^{-1} and the tangent kernels A_k of the network at step k and A of the limit, K = h(A) and

    K_k - K = [K_k - h(A_k)]  +  [h(A_k) - h(A_0)]  +  [h(A_0) - h(A)]
               curvature          drift                 sampling,

so e_k is a sum of five paths, each driven by one cause and carried by the same contraction I - alpha K: the start
f_0 (order m^{1/2 - beta}), sampling (m^{-1/2}), and curvature, drift and remainder (m^{beta - 1}). These are the
three sources of Theorem 7: Lemma 30 calls the middle three the error of the kernel.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from ..exceptions import Array, ParameterError, finite_array, integer, kernel_matrix, positive, same_length
from ..limits.kernels import limit_ntk, nntk
from ..losses import Square
from ..methods.damping import Gamma
from ..methods.newton import Newton
from ..networks.base import tangent
from ..networks.shallow.spec import Shallow, shallow

PARTS = ("start", "sampling", "curvature", "drift", "remainder")


@dataclass(frozen=True, eq=False)
class PathError:
    """Difference between a network and its limit along training, and the five paths it is the sum of.

    Attributes
    ----------
    total : ndarray, shape (K + 1, n)
        f_k - g_k, from the two paths.
    start : ndarray, shape (K + 1, n)
        What is left of f_0. With the next four it adds up to ``total`` except for rounding.
    sampling : ndarray, shape (K + 1, n)
        From the random kernel at the start.
    curvature : ndarray, shape (K + 1, n)
        From the indefinite part of the blocks; rounding for Gauss-Newton.
    drift : ndarray, shape (K + 1, n)
        From the change of the tangent kernel since the start.
    remainder : ndarray, shape (K + 1, n)
        From the remainders of Taylor's formula.
    """

    total: Array = field(repr=False)
    start: Array = field(repr=False)
    sampling: Array = field(repr=False)
    curvature: Array = field(repr=False)
    drift: Array = field(repr=False)
    remainder: Array = field(repr=False)

    def norm(self, *parts: str) -> Array:
        """Euclidean norms along the path of the sum of the named parts, or of the total; shape (K + 1,)."""
        for part in parts:
            if part not in (*PARTS, "total"):
                raise ParameterError(f"part {part!r} is unknown; use 'total' or one of {', '.join(PARTS)}.")
        return np.linalg.norm(sum(getattr(self, part) for part in parts or ("total",)), axis=1)


def path_error(
    net: Shallow,
    theta: ArrayLike,
    X: ArrayLike,
    y: ArrayLike,
    gamma: float,
    steps: int,
    alpha: float = 1.0,
    A: ArrayLike | None = None,
    method: Callable = Newton,
) -> PathError:
    """Train a network, follow its limit, and take their difference apart.

    Parameters
    ----------
    net : Shallow
    theta : ndarray, shape (m, p)
        Initial parameters.
    X : ndarray, shape (n, d)
    y : ndarray, shape (n,)
    gamma : float
    steps : int
        Number of steps K.
    alpha : float
    A : ndarray, shape (n, n), optional
        Limit tangent kernel; computed if not given.
    method : callable
        ``Newton``, or ``GaussNewton`` (whose curvature part is rounding): gives the direction for a gamma.

    Returns
    -------
    PathError

    Raises
    ------
    NotPositiveDefiniteError
        If gamma is too small for the width along the path.

    Examples
    --------
    >>> net, X = Shallow("tanh"), np.linspace(-1, 1, 6)[:, None]
    >>> theta, y = net.init(2000, 1, rng=0), X[:, 0] ** 2
    >>> error = path_error(net, theta, X, y, gamma=0.3, steps=3)
    >>> moving = error.curvature + error.drift + error.remainder
    >>> parts = error.start + error.sampling + moving
    >>> bool(np.abs(parts - error.total).max() < 1e-13)
    True
    """
    gamma, alpha = positive("gamma", gamma), positive("alpha", alpha)
    steps = integer("steps", steps, 0)
    if not callable(method):
        raise ParameterError(f"method = {method!r} must give a direction for a gamma. Use Newton or GaussNewton.")
    direction, at = method(Gamma(gamma)), tangent(shallow(net), theta, X)
    f = at.f
    y = same_length("y", finite_array("y", y, 1), len(f), "X")
    A = limit_ntk(net, X) if A is None else same_length("A", kernel_matrix("A", A), len(f), "X")
    K = nntk(A, gamma)
    g, parts = np.zeros_like(f), {part: [np.zeros_like(f)] for part in PARTS}
    parts["start"] = [f]
    total = [f]
    for k in range(steps):
        r = f - y
        delta = direction(at, Square(), y).delta
        linear = at.jvp(delta)  # -K_k r_k
        hk = nntk(at.gram() * (at.kernel_scale / len(f)), gamma)
        if k == 0:
            h0 = hk
        at = net.at(at.theta + alpha * delta, X)
        f_next = at.f
        new = {
            "start": 0.0,
            "sampling": -alpha * (h0 @ r - K @ r),
            "curvature": alpha * (linear + hk @ r),
            "drift": -alpha * (hk @ r - h0 @ r),
            "remainder": f_next - f - alpha * linear,
        }
        for part, path in parts.items():
            path.append(path[-1] - alpha * (K @ path[-1]) + new[part])
        f, g = f_next, g - alpha * (K @ (g - y))
        total.append(f - g)
    return PathError(np.array(total), **{part: np.array(path) for part, path in parts.items()})
