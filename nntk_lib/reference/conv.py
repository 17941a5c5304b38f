r"""Residual convolutional networks pixel by pixel, and their dense Jacobian by the complex step.

The formulas of :mod:`nntk_lib.networks.conv.spec`, with loops over samples, pixels and channels. ``theta`` is a vector,
shape (P,), or a matrix with a vector in every column, shape (P, K); then each number of the network is a vector of K
numbers. It may be complex. Nothing is shared with the fast routines but the specification and the activations.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..exceptions import Array
from ..networks.conv.spec import Residual
from ..networks.deep import second_moment

FLOOR = 1e-5


def _take(parameters: Iterator[Array], *shape: int) -> Array:
    """The next prod(shape) parameters, as an array of that shape (and a last axis for the columns of theta)."""
    rows = [next(parameters) for _ in range(int(np.prod(shape)))]
    return np.array(rows).reshape(*shape, *np.shape(rows[0]))


def _convolution(x: Array, outs: int, parameters: Iterator[Array]) -> Array:
    """y[j, r, s, o] = sum over pixels and channels of W[o, a, b, i] x[j, r + a - 1, s + b - 1, i] / sqrt(9 ins)."""
    n, h, w, ins = x.shape[:4]
    W = _take(parameters, outs, 3, 3, ins)
    y = np.zeros((n, h, w, outs, *W.shape[4:]), np.result_type(x, W))
    for j in range(n):
        for r in range(h):
            for s in range(w):
                for o in range(outs):
                    for a in range(3):
                        for b in range(3):
                            if 0 <= r + a - 1 < h and 0 <= s + b - 1 < w:  # zeros around the image
                                y[j, r, s, o] += (W[o, a, b] * x[j, r + a - 1, s + b - 1]).sum(axis=0)
    return y / np.sqrt(9 * ins)


def _normalization(x: Array, groups: int | str) -> Array:
    """(x - mean) / sqrt(variance + floor), group by group of each sample, or channel by channel of the batch."""
    y, channels = np.empty_like(x), x.shape[3]
    if groups == "batch":
        parts = [(slice(None), slice(k, k + 1)) for k in range(channels)]
    else:
        size = channels // groups
        parts = [(slice(j, j + 1), slice(g * size, (g + 1) * size)) for j in range(len(x)) for g in range(groups)]
    for samples, group in parts:
        block = x[samples, :, :, group]
        numbers = block.reshape(-1, *block.shape[4:])
        mean = sum(numbers) / len(numbers)
        variance = sum((number - mean) ** 2 for number in numbers) / len(numbers)
        y[samples, :, :, group] = (block - mean) / np.sqrt(variance + FLOOR)
    return y


def _unit(net: Residual, x: Array, parameters: Iterator[Array]) -> Array:
    """sqrt(a) sigma(a' norm(x) + b'), or sqrt(a) sigma(x) without normalization."""
    if net.groups is not None:
        x = _normalization(x, net.groups)
        if net.affine:
            factor, shift = _take(parameters, 2, x.shape[3])
            x = factor * x + shift
    return net.act.f(x) / np.sqrt(second_moment(net.act))


def _pooled(x: Array, k: int) -> Array:
    n, h, w, c = x.shape[:4]
    y = np.zeros((n, h // k, w // k, c, *x.shape[4:]), x.dtype)
    for r in range(h):
        for s in range(w):
            y[:, r // k, s // k] += x[:, r, s] / k**2
    return y


def forward(net: Residual, theta: Array, X: Array) -> Array:
    """The outputs, shape (n, C), or (n, C, K) for the K columns of theta."""
    parameters = iter(theta)
    x = X[..., None] if theta.ndim == 2 else X
    for i, channels in enumerate(net.channels):
        if i > 0:
            x = _pooled(x, net.pool)
        x = _convolution(x, channels, parameters)
        for _ in range(net.blocks):
            y = _convolution(_unit(net, x, parameters), channels, parameters)
            y = _convolution(_unit(net, y, parameters), channels, parameters)
            x = x + y / np.sqrt(net.blocks * len(net.channels))
    x = _unit(net, x, parameters)
    n, h, w, c = x.shape[:4]
    W, f = _take(parameters, net.outputs, c), []
    for j in range(n):
        mean = sum(x[j, r, s] for r in range(h) for s in range(w)) / (h * w)
        f.append([(W[o] * mean).sum(axis=0) / np.sqrt(c) for o in range(net.outputs)])
    return np.array(f)


def jacobian(net: Residual, theta: Array, X: Array, h: float = 1e-30) -> Array:
    """Im f(theta + i h e) / h for every unit vector e, exact to rounding for analytic activations: shape (n C, P).

    Frozen layers are not left out.
    """
    shifted = theta[:, None] + 1j * h * np.eye(theta.size)
    return forward(net, shifted, X).imag.reshape(-1, theta.size) / h
