r"""Kernels of infinitely wide networks.

The tangent kernel of the Newton paper, equation (15), with the factor 1/n of the loss inside:

    A_jl = (1/n) ( E[sigma(w.x_j) sigma(w.x_l)] + E[c^2] E[sigma'(w.x_j) sigma'(w.x_l)] x_j.x_l ),

and the Newton neural tangent kernel (14), K = A (A + gamma I)^{-1}. The two Gaussian expectations are the *dual
activations* of sigma and sigma'. They have closed forms for erf (Williams 1997), ReLU (Cho and Saul 2009) and sine;
for every other analytic activation they are computed to rounding error by :mod:`nntk_lib.quadrature`.
"""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import ArrayLike

from .activations import Activation
from .checks import (
    Array,
    AssumptionWarning,
    CollinearSamplesError,
    SingularKernelError,
    collinear_pairs,
    finite_array,
    positive,
)
from .quadrature import mehler, trapezoid
from .shallow import Shallow


def _erf_dual(q1: Array, q2: Array, theta: Array) -> Array:
    q12 = np.sqrt(q1 * q2) * np.cos(theta)
    det = 1 + 2 * q1 + 2 * q2 + 4 * q1 * q2 * np.sin(theta) ** 2  # (1 + 2 q1)(1 + 2 q2) - 4 q12^2, no cancellation
    return np.stack([2 / np.pi * np.arctan2(2 * q12, np.sqrt(det)), 4 / np.pi / np.sqrt(det)])


def _relu_dual(q1: Array, q2: Array, theta: Array) -> Array:
    first = np.sqrt(q1 * q2) / (2 * np.pi) * (np.sin(theta) + (np.pi - theta) * np.cos(theta))
    return np.stack([first, (np.pi - theta) / (2 * np.pi)])


def _sine_dual(q1: Array, q2: Array, theta: Array) -> Array:
    q12, mean = np.sqrt(q1 * q2) * np.cos(theta), (q1 + q2) / 2
    plus, minus = np.exp(q12 - mean), np.exp(-q12 - mean)
    return np.stack([(plus - minus) / 2, (plus + minus) / 2])


CLOSED_FORMS = {"erf": _erf_dual, "relu": _relu_dual, "sine": _sine_dual}


