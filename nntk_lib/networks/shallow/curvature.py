r"""The Hessian of a shallow network: one small block a neuron.

Neurons meet only in the sum over i, so Hess f(x_j) has no entry between two of them: it is block-diagonal with the
blocks m^{-beta} H_j^i, equations (37) to (39) of the Newton paper, where with z = w_i . x_j

    H_j^i = [[ 0,              sigma'(z) x_j^T           ],
             [ sigma'(z) x_j,  c_i sigma''(z) x_j x_j^T  ]].

For a loss with gradient a and Hessian R R^T with respect to the outputs the Hessian in the parameters is

    Hess L = J^T R R^T J + S,       S = sum_j a_j Hess f(x_j),

(36), (40), (41) with a = r / n and R = I / sqrt n. The first part couples all neurons but has rank at most n. That is
the structure :mod:`nntk_lib.linalg.structured` solves with. Two constants bound it, with X = max_j |x_j|:

    C_J = s0^2 + c_max^2 s1^2 X^2,       |J~^i|^2 <= n C_J,      Lemma 16,
    C_H = s1 X + c_max s2 X^2,           |H~_j^i| <= C_H,        Lemma 18,
    eps = m^{beta - 1} C_H sqrt n |a|,   gamma > eps suffices,   Lemmas 19, 20.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ...exceptions import Array, finite, positive
from ...linalg.streaming import parallel, sliced
from ...linalg.structured import BlockDiagPlusLowRank
from ..base import require_tangent
from .spec import Shallow, preactivations, shallow


def blocks_of(at, part: slice, a: Array, rows: tuple[Array, ...]) -> Array:
    """The blocks of S for the neurons `part`, shape (neurons, p, p), from their rows (sigma, sigma', sigma'')."""
    X, theta = at.inputs, at.theta[part]
    k, p = theta.shape
    _, ds, d2s = rows
    S = np.zeros((k, p, p))
    if at.inner:
        if at.outer:
            S[:, 0, 1:] = S[:, 1:, 0] = (ds * a) @ X
        outer = (X[:, :, None] * X[:, None, :]).reshape(len(X), -1)
        S[:, 1:, 1:] = theta[:, 0, None, None] * ((d2s * a) @ outer).reshape(k, p - 1, p - 1)
    return S * at.scale


def curvature_slices(at, a: Array) -> Iterator[tuple[Array, float]]:
    """The blocks of S in slices of the neuron axis, each with a bound of sum_j |a_j| |Hess f_j| for its neurons.

    The sum over j may cancel; its rounding error is relative to the sum of moduli, not to S.
    """
    m, p = at.theta.shape
    n, radius = len(at.inputs), np.linalg.norm(at.inputs, axis=1)
    first, second = np.abs(a) @ radius * at.scale, np.abs(a) @ radius**2 * at.scale
    for part in sliced(m, n, 6 * n + 3 * p * p, at.memory, fixed=n * p * p):
        _, ds, d2s = rows = at._rows(part, 2)
        moduli = first * largest(ds) + second * largest(at.theta[part, 0]) * largest(d2s) if at.inner else 0.0
        yield blocks_of(at, part, a, rows), moduli


def largest(v: Array) -> float:
    """The largest modulus, without a copy."""
    return max(float(v.max()), -float(v.min()))


def curvature_blocks(at, a: Array) -> Array:
    """The blocks of S = sum_j a_j Hess f_j, symmetric, shape (m, p, p), the factor m^{-beta} included."""
    return np.concatenate([blocks for blocks, _ in curvature_slices(at, a)])


def structured(at, a: Array, R: Array | None = None, shift: float = 0.0) -> BlockDiagPlusLowRank:
    """S + shift I + J^T R R^T J, applied and solved without being formed."""
    return BlockDiagPlusLowRank(*at.theta.shape, len(at.inputs), _Streamed(at, a, R), finite("shift", shift))


@dataclass(frozen=True, eq=False)
class _Streamed:
    """The blocks of S and the factor R^T J, slice by slice. An object, not a closure: it can be pickled."""

    at: Any
    a: Array
    R: Array | None

    def __call__(self) -> Iterator[tuple[slice, Array, Array]]:
        at, (m, p), X, n = self.at, self.at.theta.shape, self.at.inputs, len(self.at.inputs)
        scale = at.scale if self.R is None else at.scale * self.R
        # the rows, and U with three more of its size in `reduce`; the blocks; C, and the products of the inputs
        floats, fixed = (6 + 5 * p) * n + 6 * p * p, 3 * n * n + n * p * p
        for part in sliced(m, p * n, floats, at.memory, fixed):
            rows = at._rows(part, 2)
            U = np.zeros((len(rows[0]), p, n))
            if at.outer:
                U[:, 0] = rows[0]
            if at.inner:
                U[:, 1:] = (at.theta[part, :1] * rows[1])[:, None, :] * X.T
            yield part, blocks_of(at, part, self.a, rows), scale * U


def curvature_product(net: Shallow, theta: Array, X: Array, a: Array, v: Array, b: Array, memory: int | None) -> Array:
    """S v + J^T b in one pass and without blocks, shape (m, p).

    With z' = v_w . x_j its rows are, O(m n d) operations, ::

        m^{-beta} sum_j (sigma(z) b_j + sigma'(z) z' a_j),
        m^{-beta} sum_j (c sigma'(z) b_j
                         + (v_c sigma'(z) + c sigma''(z) z') a_j) x_j.
    """
    scale, n = len(theta) ** -net.beta, len(X)
    a, b, out = a * scale, b * scale, np.empty_like(theta)

    def work(part: slice, _) -> None:
        s, ds, d2s = net.act.rows(preactivations(theta[part], X))
        c, vc, dz = theta[part, :1], v[part, :1], preactivations(v[part], X)
        d2s *= dz
        d2s *= c
        d2s += vc * ds
        d2s *= a
        dz *= ds
        out[part, 0] = s @ b + dz @ a
        ds *= c * b
        ds += d2s
        out[part, 1:] = ds @ X

    parallel(len(theta), n, 8 * n, work, memory=memory)
    return out


def _radius(net: Shallow, X: ArrayLike) -> float:
    return float(np.linalg.norm(net.inputs(X), axis=1).max())


def jacobian_constant(net: Shallow, X: ArrayLike, c_max: float) -> float:
    """C_J = s0^2 + c_max^2 s1^2 X^2, the constant of Lemmas 16 and 22; infinite outside assumption A1.

    Parameters
    ----------
    net : Shallow
    X : ndarray, shape (n, d)
    c_max : float
        Bound of all output weights |c_i|.
    """
    c_max, (s0, s1, _) = positive("c_max", c_max, allow_zero=True), shallow(net).act.sup
    return s0**2 + (c_max * s1 * _radius(net, X)) ** 2


def curvature_constant(net: Shallow, X: ArrayLike, c_max: float) -> float:
    """C_H = s1 X + c_max s2 X^2, the constant of Lemmas 17 to 19 and 23; infinite outside assumption A1.

    Parameters are those of :func:`jacobian_constant`.
    """
    c_max, (_, s1, s2) = positive("c_max", c_max, allow_zero=True), shallow(net).act.sup
    radius = _radius(net, X)
    return s1 * radius + c_max * s2 * radius**2


def curvature_level(at, a: ArrayLike) -> float:
    """eps = m^{beta - 1} C_H sqrt n |a|, in the units of gamma: every gamma above it is safe (Lemma 20).

    Parameters
    ----------
    at : ShallowTangent
    a : ndarray, shape (n,)
        Gradient of the loss with respect to the outputs, r / n for the mean square.

    Raises
    ------
    ParameterError
        If `at` is not the tangent of a network with one hidden layer.
    ShapeError, DataTypeError, NonFiniteError
        If `a` is not of this shape, or not of finite real numbers.
    """
    shallow(require_tangent(at).net)
    a = at._weights("a", a)
    constant = curvature_constant(at.net, at.X, float(np.abs(at.theta[:, 0]).max()))
    return float(at.kernel_scale * at.scale * constant * np.sqrt(len(at.X)) * np.linalg.norm(a))
