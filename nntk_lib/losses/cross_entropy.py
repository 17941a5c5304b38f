"""Softmax cross-entropy, whose Hessian couples the outputs of a sample."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..exceptions import Array, ParameterError, ShapeError, finite_array, real_array
from .base import outputs, representable, samples


@dataclass(frozen=True)
class CrossEntropy:
    """Softmax cross-entropy, L = -1/n sum_j sum_c y_jc log p_jc with p = softmax(f), for outputs of shape (n, C).

    The targets are class numbers 0 ... C-1 of shape (n,), or probabilities of shape (n, C) whose rows sum to 1.

    Examples
    --------
    >>> import numpy as np
    >>> f = np.array([[0.0, 0.0], [1000.0, 0.0]])
    >>> round(CrossEntropy().value(f, [0, 1]), 6)
    500.346574
    >>> R, q = CrossEntropy().factor(f, [0, 1])
    >>> R.shape, bool(np.isfinite(q).all())
    ((2, 2, 2), True)
    >>> g = np.array([[-0.25, 0.25], [0.5, -0.5]])
    >>> bool(np.allclose(R @ q[..., None], g[..., None]))
    True
    """

    def _pair(self, f: ArrayLike, y: ArrayLike) -> tuple[Array, Array]:
        f = outputs(f)
        if f.ndim == 1 or f.shape[1] == 1:
            raise ShapeError(
                f"Cross-entropy needs outputs of shape (n, C) with C >= 2 classes, got {f.shape}. Give the network "
                "more outputs, or use Logistic for two classes and one output."
            )
        n, C = f.shape
        y = real_array("y", y)
        y = finite_array("y", y, 2 if y.ndim == 2 else 1)
        if y.ndim == 1 and len(y) == n:
            if (y != np.round(y)).any() or y.min() < 0 or y.max() >= C:
                wrong = y[(y != np.round(y)) | (y < 0) | (y >= C)][0]
                raise ParameterError(f"Class {wrong:g} is not one of 0 ... {C - 1}. Number the {C} classes from 0 on.")
            return f, np.eye(C)[y.astype(int)]
        if y.shape != f.shape:
            raise ShapeError(f"y has shape {y.shape}; expected ({n},) class numbers or ({n}, {C}) probabilities.")
        excess = np.abs(y.sum(axis=1) - 1)
        if y.min() < 0 or excess.max() > C * np.finfo(np.float32).eps:
            raise ParameterError(
                f"The rows of y must be probabilities: the smallest entry is {y.min():g}, and sums differ from 1 by up "
                f"to {excess.max():.1e}. Divide y by y.sum(axis=1, keepdims=True), or pass class numbers."
            )
        return f, y

    def _probabilities(self, f: Array) -> tuple[Array, Array]:
        """log p and 1 - p, both right to rounding also where p is nearly 1."""
        rows, top = np.arange(len(f)), f.argmax(axis=1)
        z = f - f[rows, top][:, None]
        e = np.exp(z)
        e[rows, top] = 0
        others = e.sum(axis=1)  # p_top = 1 / (1 + others)
        log_p = z - np.log1p(others)[:, None]
        rest = -np.expm1(log_p)
        rest[rows, top] = others / (1 + others)
        return log_p, rest

    def value(self, f: ArrayLike, y: ArrayLike) -> float:
        """The loss L(f)."""
        f, y = self._pair(f, y)
        return -float(np.multiply(y, self._probabilities(f)[0], where=y > 0, out=np.zeros_like(f)).sum()) / len(f)

    def _difference(self, log_p: Array, rest: Array, y: Array) -> Array:
        p = np.exp(log_p)
        return np.where(p > 0.5, (1 - y) - rest, p - y)  # p - y with the digits of 1 - p

    def gradient(self, f: ArrayLike, y: ArrayLike) -> Array:
        """g = (p - y) / n, of shape (n, C)."""
        f, y = self._pair(f, y)
        return self._difference(*self._probabilities(f), y) / len(f)

    def hessian(self, f: ArrayLike, y: ArrayLike) -> Array:
        """The blocks (diag(p) - p p^T) / n, of shape (n, C, C)."""
        f, _ = self._pair(f, y)
        log_p, rest = self._probabilities(f)
        p = np.exp(log_p)
        H = -p[:, :, None] * p[:, None, :]
        diagonal = np.arange(f.shape[1])
        H[:, diagonal, diagonal] = p * rest
        return H / len(f)

    def factor(self, f: ArrayLike, y: ArrayLike) -> tuple[Array, Array]:
        """R = (diag(p)^{1/2} - p p^{1/2 T}) / n^{1/2}, of shape (n, C, C), and q = (p - y) p^{-1/2} / n^{1/2}.

        R is singular, R^T p^{1/2} = 0, as the Hessian is: adding a constant to all outputs of a sample changes nothing.

        Raises
        ------
        ShapeError, ParameterError
        NonFiniteError
            If the outputs are not finite, or a class that y asks for has a probability below e^{-1419}.
        """
        f, y = self._pair(f, y)
        log_p, rest = self._probabilities(f)
        root = np.exp(0.5 * log_p)
        R = -np.exp(log_p)[:, :, None] * root[:, None, :]
        diagonal = np.arange(f.shape[1])
        R[:, diagonal, diagonal] = root * rest
        with np.errstate(over="ignore", invalid="ignore"):
            q = np.where(y == 0, root, self._difference(log_p, rest, y) * np.exp(-0.5 * log_p))
        scale = 1 / np.sqrt(len(f))
        return scale * R, scale * representable(q, f)

    def curvature_bounds(self, y: ArrayLike) -> tuple[float, float]:
        """(0, 1/(2n)): not strongly convex; diag(p) - p p^T has the eigenvalue 1/2 at p = (1/2, 1/2, 0, ...)."""
        return 0.0, 0.5 / samples(y)