def dual_activation(
    act: Activation, q1: Array, q2: Array, theta: Array, tol: float = 1e-14
) -> tuple[Array, Array]:
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
        Pairs whose Hermite expansion has an error bound above `tol` times 1 + |expectation| are computed by the
        trapezoidal rule.

    Returns
    -------
    values, errors : ndarray, shape (2, q, n)
        The second array estimates the absolute error (bounds it, for the Hermite expansion).
    """
    if act.name in CLOSED_FORMS:
        values = CLOSED_FORMS[act.name](q1[:, None], q2[None, :], theta)
        return values, 8 * np.finfo(float).eps * np.maximum(np.abs(values), 1e-3)
    values, errors = mehler(act, q1, q2, theta)
    slow = np.argwhere((errors > tol * (1 + np.abs(values))).any(axis=0))
    if len(slow):
        i, j = slow.T
        values[:, i, j], errors[:, i, j] = trapezoid(act, q1[i], q2[j], theta[i, j])
    return values, errors


def angles(Xq: Array, X: Array) -> Array:
    """Angles between the rows of two arrays, shape (q, n), accurate also when they are tiny (Kahan's formula)."""
    tiny = np.finfo(float).tiny  # the angle to a zero vector is arbitrary, and does not matter
    U = Xq / np.maximum(np.linalg.norm(Xq, axis=1, keepdims=True), tiny)
    V = X / np.maximum(np.linalg.norm(X, axis=1, keepdims=True), tiny)
    out = np.empty((len(U), len(V)))
    for i, u in enumerate(U):
        out[i] = 2 * np.arctan2(np.linalg.norm(V - u, axis=1), np.linalg.norm(V + u, axis=1))
    return out


def limit_ntk(
    net: Shallow, X: ArrayLike, Xq: ArrayLike | None = None, return_error: bool = False
) -> Array | tuple[Array, Array]:
    """Tangent kernel of the infinitely wide network, Riedl et al. (15), with its factor 1/n.

    Parameters
    ----------
    net : Shallow
    X : ndarray, shape (n, d)
        Training samples.
    Xq : ndarray, shape (q, d), optional
        Points off the training set: the rows a(x) between them and the samples are returned instead.
    return_error : bool
        Also return an estimate of the absolute error of every entry.

    Returns
    -------
    A : ndarray, shape (n, n) or (q, n)
        Symmetric positive definite (n, n) matrix, Lemma 26; off the training set a rectangular one.
    error : ndarray, of the same shape
        Only if `return_error`.

    Raises
    ------
    CollinearSamplesError
        If two samples on one line through the origin make A singular: repeated ones always do.

    Warns
    -----
    AssumptionWarning
        If two samples lie on one line and A is regular all the same: B2 is sufficient for Lemma 26, not necessary.

    Examples
    --------
    >>> import numpy as np
    >>> A = limit_ntk(Shallow("erf"), np.linspace(-1, 1, 4)[:, None])
    >>> A.shape, bool(np.linalg.eigvalsh(A)[0] > 0)
    ((4, 4), True)
    """
    X = net.inputs(X)
    _require_regular_pairs(net, X)
    A, error = _kernel(net, X if Xq is None else net.inputs(Xq), X)
    if Xq is None:
        A = 0.5 * (A + A.T)
    return (A / len(X), error / len(X)) if return_error else A / len(X)


def _kernel(net: Shallow, Z: Array, X: Array) -> tuple[Array, Array]:
    """n times the kernel (15) between two sets of augmented inputs, and its error; E[c^2] = 1 at initialization."""
    var, inner = net.weight_std**2, Z @ X.T
    q1, q2 = var * (Z**2).sum(axis=1), var * (X**2).sum(axis=1)
    dual, error = dual_activation(net.act, q1, q2, angles(Z, X))
    return dual[0] + dual[1] * inner, error[0] + error[1] * np.abs(inner)


def _require_regular_pairs(net: Shallow, X: Array) -> None:
    """Raise if two collinear samples make the kernel singular, warn if they only violate assumption B2."""
    for i, j in collinear_pairs(X):
        A = _kernel(net, X[[i, j]], X[[i, j]])[0]
        regular = A[0, 0] > 0 if i == j else A[0, 0] * A[1, 1] - A[0, 1] ** 2 > 1e-12 * A[0, 0] * A[1, 1]
        who = f"Sample {i} is the zero vector" if i == j else f"Samples {i} and {j} point along the same line"
        if not regular:
            raise CollinearSamplesError(
                f"{who}, and the limit kernel of {net.act.name} is singular because of it (assumption B2 asks for "
                "distinct directions). Remove a sample, or add the bias coordinate (bias=True) if they are not equal."
            )
        warnings.warn(
            f"{who}: assumption B2 fails, though the limit kernel of {net.act.name} is not singular because of it.",
            AssumptionWarning,
            stacklevel=3,
        )


def require_nonsingular(A: Array) -> Array:
    """Return `A` if its eigenvalues exceed rounding error, n eps lambda_max; else raise `SingularKernelError`."""
    lam = np.linalg.eigvalsh(A)
    floor = len(A) * np.finfo(float).eps * lam[-1]
    if not lam[0] > floor:
        raise SingularKernelError(
            f"The kernel is singular to working precision: smallest eigenvalue {lam[0]:.1e}, while rounding errors "
            f"reach {floor:.1e}. Use gamma > 0, fewer or better separated samples, or a larger weight_std."
        )
    return A


def nntk(A: ArrayLike, gamma: float) -> Array:
    """Newton neural tangent kernel K = A (A + gamma I)^{-1} of the infinitely wide network, Riedl et al. (14).

    Parameters
    ----------
    A : ndarray, shape (n, n)
        Symmetric positive semidefinite.
    gamma : float
        At least 0; with 0 the result is the identity, and A must be nonsingular.

    Returns
    -------
    ndarray, shape (n, n)
        Same eigenvectors as A, eigenvalues lambda / (lambda + gamma) in (0, 1] (Lemma 28).

    Raises
    ------
    SingularKernelError
        If gamma = 0 and A is singular to working precision.
    """
    A = finite_array("A", A, 2)
    if positive("gamma", gamma, allow_zero=True) == 0:
        require_nonsingular(A)
    K = np.linalg.solve(A + gamma * np.eye(len(A)), A)
    return 0.5 * (K + K.T)
