"""A shallow network as its formulas are written: loops over samples and neurons, dense matrices."""

from __future__ import annotations

import numpy as np

from ..exceptions import Array
from ..networks.shallow.spec import Shallow


def forward(net: Shallow, theta: Array, X: Array) -> Array:
    """Equation (1): f(x_j) = m^{-beta} sum_i c_i sigma(w_i . x_j), shape (n,)."""
    X = net.inputs(X)
    f = np.zeros(len(X), dtype=theta.dtype)
    for j, x in enumerate(X):
        for neuron in theta:
            c, w = neuron[0], neuron[1:]
            f[j] += c * net.act.f(w @ x)
    return f * len(theta) ** -net.beta


def jacobian(net: Shallow, theta: Array, X: Array) -> Array:
    """Equations (33)-(35), row by row: shape (n, m p)."""
    X = net.inputs(X)
    J = np.zeros((len(X), theta.size))
    p = theta.shape[1]
    for j, x in enumerate(X):
        for i, neuron in enumerate(theta):
            c, w = neuron[0], neuron[1:]
            J[j, i * p] = net.act.f(w @ x)
            J[j, i * p + 1 : (i + 1) * p] = c * net.act.df(w @ x) * x
    return J * len(theta) ** -net.beta


def complex_step_jacobian(net: Shallow, theta: Array, X: Array, h: float = 1e-30) -> Array:
    """Jacobian by the complex step Im f(theta + i h e) / h, exact to rounding for analytic activations; (n, m p)."""
    columns = []
    for k in range(theta.size):
        shifted = theta.astype(complex)
        shifted.flat[k] += 1j * h
        columns.append(forward(net, shifted, X).imag / h)
    return np.stack(columns, axis=1)


def mixed_differences(function, v: Array, h: float) -> Array:
    """Differences of four points for all pairs of coordinates, about the Hessian of a function of v; (v.size, v.size).

    A sum of functions of one coordinate each gives zero off the diagonal for every h, not only in the limit.
    """
    steps = h * np.eye(v.size)

    def four(a, b):
        return function(v + a + b) - function(v + a - b) - function(v - a + b) + function(v - a - b)

    return np.array([[four(a, b) for b in steps] for a in steps]) / (4 * h * h)


def network_hessian(net: Shallow, theta: Array, x: Array) -> Array:
    """Equations (37)-(39): dense Hessian of the output f(x) at one sample, shape (m p, m p)."""
    [x] = net.inputs(x[None, :])
    m, p = theta.shape
    H = np.zeros((m * p, m * p))
    for i, neuron in enumerate(theta):
        c, w = neuron[0], neuron[1:]
        block = np.zeros((p, p))
        block[0, 1:] = block[1:, 0] = net.act.df(w @ x) * x
        block[1:, 1:] = c * net.act.d2f(w @ x) * np.outer(x, x)
        H[i * p : (i + 1) * p, i * p : (i + 1) * p] = block
    return H * m**-net.beta


def hessian(net: Shallow, theta: Array, X: Array, y: Array) -> Array:
    """Equation (36): J^T J / n + (1/n) sum_j r_j Hess f(x_j), dense, shape (m p, m p)."""
    J, r = jacobian(net, theta, X), forward(net, theta, X) - y
    return (J.T @ J + sum(rj * network_hessian(net, theta, x) for rj, x in zip(r, X, strict=True))) / len(y)


def newton_step(net: Shallow, theta: Array, X: Array, y: Array, gamma: float) -> Array:
    """Equation (4): solve (Hess L + gamma m^{1 - 2 beta} I) Delta = -grad L with dense matrices, shape (m, p)."""
    gradient = jacobian(net, theta, X).T @ (forward(net, theta, X) - y) / len(y)
    system = hessian(net, theta, X, y) + gamma * len(theta) ** (1 - 2 * net.beta) * np.eye(theta.size)
    return np.linalg.solve(system, -gradient).reshape(theta.shape)


def newton_step_neuronwise(net: Shallow, theta: Array, X: Array, y: Array, gamma: float) -> Array:
    """Formula (8) neuron by neuron, in the scaled quantities of (50): two loops over the neurons, shape (m, p)."""
    m, p = theta.shape
    n = len(y)
    Xb = net.inputs(X)
    r = forward(net, theta, X) - y
    B, parts = np.zeros((n, n)), []
    for neuron in theta:
        c, w = neuron[0], neuron[1:]
        z = Xb @ w
        J = np.column_stack([net.act.f(z), c * net.act.df(z)[:, None] * Xb])  # unscaled, shape (n, p)
        D = gamma * np.eye(p)
        for j in range(n):
            H = np.zeros((p, p))
            H[0, 1:] = H[1:, 0] = net.act.df(z[j]) * Xb[j]
            H[1:, 1:] = c * net.act.d2f(z[j]) * np.outer(Xb[j], Xb[j])
            D += m ** (net.beta - 1) * r[j] * H / n
        B += J @ np.linalg.solve(D, J.T) / (m * n)
        parts.append((J, D))
    a = np.linalg.solve(np.eye(n) + B, r)
    return np.stack([-(m ** (net.beta - 1)) * np.linalg.solve(D, J.T @ a) / n for J, D in parts])


def gauss_newton_step(net: Shallow, theta: Array, X: Array, y: Array, gamma: float) -> Array:
    """Gauss-Newton in parameter space: (J^T J / n + gamma m^{1 - 2 beta} I) Delta = -grad L, shape (m, p)."""
    J, r = jacobian(net, theta, X), forward(net, theta, X) - y
    system = J.T @ J / len(y) + gamma * len(theta) ** (1 - 2 * net.beta) * np.eye(theta.size)
    return np.linalg.solve(system, -J.T @ r / len(y)).reshape(theta.shape)
