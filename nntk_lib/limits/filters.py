r"""Spectral filters: what a training method does to an eigenvector of the kernel.

In the limit of infinite width a method changes outputs by g_{k+1} = g_k - A s(A) r_k, with r_k = g_k - y, a fixed
function s of the kernel A. On an eigenvector with eigenvalue lambda the residual is multiplied, a step, by

    factor(lambda) = 1 - lambda gain(lambda),      gain = s.

After k steps from zero the outputs are (1 - factor^k) y: what regularization theory calls the *filter* of the method
(Engl, Hanke, Neubauer 1996). The methods of this book are

    Tikhonov     gain   = alpha / (lambda + gamma)
                 Newton and Gauss-Newton, Riedl et al. (14), Cai et al. (11)
    Landweber    gain   = eta
                 gradient descent
    Flow         factor = exp(-t lambda / (a + b lambda))
                 gradient flow (1, 0); Cayci (6) with (rho, 1 - rho)
    Cutoff       factor = 0 for lambda >= threshold, else 1
                 truncated eigenvalues
    Iterated     factor = factor_0^k
                 k steps as one

One Tikhonov step with alpha = 1 is Tikhonov regularization, k are iterated Tikhonov regularization.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from ..exceptions import Array, ParameterError, StepSizeError, finite_array, integer, positive, real_array


def _eigenvalues(lam: ArrayLike) -> Array:
    """Eigenvalues, one or many, as finite numbers of double precision."""
    lam = real_array("lam", lam)
    return finite_array("lam", lam, lam.ndim).astype(float, copy=False)


@dataclass(frozen=True)
class Filter:
    """A function of the kernel that a step applies to the residual; the base of the classes below.

    A subclass gives ``gain`` and, where 1 - lambda gain would lose digits, ``factor``. Eigenvalues are not negative.
    """

    #: The parameter that the gain is proportional to, if a large one makes the iteration unstable.
    size: ClassVar[str | None] = None

    def gain(self, lam: ArrayLike) -> Array:
        """The function s of the eigenvalues, of the shape of `lam`."""
        raise NotImplementedError

    def factor(self, lam: ArrayLike) -> Array:
        """What a step multiplies the residual by, 1 - lambda gain(lambda), of the shape of `lam`."""
        lam = _eigenvalues(lam)
        return 1 - lam * self.gain(lam)

    @property
    def inverts(self) -> bool:
        """Whether the gain is infinite at lambda = 0, so that the kernel must be nonsingular."""
        return False

    def require_stable(self, lam: Array, name: str | None = None) -> None:
        """Raise `StepSizeError` if a mode of the spectrum grows, or keeps its size while its sign alternates.

        Parameters
        ----------
        lam : ndarray
            Eigenvalues.
        name : str, optional
            What to call the method in the message.
        """
        if self.size is None:
            return
        factor, value = self.factor(lam), getattr(self, self.size)
        if factor.min() <= -1:
            limit = 2 * value / (self.gain(lam) * lam).max()
            raise StepSizeError(
                f"{self.size} = {value:g} is outside the stable range of {name or self}: the stiffest mode is "
                f"multiplied by {factor.min():.3g} each step. Use {self.size} < {limit:.4g}."
            )


@dataclass(frozen=True)
class Tikhonov(Filter):
    """Steps with (A + gamma I)^{-1}, of length alpha: regularized Newton, Gauss-Newton and Gram-Gauss-Newton.

    Gram-Gauss-Newton as Cai et al. (11) write it, (lambda A + alpha I)^{-1}, is ``Tikhonov(alpha / lambda, 1 /
    lambda)``.

    Attributes
    ----------
    gamma : float
        Regularization, at least 0, in the units of A.
    alpha : float
        Step size.

    Examples
    --------
    >>> Tikhonov(0.01).factor([1.0, 0.01]).round(4).tolist()
    [0.0099, 0.5]
    """

    gamma: float
    alpha: float = 1.0
    size: ClassVar[str | None] = "alpha"

    def __post_init__(self):
        positive("gamma", self.gamma, allow_zero=True)
        positive("alpha", self.alpha)

    def gain(self, lam: ArrayLike) -> Array:
        """alpha / (lambda + gamma)."""
        return self.alpha / (_eigenvalues(lam) + self.gamma)

    def factor(self, lam: ArrayLike) -> Array:
        """(gamma + (1 - alpha) lambda) / (lambda + gamma), exact also where lambda is much larger than gamma."""
        lam = _eigenvalues(lam)
        return (self.gamma + (1 - self.alpha) * lam) / (lam + self.gamma)

    @property
    def inverts(self) -> bool:
        """Whether gamma = 0."""
        return self.gamma == 0


@dataclass(frozen=True)
class Landweber(Filter):
    """Gradient descent: steps of length eta along the residual.

    Examples
    --------
    >>> Landweber(1.0).factor([1.0, 0.01]).tolist()
    [0.0, 0.99]
    """

    eta: float
    size: ClassVar[str | None] = "eta"

    def __post_init__(self):
        positive("eta", self.eta)

    def gain(self, lam: ArrayLike) -> Array:
        """eta."""
        return np.full(np.shape(lam), float(self.eta))


@dataclass(frozen=True)
class Flow(Filter):
    """The flow r' = -A (a I + b A)^{-1} r, seen after every time eta: gradient flow, or Levenberg-Marquardt flow.

    With b > 0 and a -> 0 every mode decays at the rate 1/b: Gauss-Newton flow has no spectral bias.

    Attributes
    ----------
    eta : float
        Time a step.
    a, b : float
        The damping a I + b A; a > 0. Gradient flow by default. Cayci's convex damping rho is (rho, 1 - rho).

    Examples
    --------
    >>> Flow(1.0).factor([1.0, 0.01]).round(4).tolist()
    [0.3679, 0.99]
    >>> Flow(1.0, a=1e-4, b=1.0).factor([1.0, 0.01]).round(4).tolist()
    [0.3679, 0.3715]
    """

    eta: float
    a: float = 1.0
    b: float = 0.0

    def __post_init__(self):
        positive("eta", self.eta)
        positive("a", self.a)
        positive("b", self.b, allow_zero=True)

    def rate(self, lam: ArrayLike) -> Array:
        """lambda / (a + b lambda), the rate of decay of the residual."""
        lam = _eigenvalues(lam)
        return lam / (self.a + self.b * lam)

    def gain(self, lam: ArrayLike) -> Array:
        """(1 - factor) / lambda, which is eta / a at lambda = 0."""
        x = self.eta * self.rate(lam)
        mean = np.where(x == 0, 1.0, -np.expm1(-x) / np.where(x == 0, 1.0, x))
        return mean * self.eta / (self.a + self.b * _eigenvalues(lam))

    def factor(self, lam: ArrayLike) -> Array:
        """exp(-eta lambda / (a + b lambda))."""
        return np.exp(-self.eta * self.rate(lam))


@dataclass(frozen=True)
class Cutoff(Filter):
    """Truncated eigenvalues: modes from a threshold on are fitted at once, the others not at all.

    Examples
    --------
    >>> Cutoff(0.1).factor([1.0, 0.01]).tolist()
    [0.0, 1.0]
    """

    threshold: float

    def __post_init__(self):
        positive("threshold", self.threshold)

    def gain(self, lam: ArrayLike) -> Array:
        """1 / lambda from the threshold on, 0 below."""
        lam = _eigenvalues(lam)
        return np.where(lam >= self.threshold, 1 / np.maximum(lam, self.threshold), 0.0)

    def factor(self, lam: ArrayLike) -> Array:
        """0 from the threshold on, 1 below."""
        return np.where(_eigenvalues(lam) >= self.threshold, 0.0, 1.0)


@dataclass(frozen=True)
class Iterated(Filter):
    """`times` steps of another filter as one: iterated Tikhonov regularization, or gradient descent stopped early.

    Examples
    --------
    >>> Iterated(Tikhonov(0.01), times=3).factor([0.01]).tolist()
    [0.125]
    """

    step: Filter
    times: int

    def __post_init__(self):
        if not isinstance(self.step, Filter):
            raise ParameterError(f"step = {self.step!r} must be a filter, such as Tikhonov(gamma=0.1).")
        integer("times", self.times)

    def gain(self, lam: ArrayLike) -> Array:
        """gain_0 (1 + factor_0 + ... + factor_0^{times - 1})."""
        gain, factor = self.step.gain(lam), self.step.factor(lam)
        x = gain * _eigenvalues(lam)  # 1 - factor_0 with all its digits
        slow = -np.expm1(self.times * np.log1p(-np.minimum(x, 0.5)))
        total = np.where(x < 0.5, slow, 1 - factor**self.times)
        return gain * np.where(x == 0, self.times, total / np.where(x == 0, 1.0, x))

    def factor(self, lam: ArrayLike) -> Array:
        """factor_0^times."""
        return self.step.factor(lam) ** self.times

    @property
    def inverts(self) -> bool:
        """Whether a single step does."""
        return self.step.inverts

    def require_stable(self, lam: Array, name: str | None = None) -> None:
        """Raise `StepSizeError` if a single step is not stable."""
        self.step.require_stable(lam, name)


#: The filter of a direction's name.
FILTERS: dict[str, type[Filter]] = {
    "newton": Tikhonov,
    "gauss-newton": Tikhonov,
    "gradient-descent": Landweber,
    "gradient-flow": Flow,
}


def get_filter(
    method: str | Filter, gamma: float | None = None, alpha: float = 1.0, eta: float | None = None
) -> Filter:
    """The filter of a method: by name, with its parameters; a `Filter` is returned as it is.

    Raises
    ------
    ParameterError
        If the name is unknown, or a parameter that the method needs is missing or out of range.

    Examples
    --------
    >>> get_filter("newton", gamma=0.1)
    Tikhonov(gamma=0.1, alpha=1.0)
    """
    if isinstance(method, Filter):
        return method
    if not isinstance(method, str) or method not in FILTERS:
        raise ParameterError(f"method {method!r} is unknown; choose one of {', '.join(FILTERS)}, or a filter.")
    kind = FILTERS[method]
    needed, value = ("gamma", gamma) if kind is Tikhonov else ("eta", eta)
    if value is None:
        raise ParameterError(f"method {method!r} needs {needed}; pass {needed}=...")
    return Tikhonov(gamma, alpha) if kind is Tikhonov else kind(eta)
