r"""Slow literal twins: the formulas as they are written, with loops and dense matrices.

Every fast routine of the library has a twin here that a reader can check against the page, and a test compares the two.
Nothing here is checked, chunked or clever. ``theta`` may be complex, for derivatives by the complex step.
"""

from __future__ import annotations

import numpy as np

from .activations import Activation
from .checks import Array
from .shallow import Shallow


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


def limit_ntk_monte_carlo(net: Shallow, X: Array, samples: int, rng) -> tuple[Array, Array]:
    """Equation (15) by sampling neurons: mean and standard error of every entry, each of shape (n, n)."""
    X = net.inputs(X)
    rng = np.random.default_rng(rng)
    z = X @ (net.weight_std * rng.standard_normal((X.shape[1], samples)))
    c2 = rng.uniform(-(3**0.5), 3**0.5, samples) ** 2
    s, ds, _ = net.act.rows(z)
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


def trust_region(H: Array, g: Array, radius: float) -> tuple[Array, float]:
    """Global minimizer of g.p + p.H p / 2 over |p| <= radius, and the multiplier of the ball, from one eigenproblem.

    Adachi, Iwata, Nakatsukasa, Takeda (2017), SIAM J. Optim. 27(1): when the ball binds, the multiplier is the
    rightmost eigenvalue of [[-H, g g^T / radius^2], [I, -H]]; here with both off-diagonal blocks scaled to the size
    |g| / radius, which changes no eigenvalue. No Newton step and no iteration on the multiplier enters.

    Parameters
    ----------
    H : ndarray, shape (N, N)
        Symmetric, may be indefinite.
    g : ndarray, shape (N,)
    radius : float

    Returns
    -------
    p : ndarray, shape (N,)
        In the hard case (g orthogonal to the lowest eigenvectors, and the solution of the rest shorter than the
        radius) there are several minimizers; this one goes to the sphere along the first eigenvector.
    multiplier : float
        Zero if the ball does not bind.
    """
    size, identity, (mu, V) = np.linalg.norm(g), np.eye(len(g)), np.linalg.eigh(H)
    tiny = 100 * len(g) * np.finfo(float).eps  # eigenvalues and components below it are rounding
    if mu[0] > tiny * mu[-1] and np.linalg.norm(np.linalg.solve(H, g)) <= radius:
        return -np.linalg.solve(H, g), 0.0
    lowest = mu <= mu[0] + tiny * np.abs(mu).max()
    p = -V[:, ~lowest] @ (V[:, ~lowest].T @ g / (mu[~lowest] - mu[0]))
    if np.linalg.norm(V[:, lowest].T @ g) <= tiny * size and np.linalg.norm(p) <= radius:
        return p + np.sqrt(radius**2 - p @ p) * V[:, 0], max(0.0, float(-mu[0]))
    scale = size / radius
    pencil = np.block([[-H, np.outer(g, g) / (size * radius)], [scale * identity, -H]])
    multiplier = np.linalg.eigvals(pencil).real.max()
    return -np.linalg.solve(H + multiplier * identity, g), float(multiplier)
