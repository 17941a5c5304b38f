"""The trust-region problem, solved without a word about damping."""

from __future__ import annotations

import numpy as np

from ..exceptions import Array


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
