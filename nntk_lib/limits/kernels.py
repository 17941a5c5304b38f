r"""Kernels of infinitely wide networks.

The tangent kernel of the Newton paper, equation (15), with the factor 1/n of the loss inside:

    A_jl = (1/n) ( E[sigma(w.x_j) sigma(w.x_l)]
                   + E[c^2] E[sigma'(w.x_j) sigma'(w.x_l)] x_j.x_l ),

and the Newton neural tangent kernel (14), K = A (A + gamma I)^{-1}. The two Gaussian expectations are the *dual
activations* of sigma and sigma'. They have closed forms for erf (Williams 1997), ReLU (Cho and Saul 2009) and sine;
for every other analytic activation they are computed to rounding error by :mod:`nntk_lib.limits.quadrature`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ..exceptions import (
    Array,
    AssumptionWarning,
    CollinearSamplesError,
    NonFiniteError,
    ShapeError,
    SingularKernelError,
    collinear_pairs,
    finite_array,
    flag,
    kernel_matrix,
    positive,
    semidefinite,
    warn,
)
from ..networks.shallow.spec import Shallow, shallow
from .gaussian import Key, dual_tiles, tiles

#: Relative error of an entry of the kernel, as asked of the quadrature; in an eigenvalue at most n times as much.
KERNEL_ERROR = 1e-14


def _unit(X: Array) -> Array:
    """Rows divided by their length; the direction of a zero vector is arbitrary, and does not matter."""
    return X / np.maximum(np.linalg.norm(X, axis=1, keepdims=True), np.finfo(float).tiny)


def _of_rows(f, U: Array, V: Array, key: Key) -> Array:
    """f of the rows U[i] and V[j] of a list of pairs, 1 MB at a time."""
    (i, j), size = key, max(1, 2**17 // U.shape[1])
    return np.concatenate([f(U[i[s : s + size]], V[j[s : s + size]]) for s in range(0, len(i), size)])


def _inner(U: Array, V: Array, key: Key) -> Array:
    """Inner products of the pairs of a block, or of a list."""
    if isinstance(key[0], slice):
        return U[key[0]] @ V[key[1]].T
    return _of_rows(lambda u, v: np.einsum("ij,ij->i", u, v), U, V, key)


def _kahan(u: Array, v: Array) -> Array:
    """Angles between unit vectors, row by row; they keep their digits when they are tiny (Kahan's formula)."""
    return 2 * np.arctan2(np.linalg.norm(v - u, axis=1), np.linalg.norm(v + u, axis=1))


def _angles(U: Array, V: Array, key: Key) -> Array:
    """Angles between unit vectors, of the pairs of a block or of a list."""
    if not isinstance(key[0], slice):
        return _of_rows(_kahan, U, V, key)
    out = _inner(U, V, key)
    near = np.argwhere(np.abs(out) > 0.9).T  # there the arc cosine loses digits: error eps / (theta tan(theta))
    np.arccos(np.clip(out, -1, 1, out=out), out=out)
    if near.size:
        out[tuple(near)] = _of_rows(_kahan, U[key[0]], V[key[1]], near)
    return out


def angles(Xq: Array, X: Array) -> Array:
    """Angles between the rows of two arrays, shape (q, n), accurate also when they are tiny (Kahan's formula).

    Raises
    ------
    ShapeError
        If the arrays have not two axes, and equally many columns.
    DataTypeError, NonFiniteError
    """
    Xq, X = finite_array("Xq", Xq, 2), finite_array("X", X, 2)
    if Xq.shape[1] != X.shape[1]:
        raise ShapeError(f"Xq has {Xq.shape[1]} columns, but X has {X.shape[1]}. They must agree.")
    U, V = _unit(Xq), _unit(X)
    out = np.empty((len(U), len(V)))
    for key in tiles(len(U), len(V)):
        out[key] = _angles(U, V, key)
    return out


def limit_ntk(
    net: Shallow, X: ArrayLike, Xq: ArrayLike | None = None, return_error: bool = False
) -> Array | tuple[Array, Array]:
    """Tangent kernel of the infinitely wide network, Riedl et al. (15), with its factor 1/n.

    Parameters
    ----------
    net : Shallow
        Only the layers that train count: with ``trains="inner"``, n times the result is the kernel (13) of Cai et al.
    X : ndarray, shape (n, d)
        Training samples.
    Xq : ndarray, shape (q, d), optional
        Points off the training set: the rows a(x) between them and the samples are returned instead.
    return_error : bool
        Also return an estimate of the absolute error of every entry.

    Returns
    -------
    A : ndarray, shape (n, n) or (q, n)
        Symmetric (n, n) matrix, positive definite under B2 (Lemma 26); off the training set a rectangular one.
    error : ndarray, of the same shape
        Only if `return_error`.

    Raises
    ------
    CollinearSamplesError
        If samples on common lines through the origin make A singular: repeated ones always do, and two antipodal pairs
        do for the sigmoid. The spectrum of A decides.
    NonFiniteError, ShapeError, DataTypeError, ParameterError
        If the kernel overflows, or an argument does not fit.

    Warns
    -----
    AssumptionWarning
        If samples lie on common lines and A is regular all the same: B2 is sufficient for Lemma 26, not necessary.

    Examples
    --------
    >>> import numpy as np
    >>> A = limit_ntk(Shallow("erf"), np.linspace(-1, 1, 4)[:, None])
    >>> A.shape, bool(np.linalg.eigvalsh(A)[0] > 0)
    ((4, 4), True)
    """
    X, Z = shallow(net).inputs(X), None if Xq is None else net.inputs(Xq)
    if Z is not None and Z.shape[1] != X.shape[1]:
        raise ShapeError(f"Xq has {Z.shape[1] - net.bias} inputs, but X has {X.shape[1] - net.bias}. They must agree.")
    flag("return_error", return_error)
    with np.errstate(over="ignore", invalid="ignore"):  # the result is checked
        _require_regular(net, X)
        A, error = _kernel(net, X, Z, return_error)
    if not np.isfinite(A).all():
        raise NonFiniteError(
            "The limit kernel overflows. Scale the samples to order one, or take a smaller weight_std."
        )
    A /= len(X)
    return (A, error / len(X)) if return_error else A


def _kernel(net: Shallow, X: Array, Z: Array | None = None, return_error: bool = False) -> tuple[Array, Array | None]:
    """n times the kernel (15) of augmented inputs, or between Z and X, and its error; E[c^2] = 1 at initialization."""
    symmetric, Z = Z is None, X if Z is None else Z
    U, V = _unit(Z), _unit(X)
    variance = net.weight_std**2 if net.weight_std < 1e150 else np.inf
    q1, q2 = (variance * (Y**2).sum(axis=1) for Y in (Z, X))
    A = np.empty((len(Z), len(X)))
    error = np.empty_like(A) if return_error else None
    rho, theta = (lambda key, f=f: f(U, V, key) for f in (_inner, _angles))
    layers = np.array([net.trains != "inner", net.trains != "outer"], dtype=float)
    for key, dual, bound in dual_tiles(net.act, q1, None if symmetric else q2, rho, theta, tol=KERNEL_ERROR):
        inner, shape = _inner(Z, X, key), (2,) + (1,) * (dual.ndim - 1)
        if net.trains != "both":
            dual, bound = dual * layers.reshape(shape), bound * layers.reshape(shape)
        _write(A, key, dual[0] + dual[1] * inner, symmetric)
        if return_error:
            _write(error, key, bound[0] + bound[1] * np.abs(inner), symmetric)
    return A, error


def _write(A: Array, key: Key, part: Array, symmetric: bool) -> None:
    """Store a block or a list of entries, and if A is symmetric their mirror images."""
    if symmetric and part.ndim == 2:  # the block on the diagonal is symmetric up to rounding
        size = len(part)
        part[:, :size] = 0.5 * (part[:, :size] + part[:, :size].T)
    A[key] = part
    if symmetric:
        A[key[::-1]] = part.T


def _require_regular(net: Shallow, X: Array) -> None:
    """Raise if samples on common lines make the kernel singular; warn, once, if they only violate assumption B2.

    The spectrum decides: two pairs x, -x alone are harmless for the sigmoid, together they are not, because
    sigma(t) + sigma(-t) = 1.
    """
    pairs = collinear_pairs(X)
    if not pairs:
        return
    equal = next(((i, j) for i, j in pairs if i != j and np.array_equal(X[i], X[j])), None)
    zeros = [i for i, j in pairs if i == j]
    if equal is None and len(zeros) > 1:
        equal = zeros[0], zeros[1]
    advice = "Remove a sample"
    if equal is None:
        advice += ", or add the bias coordinate: bias=True" if not net.bias else ", or centre and scale the samples"
    advice += "."
    wanted = "assumption B2 asks for distinct directions"
    for i, j in [equal] if equal else pairs:
        A = _kernel(net, X[[i, j]])[0]
        regular = A[0, 0] > 0 if i == j else A[0, 0] * A[1, 1] - A[0, 1] ** 2 > 1e-12 * A[0, 0] * A[1, 1]
        who = f"Sample {i} is the zero vector" if i == j else f"Samples {i} and {j} point along the same line"
        if equal or not regular:
            raise CollinearSamplesError(
                f"{who}, and the limit kernel of {net.act.name} is singular because of it ({wanted}). {advice}"
            )
    lam = np.linalg.eigvalsh(_kernel(net, X)[0])
    if not lam[0] > len(X) * KERNEL_ERROR * lam[-1]:
        raise CollinearSamplesError(
            f"{who}, and {len(pairs) - 1} more of this kind; together they make the limit kernel of {net.act.name} "
            f"singular, with a smallest eigenvalue of {lam[0] / lam[-1]:.1e} of the largest ({wanted}). {advice}"
        )
    others = f", and {len(pairs) - 1} more of this kind" if len(pairs) > 1 else ""
    warn(
        f"{who}{others}: assumption B2 fails, though the limit kernel of {net.act.name} is not singular: its smallest "
        f"eigenvalue is {lam[0] / lam[-1]:.1e} of the largest.",
        AssumptionWarning,
    )


def require_nonsingular(A: Array, lam: Array | None = None) -> Array:
    """Return `A` if its eigenvalues `lam` (ascending) exceed rounding error, n eps lambda_max; else raise an error."""
    lam = np.linalg.eigvalsh(A) if lam is None else lam
    floor = len(A) * np.finfo(float).eps * lam[-1]
    if not lam[0] > floor:
        raise SingularKernelError(
            f"The kernel is singular to working precision: smallest eigenvalue {lam[0]:.1e}, while rounding errors "
            f"reach {floor:.1e}. Use gamma > 0, fewer or better separated samples, or a larger weight_std."
        )
    return A


def _require_semidefinite(A: Array) -> None:
    """Raise `SingularKernelError` where an eigenvalue is negative; Cholesky's factorization is the cheaper question."""
    from scipy.linalg.lapack import dpotrf

    if dpotrf(A + 1e-6 * np.abs(A).max() * np.eye(len(A)), lower=1, overwrite_a=1)[1]:
        semidefinite("A", np.linalg.eigvalsh(A))


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
        If gamma = 0 and A is singular to working precision, or A has negative eigenvalues.
    ShapeError
        If A is not square, or not symmetric.
    """
    A = kernel_matrix("A", A)
    if positive("gamma", gamma, allow_zero=True) == 0:
        return np.eye(len(require_nonsingular(A)))
    _require_semidefinite(A)
    K = np.linalg.solve(A + gamma * np.eye(len(A)), A)
    return 0.5 * (K + K.T)
