r"""Training in function space: the deterministic limit of infinitely wide networks.

On the samples the residual r_k = g_k - y obeys a linear recursion, Riedl et al. (16),

    Newton, Gauss-Newton   r_{k+1} = r_k - alpha K r_k,
                           K       = A (A + gamma I)^{-1},
    gradient descent       r_{k+1} = r_k - eta A r_k,
    gradient flow          r'(t)   = - eta A r(t),        sampled at t = k,

so in an eigenvector of A with eigenvalue lambda it is multiplied, a step, by

    1 - alpha lambda / (lambda + gamma),    1 - eta lambda,    exp(-eta lambda).

With alpha = 1 Newton's factor is gamma / (lambda + gamma): k steps are k-times iterated Tikhonov regularization, while
gradient descent is Landweber iteration. These factors, and those of other methods, are the objects of
:mod:`nntk_lib.limits.filters`. Off the samples, with the kernel row a(x) between x and the data,

    g_{k+1}(x) = g_k(x) - alpha a(x) (A + gamma I)^{-1} r_k,

and for every method the limit is the same minimum-norm interpolant a(x) A^{-1} y.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from ..exceptions import Array, ShapeError, finite_array, integer, kernel_matrix, positive, same_length, semidefinite
from .filters import FILTERS, Filter, get_filter
from .kernels import require_nonsingular

METHODS = tuple(FILTERS)


@dataclass(frozen=True, eq=False)
class Modes:
    """Eigenvalues (descending) and orthonormal eigenvectors (columns of Q) of a kernel matrix."""

    lam: Array
    Q: Array = field(repr=False)


@dataclass(frozen=True, eq=False)
class LimitPath:
    """A trajectory in function space.

    Attributes
    ----------
    g : ndarray, shape (steps + 1, n)
        Outputs on the samples.
    residual : ndarray, shape (steps + 1, n)
    coefficients : ndarray, shape (steps + 1, n)
        Residual in the eigenvectors of A, in the order of ``modes``.
    loss : ndarray, shape (steps + 1,)
        1/(2n) times the squared norm of the residual.
    g_test : ndarray, shape (steps + 1, q), or None
        Outputs off the training set.
    modes : Modes
    """

    g: Array = field(repr=False)
    residual: Array = field(repr=False)
    coefficients: Array = field(repr=False)
    loss: Array
    g_test: Array | None = field(repr=False)
    modes: Modes = field(repr=False)


def eigenmodes(A: ArrayLike) -> Modes:
    """Eigendecomposition of a symmetric kernel matrix, eigenvalues descending.

    Raises
    ------
    ShapeError
        If A is not square, or not symmetric to 1e-6; closer than that the mean with its transpose is taken.
    """
    lam, Q = np.linalg.eigh(kernel_matrix("A", A))
    return Modes(lam[::-1].copy(), Q[:, ::-1].copy())


def mode_factor(
    lam: ArrayLike, method: str | Filter, gamma: float | None = None, alpha: float = 1.0, eta: float | None = None
) -> Array:
    """Factor by which one step multiplies the residual in an eigenvector of A with eigenvalue `lam`.

    Parameters
    ----------
    lam : array_like
        Eigenvalues of A.
    method : {"newton", "gauss-newton", "gradient-descent", "gradient-flow"} or Filter
        A filter has its parameters already.
    gamma, alpha : float
        Regularization and step size of Newton and Gauss-Newton.
    eta : float
        Learning rate of gradient descent, or time a step of the flow, in the units of A.

    Returns
    -------
    ndarray, of the shape of `lam`

    Examples
    --------
    >>> mode_factor([1.0, 0.01], "newton", gamma=0.01).round(4).tolist()
    [0.0099, 0.5]
    >>> mode_factor([1.0, 0.01], "gradient-descent", eta=1.0).tolist()
    [0.0, 0.99]
    """
    return get_filter(method, gamma, alpha, eta).factor(lam)


def max_alpha(A: ArrayLike, gamma: float) -> float:
    """Largest step size of Theorem 4, 2 / (lambda_min(K) + lambda_max(K)) for K = A (A + gamma I)^{-1}; at least 1."""
    lam = semidefinite("A", eigenmodes(A).lam)
    k = lam / (lam + positive("gamma", gamma))
    return float(2 / (k[0] + k[-1]))


def trajectory(
    A: ArrayLike,
    y: ArrayLike,
    steps: int,
    method: str | Filter = "newton",
    gamma: float | None = None,
    alpha: float = 1.0,
    eta: float | None = None,
    rows: ArrayLike | None = None,
    g0: ArrayLike | None = None,
) -> LimitPath:
    """Trajectory of the infinitely wide network, Riedl et al. (16), from the eigendecomposition of A.

    Parameters
    ----------
    A : ndarray, shape (n, n)
        Limit tangent kernel of :func:`nntk_lib.limits.kernels.limit_ntk`.
    y : ndarray, shape (n,)
    steps : int
    method, gamma, alpha, eta
        See :func:`mode_factor`. Newton and Gauss-Newton have the same limit. A filter of :mod:`nntk_lib.limits.filters`
        in place of the name has its own parameters.
    rows : ndarray, shape (q, n), optional
        Kernel rows a(x) of points off the training set.
    g0 : ndarray, shape (n,), optional
        Outputs at step 0; zero in the limit. Off the training set the start is zero.

    Returns
    -------
    LimitPath

    Raises
    ------
    StepSizeError
        If the step size makes a mode grow: alpha >= 2/lambda_max(K), or eta >= 2/lambda_max(A).
    SingularKernelError
        If gamma = 0 and A is singular, or A has negative eigenvalues.
    ParameterError, ShapeError, NonFiniteError
        If the method is unknown, `steps` is not a count, or an array does not fit.

    Examples
    --------
    >>> A, y = np.diag([1.0, 0.1]), [1.0, 1.0]
    >>> path = trajectory(A, y, steps=2, method="newton", gamma=0.1)
    >>> path.residual[1].round(4).tolist()
    [-0.0909, -0.5]
    """
    modes = eigenmodes(A)
    y = same_length("y", finite_array("y", y, 1), len(modes.lam), "A")
    start = np.zeros_like(y) if g0 is None else same_length("g0", finite_array("g0", g0, 1), len(y), "y")
    steps, step = integer("steps", steps, 0), get_filter(method, gamma, alpha, eta)
    if step.inverts:
        require_nonsingular(modes.Q, modes.lam[::-1])
    lam = semidefinite("A", modes.lam)
    step.require_stable(lam, method if isinstance(method, str) else None)
    gain, factor = step.gain(lam), step.factor(lam)
    powers = factor ** np.arange(steps + 1)[:, None]
    coefficients = powers * (modes.Q.T @ (start - y))
    residual = coefficients @ modes.Q.T
    g_test = None
    if rows is not None:
        rows = off_samples(rows, len(y))
        summed = np.vstack([np.zeros_like(lam), np.cumsum(powers[:-1], axis=0)])
        g_test = (summed * gain * (modes.Q.T @ (y - start))) @ modes.Q.T @ rows.T
    loss = (residual**2).sum(axis=1) / (2 * len(y))
    return LimitPath(y + residual, residual, coefficients, loss, g_test, modes)


def interpolant(A: ArrayLike, y: ArrayLike, rows: ArrayLike) -> Array:
    """Minimum-norm interpolant a(x) A^{-1} y, the limit of every method off the training set.

    Returns
    -------
    ndarray, shape (q,)

    Raises
    ------
    SingularKernelError
        If A is singular to working precision.
    """
    A = require_nonsingular(kernel_matrix("A", A))
    y = same_length("y", finite_array("y", y, 1), len(A), "A")
    return off_samples(rows, len(A)) @ np.linalg.solve(A, y)


def off_samples(rows: ArrayLike, n: int) -> Array:
    """The kernel rows of points off the training set, with one column a sample, else `ShapeError`."""
    rows = finite_array("rows", rows, 2)
    if rows.shape[1] != n:
        raise ShapeError(f"rows has {rows.shape[1]} columns, expected one per sample ({n}).")
    return rows
