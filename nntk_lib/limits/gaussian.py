r"""Dual activations E[sigma(u) sigma(v)] and E[sigma'(u) sigma'(v)] of all pairs of inputs, tile by tile.

They have closed forms for erf (Williams 1997), ReLU (Cho and Saul 2009) and sine; for every other analytic activation
they are computed to rounding error by :mod:`nntk_lib.limits.quadrature`. Its error bounds choose the rule: a tile of
pairs takes as many Hermite terms as nearly all of its pairs need, the few others go on in a list, and what is left at
the end goes to the trapezoidal rule.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from ..exceptions import Array, ParameterError, ShapeError, finite_array, instance, positive
from ..networks.activations import Activation
from .quadrature import EPS, FEW, HermiteSeries, trapezoid

#: Pairs in a tile. An array of them takes 0.5 MB; with a quarter NumPy's call overhead costs a factor 1.4.
TILE = 2**16

Key = tuple[slice | Array, slice | Array]  # a tile of pairs (two slices) or a list of them (two index arrays)


def _erf_dual(q1: Array, q2: Array, theta: Array) -> Array:
    q12 = np.sqrt(q1 * q2) * np.cos(theta)
    det = 1 + 2 * q1 + 2 * q2 + 4 * q1 * q2 * np.sin(theta) ** 2  # (1 + 2 q1)(1 + 2 q2) - 4 q12^2, no cancellation
    return np.stack([2 / np.pi * np.arctan2(2 * q12, np.sqrt(det)), 4 / np.pi / np.sqrt(det)])


def _relu_dual(q1: Array, q2: Array, theta: Array) -> Array:
    first = np.sqrt(q1 * q2) / (2 * np.pi) * (np.sin(theta) + (np.pi - theta) * np.cos(theta))
    return np.stack([first, (np.pi - theta) / (2 * np.pi)])


def _sine_dual(q1: Array, q2: Array, theta: Array) -> Array:
    """exp(-(q1 + q2) / 2) times sinh and cosh of q12, with exponents that do not cancel."""
    apart, product = (np.sqrt(q1) - np.sqrt(q2)) ** 2 / 2, 2 * np.sqrt(q1 * q2)
    plus = np.exp(-apart - product * np.sin(theta / 2) ** 2)
    minus = np.exp(-apart - product * np.cos(theta / 2) ** 2)
    q12 = product / 2 * np.cos(theta)
    small = np.exp(-(q1 + q2) / 2) * np.sinh(np.clip(q12, -1, 1))
    return np.stack([np.where(np.abs(q12) < 1, small, (plus - minus) / 2), (plus + minus) / 2])


def _sine_growth(q1: Array, q2: Array, theta: Array) -> Array:
    """How many units of rounding error the exponents of the sine's dual may lose."""
    root1, root2 = np.sqrt(q1), np.sqrt(q2)
    return 1 + np.maximum(root1, root2) * np.abs(root1 - root2) + root1 * root2 * np.abs(np.sin(theta))


CLOSED_FORMS = {"erf": _erf_dual, "relu": _relu_dual, "sine": _sine_dual}


