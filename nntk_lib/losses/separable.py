"""Losses that are a sum over the outputs, each by itself: squares, log-cosh and the logistic loss; H is diagonal."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..exceptions import Array, ParameterError, ShapeError, finite_array, one_of, positive
from .base import outputs, representable, samples


@dataclass(frozen=True, eq=False)
class _Separable:
    """A sum over the outputs of every sample: phi(f, y), its derivatives, and their weight 1/n or 1.

    A subclass gives `_phi`, `_dphi`, `_d2phi`, and `_factor` where a root and a quotient would not do.
    """

    def _pair(self, f: ArrayLike, y: ArrayLike) -> tuple[Array, Array]:
        f = outputs(f)
        y = finite_array("y", y, None)
        if y.shape != f.shape:
            hint = " Drop the last axis of y, or give the network several outputs." if y.size == f.size else ""
            raise ShapeError(f"y has shape {y.shape}, but the outputs have {f.shape}; they must agree.{hint}")
        return f, y

    def _weight(self, n: int) -> float:
        return 1 / n

    def value(self, f: ArrayLike, y: ArrayLike) -> float:
        """The loss L(f)."""
        f, y = self._pair(f, y)
        return float(self._phi(f, y).sum()) * self._weight(len(f))

    def gradient(self, f: ArrayLike, y: ArrayLike) -> Array:
        """g = dL/df, of the shape of f."""
        f, y = self._pair(f, y)
        return self._dphi(f, y) * self._weight(len(f))

    def hessian(self, f: ArrayLike, y: ArrayLike) -> Array:
        """The diagonal of d^2 L/df^2, of the shape of f."""
        f, y = self._pair(f, y)
        return self._d2phi(f, y) * self._weight(len(f))

    def factor(self, f: ArrayLike, y: ArrayLike) -> tuple[Array, Array]:
        """R, the root of the diagonal Hessian, and q with g = R q; both of the shape of f.

        Raises
        ------
        ShapeError, ParameterError
        NonFiniteError
            If the outputs are not finite, or so far from the targets that the curvature is 0 in double precision.
        """
        f, y = self._pair(f, y)
        root = np.sqrt(self._weight(len(f)))
        R, q = self._factor(f, y)
        return root * R, root * representable(q, f)

    def curvature_bounds(self, y: ArrayLike) -> tuple[float, float]:
        """(nu, mu) with nu I <= d^2 L/df^2 <= mu I for all outputs, the best possible ones."""
        n = samples(y)
        low, high = self._range(n)
        return low * self._weight(n), high * self._weight(n)


def _reduction(reduction: str) -> None:
    one_of("reduction", reduction, ("mean", "sum"))


@dataclass(frozen=True)
class Square(_Separable):
    """Half the square of the residual, L = 1/(2n) sum |f_j - y_j|^2, or 1/2 sum with ``Square("sum")``.

    Attributes
    ----------
    reduction : {"mean", "sum"}
        ``"mean"`` is the loss of the Newton paper and of Arbel (1), ``"sum"`` that of Cai (1).

    Examples
    --------
    >>> import numpy as np
    >>> f, y = np.array([1.0, 3.0]), np.zeros(2)
    >>> Square().value(f, y), Square("sum").value(f, y)
    (2.5, 5.0)
    """

    reduction: str = "mean"

    def __post_init__(self):
        _reduction(self.reduction)

    def _weight(self, n: int) -> float:
        return 1 / n if self.reduction == "mean" else 1.0

    def _phi(self, f, y):
        return 0.5 * (f - y) ** 2

    def _dphi(self, f, y):
        return f - y

    def _d2phi(self, f, y):
        return np.ones_like(f)

    def _factor(self, f, y):
        return np.ones_like(f), f - y

    def _range(self, n):
        return 1.0, 1.0


@dataclass(frozen=True, eq=False)
class WeightedSquare(_Separable):
    """A square for every sample with a weight of its own, L = 1/(2n) sum a_j |f_j - y_j|^2; an ill-conditioned loss.

    Attributes
    ----------
    weights : ndarray, shape (n,)
        The a_j, not negative.
    reduction : {"mean", "sum"}
    """

    weights: ArrayLike
    reduction: str = "mean"

    def __post_init__(self):
        _reduction(self.reduction)
        weights = finite_array("weights", self.weights, 1).astype(float)
        if weights.min() < 0 or weights.max() == 0:
            span = f"{weights.min():g} to {weights.max():g}"
            raise ParameterError(f"weights reach from {span}; none may be negative, and not all of them 0.")
        weights.flags.writeable = False
        object.__setattr__(self, "weights", weights)

    _weight = Square._weight

    def _a(self, f: Array) -> Array:
        if len(self.weights) != len(f):
            raise ShapeError(
                f"There are {len(self.weights)} weights for {len(f)} samples. The weights belong to the samples of the "
                "whole data: give one per sample, and do not split the data into batches."
            )
        return self.weights if f.ndim == 1 else self.weights[:, None]

    def _phi(self, f, y):
        return 0.5 * self._a(f) * (f - y) * (f - y)

    def _dphi(self, f, y):
        return self._a(f) * (f - y)

    def _d2phi(self, f, y):
        return self._a(f) * np.ones_like(f)

    def _factor(self, f, y):
        root = np.sqrt(self._a(f))
        return root * np.ones_like(f), root * (f - y)

    def _range(self, n):
        return float(self.weights.min()), float(self.weights.max())


@dataclass(frozen=True, eq=False)
class LogCosh(WeightedSquare):
    """A weighted square and the log of a hyperbolic cosine, L = 1/n sum_j (a_j r_j^2 / 2 + b log cosh r_j), r = f - y.

    Strongly convex with a Lipschitz Hessian that is not constant: the test case for Cayci's Theorem 10.

    Attributes
    ----------
    weights : ndarray, shape (n,)
        The a_j, not negative.
    b : float
        At least 0.
    reduction : {"mean", "sum"}
    """

    reduction: str = "mean"
    b: float = 1.0

    def __post_init__(self):
        super().__post_init__()
        object.__setattr__(self, "b", positive("b", self.b, allow_zero=True))

    def _phi(self, f, y):
        r = np.abs(f - y)
        # log cosh r = log(2 sinh^2(r/2) + 1) where it is small: no digit is lost at r = 0
        near = np.log1p(2 * np.sinh(np.minimum(r, 1) / 2) ** 2)
        return super()._phi(f, y) + self.b * np.where(r < 1, near, r + np.log1p(np.exp(-2 * r)) - np.log(2))

    def _dphi(self, f, y):
        return super()._dphi(f, y) + self.b * np.tanh(f - y)

    def _sech(self, r: Array) -> Array:
        decay = np.exp(-np.abs(r))
        return 2 * decay / (1 + decay**2)

    def _d2phi(self, f, y):
        return super()._d2phi(f, y) + self.b * self._sech(f - y) ** 2

    def _factor(self, f, y):
        R = np.hypot(np.sqrt(self._a(f)), np.sqrt(self.b) * self._sech(f - y))
        g = self._dphi(f, y)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            return R, np.where(g == 0, 0.0, g / R)  # sums of terms of one sign: the quotient is right to rounding

    def _range(self, n):
        return float(self.weights.min()), float(self.weights.max()) + self.b


def _sigmoid(z: Array) -> Array:
    """1 / (1 + e^{-z}) with all digits in both tails; SciPy's would double the time to import the library."""
    decay = np.exp(-np.abs(z))
    return np.where(z < 0, decay, 1.0) / (1 + decay)


