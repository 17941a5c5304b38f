r"""Slow literal twins of the losses and of the steps: dense matrices in parameter space, loops over samples and layers.

A Jacobian J has one row for every output, in the order j * C + c. Nothing is checked. The losses take complex outputs,
for derivatives by the complex step.
"""

from __future__ import annotations

import numpy as np

from ..exceptions import Array


def square(f: Array, y: Array, weights: Array | None = None, b: float = 0.0) -> complex:
    """(1/n) sum_j a_j |r_j|^2 / 2 + b log cosh r_j with r = f - y, sample by sample."""
    total = 0
    for j in range(len(f)):
        for r in np.atleast_1d(f[j] - y[j]):
            total = total + (1 if weights is None else weights[j]) * r * r / 2 + b * np.log(np.cosh(r))
    return total / len(f)


def logistic(f: Array, y: Array, ridge: float = 0.0) -> complex:
    """(1/n) sum_j log(1 + exp(-y_j f_j)) + ridge f_j^2 / 2."""
    return sum(np.log(1 + np.exp(-t * u)) + ridge * u * u / 2 for u, t in zip(f.flat, y.flat, strict=True)) / len(f)


def cross_entropy(f: Array, y: Array) -> complex:
    """-(1/n) sum_j sum_c y_jc log(exp(f_jc) / sum_k exp(f_jk)) for targets of shape (n, C)."""
    total = 0
    for row, target in zip(f, y, strict=True):
        p = np.exp(row) / np.exp(row).sum()
        total = total - target @ np.log(p)
    return total / len(f)


def complex_step_gradient(value, f: Array, h: float = 1e-30) -> Array:
    """Gradient of value(f) by the complex step Im value(f + i h e) / h, exact to rounding."""
    g = np.zeros(f.shape)
    for k in np.ndindex(f.shape):
        shifted = f.astype(complex)
        shifted[k] += 1j * h
        g[k] = np.imag(value(shifted)) / h
    return g


def dense_factor(R: Array) -> Array:
    """A factor of the loss as a matrix of the order of the outputs."""
    if R.ndim < 3:
        return np.diag(R.ravel())
    n, C = R.shape[:2]
    out = np.zeros((n * C, n * C))
    for j in range(n):
        out[j * C : (j + 1) * C, j * C : (j + 1) * C] = R[j]
    return out


def gauss_newton(J: Array, R: Array, q: Array, a: float, b: float = 1.0) -> Array:
    """(b J^T R R^T J + a I) delta = -J^T R q by least squares with [b^{1/2} R^T J; a^{1/2} I], shape (P,).

    Its error is eps |q| in |R^T J delta|: it is no witness where q is much larger than g.
    """
    A = dense_factor(R).T @ J
    stacked = np.vstack([np.sqrt(b) * A, np.sqrt(a) * np.eye(A.shape[1])])
    right = np.concatenate([-q.ravel() / np.sqrt(b), np.zeros(A.shape[1])])
    Q, T = np.linalg.qr(stacked)
    return np.linalg.solve(T, Q.T @ right)


def spring(J: Array, R: Array, q: Array, a: float, b: float, mu: float, last: Array) -> Array:
    """argmin of q . A v + (b/2) |A v|^2 + (a/2) |v - mu last|^2 with A = R^T J, by least squares, shape (P,).

    For a = 0 there are many minimizers; this is the one nearest to mu last.
    """
    A, kept = dense_factor(R).T @ J, mu * last.ravel()
    stacked = np.vstack([np.sqrt(b) * A, np.sqrt(a) * np.eye(A.shape[1])])
    right = np.concatenate([-q.ravel() / np.sqrt(b) - np.sqrt(b) * A @ kept, np.zeros(A.shape[1])])
    return kept + np.linalg.lstsq(stacked, right, rcond=None)[0]


def momentum(gradients: list[Array], rate: float, mu: float, nesterov: bool = False) -> list[Array]:
    """The steps for given gradients, one after the other."""
    v, steps = np.zeros_like(gradients[0]), []
    for g in gradients:
        v = mu * v + g
        steps.append(-rate * (g + mu * v) if nesterov else -rate * v)
    return steps


def adam(gradients: list[Array], rate: float, b1: float, b2: float, eps: float) -> list[Array]:
    """Algorithm 1 of Kingma and Ba (2015) for given gradients, number by number."""
    m, v, steps = np.zeros(gradients[0].size), np.zeros(gradients[0].size), []
    for k, g in enumerate(gradients, start=1):
        step = np.zeros(g.size)
        for i, gi in enumerate(g.ravel()):
            m[i] = b1 * m[i] + (1 - b1) * gi
            v[i] = b2 * v[i] + (1 - b2) * gi**2
            step[i] = -rate * (m[i] / (1 - b1**k)) / ((v[i] / (1 - b2**k)) ** 0.5 + eps)
        steps.append(step.reshape(g.shape))
    return steps


def kfac_factors(a: Array, back: Array, H: Array) -> tuple[Array, Array]:
    """A and S of one layer, sample by sample; `back` of shape (C, n, fan_out), H of shape (n, C, C)."""
    n = len(a)
    A = sum(np.outer(a[j], a[j]) for j in range(n)) / n
    S = sum(back[:, j].T @ H[j] @ back[:, j] for j in range(n))
    return A, S


def kfac(A: Array, S: Array, G: Array, damping: float) -> Array:
    """One layer's K-FAC step by the explicit Kronecker product of the damped factors; G is its gradient."""
    pi = np.sqrt((np.trace(A) / len(A)) / (np.trace(S) / len(S)))
    left = S + np.sqrt(damping) / pi * np.eye(len(S))
    right = A + np.sqrt(damping) * pi * np.eye(len(A))
    return np.linalg.solve(np.kron(left, right), -G.ravel()).reshape(G.shape)
