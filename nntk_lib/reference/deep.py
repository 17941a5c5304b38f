r"""Slow literal twins of :mod:`nntk_lib.networks.deep` and :mod:`nntk_lib.limits.depth`: loops over samples and units.

Nothing here is checked or clever. ``theta`` may be complex, for derivatives by the complex step, which are exact to
rounding where the activation is analytic (for ReLU, away from the kink).
"""

from __future__ import annotations

import numpy as np

from ..exceptions import Array
from ..networks.deep import Deep
from . import dual_activation


def _input(net: Deep, x: Array) -> list:
    """u(x): the constant 1 appended, then divided by the root of the number of coordinates."""
    u = [*x, 1.0] if net.bias else [*x]
    return [value / np.sqrt(len(u)) for value in u] if net.normalize_inputs else u


def forward(net: Deep, theta: Array, X: Array) -> Array:
    """z = W a, then sqrt(gain / m) sigma(z), layer by layer; shape (n, C), also for C = 1."""
    f = np.zeros((len(X), net.outputs), theta.dtype)
    for j, x in enumerate(X):
        a = _input(net, x)
        for l, W in enumerate(net.layers(theta, X.shape[1])):
            z = [sum(w * value for w, value in zip(row, a, strict=True)) for row in W]
            if l < len(net.widths):
                a = [np.sqrt(net.constant / len(W)) * net.act.f(value) for value in z]
        f[j] = [net.scale * value for value in z]
    return f


def jacobian(net: Deep, theta: Array, X: Array, h: float = 1e-30) -> Array:
    """Im f(theta + i h e) / h, parameter by parameter, 0 for frozen ones; shape (n C, P)."""
    columns = []
    for k in range(theta.size):
        moved = theta.astype(complex)
        moved[k] += 1j * h
        columns.append(_trains(net, X)[k] * forward(net, moved, X).imag.ravel() / h)
    return np.stack(columns, axis=1)


def gram(net: Deep, theta: Array, X: Array) -> Array:
    """J J^T, shape (n C, n C)."""
    J = jacobian(net, theta, X)
    return J @ J.T


def jvp(net: Deep, theta: Array, X: Array, v: Array) -> Array:
    """J v by the product rule in every unit; shape (n, C)."""
    v = v * _trains(net, X)
    df = np.zeros((len(X), net.outputs), np.result_type(theta, v))
    for j, x in enumerate(X):
        a, da = _input(net, x), [0.0] * (len(x) + net.bias)
        for l, (W, V) in enumerate(zip(*(net.layers(t, X.shape[1]) for t in (theta, v)), strict=True)):
            z = [W[i] @ np.array(a) for i in range(len(W))]
            dz = [W[i] @ np.array(da) + V[i] @ np.array(a) for i in range(len(W))]
            if l < len(net.widths):
                q = np.sqrt(net.constant / len(W))
                a = [q * net.act.f(z[i]) for i in range(len(W))]
                da = [q * net.act.df(z[i]) * dz[i] for i in range(len(W))]
        df[j] = [net.scale * value for value in dz]
    return df


def second(net: Deep, theta: Array, X: Array, v: Array, w: Array, h: float = 1e-30) -> Array:
    """D^2 f [v, w] as Im (J(theta + i h w) v) / h, exact to rounding for analytic activations; shape (n, C)."""
    return jvp(net, theta + 1j * h * w * _trains(net, X), X, v).imag / h


def _trains(net: Deep, X: Array) -> Array:
    """1 for a parameter that trains, 0 for a frozen one."""
    mask = np.ones(net.size(X.shape[1]))
    for l in net.frozen:
        net.layers(mask, X.shape[1])[l][...] = 0
    return mask


def limit_ntk(net: Deep, x: Array, y: Array) -> float:
    """Tangent kernel of the infinitely wide network at two samples: the recursion over depth, one pair at a time."""
    u, v = np.array(_input(net, x)), np.array(_input(net, y))
    uu, vv, uv = u @ u, v @ v, u @ v
    terms = [0.0 if 0 in net.frozen else uv]
    for l in range(1, len(net.widths) + 1):
        theta = np.arccos(np.clip(uv / np.sqrt(uu * vv), -1, 1))
        s, ds = dual_activation(net.act, uu, vv, theta)
        uu, vv = (net.constant * dual_activation(net.act, q, q, 0.0)[0] for q in (uu, vv))
        terms = [term * net.constant * ds for term in terms]
        uv = net.constant * s
        terms.append(0.0 if l in net.frozen else uv)
    return net.scale**2 * sum(terms)
