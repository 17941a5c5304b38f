"""Infinite width as the formulas are written: sampled neurons, a rule over the plane, a recursion of linear solves."""

from __future__ import annotations

import numpy as np

from ..exceptions import Array
from ..networks.activations import Activation
from ..networks.shallow.spec import Shallow


def limit_ntk_monte_carlo(net: Shallow, X: Array, samples: int, rng) -> tuple[Array, Array]:
    """Equation (15) by sampling neurons: mean and standard error of every entry, each of shape (n, n)."""
    X = net.inputs(X)
    rng = np.random.default_rng(rng)
    z = X @ (net.weight_std * rng.standard_normal((X.shape[1], samples)))
    c2 = rng.uniform(-(3**0.5), 3**0.5, samples) ** 2
    s, ds, _ = net.act.rows(z)
    s, ds = s * (net.trains != "inner"), ds * (net.trains != "outer")
    mean, error = np.empty((len(X), len(X))), np.empty((len(X), len(X)))
    for j in range(len(X)):
        draws = (s[j] * s + c2 * ds[j] * ds * (X @ X[j])[:, None]) / len(X)
        mean[j], error[j] = draws.mean(axis=1), draws.std(axis=1, ddof=1) / np.sqrt(samples)
    return mean, error


def dual_activation(act: Activation, q1: float, q2: float, theta: float) -> tuple[float, float]:
    """E[sigma sigma] and E[sigma' sigma'] of one pair of inputs by the trapezoidal rule over the plane, to 1e-17.

    sigma(sqrt(q) z) is analytic for |Im z| < a = strip / sqrt(q): the error is of the size exp(-2 pi a / h + a^2 / 2).
    """
    a = act.strip / np.sqrt(max(q1, q2))
    h = 2 * np.pi * a / (50 + a * a / 2)
    z = h * np.arange(-int(9.5 / h), int(9.5 / h) + 1)
    weight = h * np.exp(-z * z / 2) / np.sqrt(2 * np.pi)
    u, v = np.sqrt(q1) * z, np.sqrt(q2) * (np.cos(theta) * z[:, None] + np.sin(theta) * z)
    (s1, ds1, _), (s2, ds2, _) = act.rows(u), act.rows(v)
    return float((s1 * weight) @ s2 @ weight), float((ds1 * weight) @ ds2 @ weight)


def limit_recursion(
    A: Array, y: Array, steps: int, method: str, gamma: float = 0.0, alpha: float = 1.0, eta: float = 0.0, rows=None
) -> tuple[Array, Array | None]:
    """Equation (16) as a recursion with linear solves, from g_0 = 0; the flow by its matrix exponential.

    Returns the outputs on the samples (steps + 1, n) and off them (steps + 1, q) or None.
    """
    from scipy.linalg import expm

    n = len(y)
    g, off = np.zeros(n), None if rows is None else np.zeros(len(rows))
    path, path_off = [g], [off]
    for _ in range(steps):
        r = g - y
        if method in ("newton", "gauss-newton"):
            move = alpha * np.linalg.solve(A + gamma * np.eye(n), r)
        elif method == "gradient-descent":
            move = eta * r
        else:
            move = np.linalg.solve(A, r - expm(-eta * A) @ r)
        g = g - A @ move
        path.append(g)
        if rows is not None:
            off = off - rows @ move
            path_off.append(off)
    return np.array(path), None if rows is None else np.array(path_off)
