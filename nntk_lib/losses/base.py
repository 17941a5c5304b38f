"""What a loss is, products with the two forms of its factor R, and the checks that all losses share."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from ..exceptions import Array, NonFiniteError, ShapeError, finite_array, having, real_array


class Loss(Protocol):
    """A loss of the outputs f, of shape (n,) or (n, C), and of the targets y."""

    def value(self, f: ArrayLike, y: ArrayLike) -> float:
        """The loss."""

    def gradient(self, f: ArrayLike, y: ArrayLike) -> Array:
        """g = dL/df, of the shape of f."""

    def factor(self, f: ArrayLike, y: ArrayLike) -> tuple[Array, Array]:
        """R and q with H = R R^T and g = R q; R of the shape of f (diagonal) or (n, C, C), q of the shape of f."""

    def hessian(self, f: ArrayLike, y: ArrayLike) -> Array:
        """H = d^2 L/df^2, of the shape of f (diagonal) or blocks of shape (n, C, C)."""

    def curvature_bounds(self, y: ArrayLike) -> tuple[float, float]:
        """(nu, mu) with nu I <= H <= mu I for all outputs: strong convexity and smoothness, Cayci's nu and mu."""


def require_loss(loss: Loss) -> Loss:
    """Return `loss` if it is one, else raise `ParameterError`."""
    return having("loss", loss, ("value", "gradient", "factor"), "Square()")


def times(R: Array, u: Array) -> Array:
    """R u for a factor R of either form and u of the shape of the outputs, or with one more axis of columns.

    Examples
    --------
    >>> import numpy as np
    >>> times(np.array([2.0, 3.0]), np.array([1.0, 10.0])).tolist()
    [2.0, 30.0]
    """
    return _apply(R, u, transpose=False)


def transposed(R: Array, u: Array) -> Array:
    """R^T u, like :func:`times`."""
    return _apply(R, u, transpose=True)


def _apply(R: Array, u: Array, transpose: bool) -> Array:
    shape = R.shape[:2] if R.ndim == 3 else R.shape
    if u.shape[: len(shape)] != shape or u.ndim > len(shape) + 1:
        raise ShapeError(f"u has shape {u.shape}, but R is for outputs of shape {shape}. Reshape u to these first.")
    columns = u.ndim > len(shape)
    if R.ndim < 3:
        return R[..., None] * u if columns else R * u
    R = np.swapaxes(R, 1, 2) if transpose else R
    return R @ u if columns else (R @ u[..., None])[..., 0]


def sandwich(R: Array, K: Array) -> Array:
    """R^T K R for a factor R of either form and a matrix K of the order of the outputs, j * C + c.

    Parameters
    ----------
    R : ndarray, shape (n,), (n, C) or (n, C, C)
    K : ndarray, shape (N, N) with N = n or n C

    Returns
    -------
    ndarray, shape (N, N)
        A new array.
    """
    shape = R.shape[:2] if R.ndim == 3 else R.shape
    if K.shape != (int(np.prod(shape)),) * 2:
        raise ShapeError(f"K has shape {K.shape}, but R is for outputs of shape {shape}. K must have that many rows.")
    if R.ndim < 3:
        return R.reshape(-1, 1) * K * R.ravel()
    for _ in range(2):  # R^T (R^T K)^T = (R^T K R)^T, hence the transpose at the end
        K = transposed(R, K.T.reshape(*shape, -1)).reshape(K.shape)
    return K


def outputs(f: ArrayLike) -> Array:
    """f as a finite array of shape (n,) or (n, C); raises `ShapeError` or `NonFiniteError`."""
    f = real_array("f", f)
    if f.ndim not in (1, 2):
        raise ShapeError(f"f must have shape (n,) or (n, C), got {f.shape}.")
    try:
        return finite_array("f", f, f.ndim)
    except NonFiniteError as error:
        raise NonFiniteError(
            f"The outputs f hold NaN or infinite values ({int((~np.isfinite(f)).sum())} of {f.size}): the iteration "
            "has overflowed. Take a smaller step alpha, more damping, or smaller initial parameters."
        ) from error


def samples(y: ArrayLike) -> int:
    """The number of targets."""
    return len(np.atleast_1d(np.asarray(y)))


def representable(q: Array, f: Array) -> Array:
    """q, or `NonFiniteError` with the sample where it has overflowed."""
    if not np.isfinite(q).all():
        j = int(np.argwhere(~np.isfinite(q))[0][0])
        given = np.array2string(np.asarray(f[j]), precision=4, threshold=8)
        raise NonFiniteError(
            f"Sample {j} has outputs {given}, so far on the wrong side that the curvature of the loss there is 0 in "
            "double precision. Take smaller steps or more damping on the way there, add a ridge, or use "
            "metric='identity', which does not need the curvature."
        )
    return q