@dataclass(frozen=True)
class Logistic(_Separable):
    """The logistic loss of labels -1, 1 with a ridge on the outputs, L = 1/n sum (log(1 + e^{-y f}) + ridge f^2 / 2).

    Attributes
    ----------
    ridge : float
        Makes the loss strongly convex; with 0 its infimum is not attained.

    Examples
    --------
    >>> import numpy as np
    >>> Logistic(ridge=0.1).curvature_bounds(np.array([1, -1]))
    (0.05, 0.175)
    """

    ridge: float = 0.0

    def __post_init__(self):
        object.__setattr__(self, "ridge", positive("ridge", self.ridge, allow_zero=True))

    def _pair(self, f, y):
        f, y = super()._pair(f, y)
        if (np.abs(y) != 1).any():
            found = np.unique(y)
            hint = " Pass 2 y - 1." if np.isin(found, (0, 1)).all() else " Code the two classes so."
            raise ParameterError(f"Logistic labels must be -1 or 1, got {np.array2string(found, threshold=6)}.{hint}")
        return f, y

    def _phi(self, f, y):
        return np.logaddexp(0, -y * f) + 0.5 * self.ridge * f * f  # from the left: 0 where the ridge is, and not nan

    def _dphi(self, f, y):
        return -y * _sigmoid(-y * f) + self.ridge * f

    def _d2phi(self, f, y):
        return _sigmoid(f) * _sigmoid(-f) + self.ridge

    def _factor(self, f, y):
        decay = np.exp(-0.5 * np.abs(f))  # s(f) s(-f) = (decay / (1 + decay^2))^2
        R = decay / (1 + decay**2)
        if self.ridge:
            R = np.hypot(R, np.sqrt(self.ridge))
            return R, self._dphi(f, y) / R
        with np.errstate(over="ignore"):
            return R, -y * np.exp(-0.5 * y * f)

    def _range(self, n):
        return self.ridge, self.ridge + 0.25