def tiles(rows: int, columns: int, symmetric: bool = False) -> Iterator[tuple[slice, slice]]:
    """Cut a matrix, or what lies right of its diagonal tiles, into tiles of rows with about TILE entries."""
    start = 0
    while start < rows:
        first = start if symmetric else 0
        stop = min(rows, start + max(1, TILE // (columns - first)))
        yield slice(start, stop), slice(first, columns)
        start = stop


def dual_tiles(
    act: Activation, q1: Array, q2: Array | None, rho: Callable[[Key], Array], theta: Callable[[Key], Array], tol: float
) -> Iterator[tuple[Key, Array, Array]]:
    """Dual activations of a matrix of pairs, part by part; where a pair occurs twice the last one counts.

    Parameters
    ----------
    act : Activation
    q1 : ndarray, shape (q,)
    q2 : ndarray, shape (n,), or None
        Variances. Without q2 the pairs are symmetric, and what lies left of the diagonal tiles is left out.
    rho, theta : callable
        Correlations and angles of the pairs of a key.
    tol : float
        See :func:`dual_activation`.

    Yields
    ------
    key : pair of slices, or pair of index arrays
    values, errors : ndarray, shape (2, *shape of the key)
    """
    columns, symmetric = (q1, True) if q2 is None else (q2, False)
    parts = tiles(len(q1), len(columns), symmetric)
    if act.name in CLOSED_FORMS:
        dual = CLOSED_FORMS[act.name]
        sizes = [np.sqrt(dual(q, q, np.zeros_like(q))) for q in (q1, columns)]  # of what Cauchy and Schwarz allow
        for key in parts:
            pairs = q1[key[0], None], columns[key[1]], theta(key)
            growth = _sine_growth(*pairs) if act.name == "sine" else 1
            yield key, dual(*pairs), 8 * EPS * growth * sizes[0][:, key[0], None] * sizes[1][:, None, key[1]]
        return
    shift = 0 if symmetric else len(q1)  # of the columns' variances in the series
    series = HermiteSeries(act, q1 if symmetric else np.concatenate([q1, q2]))
    numbers = np.arange(len(series.q))
    few, hopeless = [], []
    while True:
        for key in parts:
            i, j = numbers[key[0]], numbers[shift:][key[1]]
            values, errors, unfinished, exhausted = series.sums(i, j, rho(key), tol)
            yield key, values, errors
            left = np.argwhere(unfinished).T
            if left.size:
                i, j = i[left[0]], j[left[-1]] - shift
                once = (i <= j) | (not symmetric)
                (hopeless if exhausted else few).append((i[once], j[once]))
        if not few:
            break
        i, j = (np.concatenate(k) for k in zip(*few, strict=True))
        if FEW * len(i) <= len(series.q):  # so few that more coefficients of all samples would take longer
            hopeless.append((i, j))
            break
        parts, few = [(i[s : s + TILE], j[s : s + TILE]) for s in range(0, len(i), TILE)], []
    for key in hopeless:
        yield key, *trapezoid(act, q1[key[0]], columns[key[1]], theta(key))


def dual_activation(act: Activation, q1: Array, q2: Array, theta: Array, tol: float = 1e-14) -> tuple[Array, Array]:
    """Dual activations E[sigma(u) sigma(v)] and E[sigma'(u) sigma'(v)] for all pairs of inputs.

    Parameters
    ----------
    act : Activation
    q1 : ndarray, shape (q,)
    q2 : ndarray, shape (n,)
        Variances of u and v.
    theta : ndarray, shape (q, n)
        Angles between the inputs, the correlations being cos(theta).
    tol : float
        Truncation error allowed, relative to ((1 + E[phi(u)^2]) (1 + E[phi(v)^2]))^{1/2}, phi = sigma and sigma'.
        Rounding errors are about 4e-15 times (E[phi(u)^2] E[phi(v)^2])^{1/2}.

    Returns
    -------
    values, errors : ndarray, shape (2, q, n)
        The second array estimates the absolute error (bounds it, for the Hermite expansion).

    Raises
    ------
    ParameterError
        If `act` is no activation, a variance is negative, or `tol` is not positive.
    ShapeError, DataTypeError, NonFiniteError
        If an array is not of its shape, or not of finite real numbers.
    """
    instance("act", act, Activation, "tanh of nntk_lib.networks"), positive("tol", tol)
    q1, q2, theta = finite_array("q1", q1, 1), finite_array("q2", q2, 1), finite_array("theta", theta, 2)
    if theta.shape != (len(q1), len(q2)):
        raise ShapeError(f"theta has shape {theta.shape}, expected ({len(q1)}, {len(q2)}): an angle for every pair.")
    if min(q1.min(), q2.min()) < 0:
        raise ParameterError(f"q1 and q2 are variances, and one is {min(q1.min(), q2.min()):g}. Give squares.")
    values, errors = np.empty((2, *theta.shape)), np.empty((2, *theta.shape))
    for (i, j), *part in dual_tiles(act, q1, q2, lambda key: np.cos(theta[key]), lambda key: theta[key], tol):
        values[:, i, j], errors[:, i, j] = part
    return values, errors
