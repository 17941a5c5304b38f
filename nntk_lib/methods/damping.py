r"""Damping: two numbers, and the rules that choose them.

Every damped Gauss-Newton method of the book solves one system, in sample space or in parameter space,

    (b R^T K R + a I) z = q,  delta = -J^T R z,        or
    (b J^T H J + a I) delta = -grad L,

with K = J J^T, H = R R^T and grad L = J^T R q. The papers differ in (a, b) only. Since the loss carries its own 1/n, H
does, and no damping is ever multiplied by n or by a power of m, with one exception: the gamma of the Newton paper is
made for the limit kernel, and :class:`Gamma` and :class:`ResidualNorm` bring it to the network at hand.

    rule               (a, b)
    Constant(a, b)     as given
                       Cai (11): a = alpha, b = lambda
    Gamma(gamma)       (gamma m^{1 - 2 beta}, 1)
                       Riedl et al. (4)
    ResidualNorm(c)    (c |q| m^{1 - 2 beta}, 1)
                       Fan and Yuan, gamma in proportion to the residual
    Smallest(alpha)    (max(alpha lambda, floor), 1)
                       Arbel (5), lambda the smallest eigenvalue of K
    Convex(r)          (rho, 1 - rho), rho = r lambda/(1 + r lambda)
                       Cayci (7), (14), (16), (17)
    GainRatio()        (raised or lowered by the last step, 1)
                       Levenberg, Marquardt

A rule is called with the spectrum of the matrix, the tangent and the last step, so it needs no memory of its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ..exceptions import Array, ParameterError, flag, no_overflow, one_of, positive
from ..linalg.caching import cached_property
from .base import Step

if TYPE_CHECKING:  # for readers and type checkers only
    from ..networks.base import Tangent


class Spectrum:
    """A symmetric positive semidefinite matrix whose eigenvalues are computed once, and only if a rule asks.

    Attributes
    ----------
    kernel : Spectrum
        The same without the loss, K for R^T K R; itself if the loss is not part of the matrix.
    residual : float
        The norm |q| of the right-hand side, for the mean square the root mean square of the residual.

    Parameters
    ----------
    matrix : callable
        Makes the matrix.
    values : callable, optional
        Makes the eigenvalues in ascending order, where there is a better way than to ask the matrix.
    kernel : Spectrum, optional
    residual : float, optional

    Examples
    --------
    >>> import numpy as np
    >>> spectrum = Spectrum(lambda: np.diag([3.0, 1.0, 2.0]))
    >>> spectrum.smallest, spectrum.largest
    (1.0, 3.0)
    """

    def __init__(
        self,
        matrix: Callable[[], Array],
        values: Callable[[], Array] | None = None,
        kernel: Spectrum | None = None,
        residual: float = math.nan,
    ):
        self._make, self._make_values, self._kernel, self.residual = matrix, values, kernel, residual

    @property
    def kernel(self) -> Spectrum:
        """The spectrum without the loss; no reference to itself is kept, which would keep the tangent of every step."""
        return self if self._kernel is None else self._kernel

    @cached_property
    def matrix(self) -> Array:
        """The matrix."""
        return self._make()

    @cached_property
    def values(self) -> Array:
        """The eigenvalues in ascending order; rounding may make the smallest ones negative."""
        return (
            self._make_values()
            if self._make_values
            else np.linalg.eigvalsh(no_overflow("The derivatives of the network", self.matrix))
        )

    @property
    def smallest(self) -> float:
        """The smallest eigenvalue."""
        return float(self.values[0])

    @property
    def largest(self) -> float:
        """The largest eigenvalue."""
        return float(self.values[-1])


class Damping(Protocol):
    """A rule for the damping: a frozen dataclass without other state."""

    def __call__(self, spectrum: Spectrum, at: Tangent, previous: Step | None = None) -> tuple[float, float]:
        """(a, b) of b R^T K R + a I.

        Parameters
        ----------
        spectrum : Spectrum
            Of R^T K R in sample space; of J^T H J where the system is solved in parameter space.
        at : Tangent
        previous : Step, optional
            The last step of the run.
        """


def damping_values(rule: Damping, spectrum: Spectrum, at: Tangent, previous: Step | None) -> tuple[float, float]:
    """(a, b) of a rule, or `ParameterError` if they leave no system."""
    a, b = rule(spectrum, at, previous)
    if not (0 <= a < math.inf and 0 <= b < math.inf and a + b > 0):
        raise ParameterError(f"{rule!r} gave a = {a:g}, b = {b:g}: finite, at least 0 and not both 0 is needed.")
    return a, b


@dataclass(frozen=True)
class Constant:
    """The same a and b at every step.

    Attributes
    ----------
    a, b : float
        Not negative, not both zero. (0, 1) is the undamped method, (1, 0) the gradient step or flow, (rho, 1 - rho) the
        convex damping of Cayci (7), and Cai (11) has a = alpha, b = lambda with ``Square("sum")``.
    """

    a: float = 0.0
    b: float = 1.0

    def __post_init__(self):
        for name in "ab":
            object.__setattr__(self, name, positive(name, getattr(self, name), allow_zero=True))
        if self.a == self.b == 0:
            raise ParameterError("a = b = 0 leaves no system. Use Constant(0, 1), the undamped step, or a > 0.")

    def __call__(self, spectrum: Spectrum, at: Tangent, previous: Step | None = None) -> tuple[float, float]:
        """(a, b)."""
        return self.a, self.b


@dataclass(frozen=True)
class Gamma:
    """The damping gamma m^{1 - 2 beta} of Riedl et al. (4), which the width does not change in the limit.

    Attributes
    ----------
    gamma : float
        In the units of the limit kernel: the tangent's `kernel_scale` brings it to parameter space.
    """

    gamma: float

    def __post_init__(self):
        object.__setattr__(self, "gamma", positive("gamma", self.gamma))

    def __call__(self, spectrum: Spectrum, at: Tangent, previous: Step | None = None) -> tuple[float, float]:
        """(gamma / kernel_scale, 1)."""
        return self.gamma / at.kernel_scale, 1.0


@dataclass(frozen=True)
class ResidualNorm:
    """Damping in proportion to the residual, gamma_k = max(floor, c |q_k|), for Gauss-Newton and for Newton.

    Fan and Yuan (2005) show quadratic convergence of Levenberg-Marquardt steps with this damping, on a local error
    bound. For the mean square |q| is the root mean square of the residual, |r| / sqrt n.

    Attributes
    ----------
    c : float
        In the units of the limit kernel, as gamma of :class:`Gamma`.
    floor : float
        Smallest gamma.

    Raises
    ------
    ParameterError
        If c is not positive; when called, if the residual and the floor are zero.

    Examples
    --------
    >>> from nntk_lib import GaussNewton, Shallow, interval, train
    >>> net, data = Shallow("tanh"), interval(8, frequencies=(1,))
    >>> theta, rule = net.init(500, 1, rng=0), ResidualNorm(0.01)
    >>> loss = train(net, theta, data, GaussNewton(rule), 10).loss
    >>> bool(loss[-1] < 1e-6 * loss[0])
    True
    """

    c: float
    floor: float = 0.0

    def __post_init__(self):
        object.__setattr__(self, "c", positive("c", self.c))
        object.__setattr__(self, "floor", positive("floor", self.floor, allow_zero=True))

    def __call__(self, spectrum: Spectrum, at: Tangent, previous: Step | None = None) -> tuple[float, float]:
        """(max(floor, c |q|) / kernel_scale, 1)."""
        if math.isnan(spectrum.residual):
            raise ParameterError("ResidualNorm needs the residual: call it with a Spectrum(..., residual=|q|).")
        gamma = max(self.floor, self.c * spectrum.residual)
        if gamma == 0:
            raise ParameterError("The residual is zero: nothing is left to fit. Stop, or give a floor.")
        return gamma / at.kernel_scale, 1.0


def _chosen(spectrum: Spectrum, kernel: str) -> float:
    """The smallest eigenvalue of the matrix or of the kernel alone; what rounding makes negative counts as 0."""
    return max((spectrum if kernel == "weighted" else spectrum.kernel).smallest, 0.0)


def _kernel(kernel: str) -> None:
    one_of("kernel", kernel, ("weighted", "plain"))


@dataclass(frozen=True)
class Smallest:
    """Damping in proportion to the smallest eigenvalue of the kernel, Arbel (5) with the floor of the experiments.

    Attributes
    ----------
    alpha : float
        Multiple of the eigenvalue.
    floor : float
        Least damping. At the start of a mean-field run the eigenvalue is 0 to rounding, and the floor decides.
    kernel : {"plain", "weighted"}
        Of K, as in the paper, or of R^T K R.
    """

    alpha: float = 1.0
    floor: float = 0.0
    kernel: str = "plain"

    def __post_init__(self):
        for name in ("alpha", "floor"):
            object.__setattr__(self, name, positive(name, getattr(self, name), allow_zero=True))
        _kernel(self.kernel)

    def __call__(self, spectrum: Spectrum, at: Tangent, previous: Step | None = None) -> tuple[float, float]:
        """(max(alpha lambda, floor), 1)."""
        return max(self.alpha * _chosen(spectrum, self.kernel) if self.alpha else 0.0, self.floor), 1.0


@dataclass(frozen=True)
class Convex:
    """The convex damping (1 - rho) J^T H J + rho I with rho = r lambda / (1 + r lambda), Cayci (7).

    The same as the damping r lambda of :class:`Smallest` with 1 + r lambda times the step.

    ============================================  ===============================================================
    ``Convex(r)``                                 adaptive, (14); for a general loss (17) with lambda_min(R^T K R)
    ``Convex(nu, kernel="plain")``                (17) in its other reading, nu lambda_min(K)
    ``Convex(mu, kernel="plain")``                (16), mu lambda_min(K)
    ``Convex(r, adaptive=False)``                 lambda of the first step of the run, Remark 6
    ``Convex(r, lam=...)``, ``Convex(rho=...)``   constant
    ============================================  ===============================================================

    nu and mu are the loss's ``curvature_bounds(y)``. A flow hands no step on to the next: give it ``lam``, which is
    ``spectrum(net.at(theta, X), loss, y).smallest`` at the start, in place of ``adaptive=False``.

    Attributes
    ----------
    r : float
    lam : float, optional
        A fixed lambda.
    rho : float, optional
        A fixed rho, between 0 and 1.
    adaptive : bool
        Whether lambda is that of the present step.
    kernel : {"weighted", "plain"}
        Whose smallest eigenvalue lambda is, of R^T K R or of K.

    Examples
    --------
    >>> Convex(r=1.0, lam=3.0)(None, None), Convex(rho=0.1)(None, None)
    ((0.75, 0.25), (0.1, 0.9))
    """

    r: float = 1.0
    lam: float | None = None
    rho: float | None = None
    adaptive: bool = True
    kernel: str = "weighted"

    def __post_init__(self):
        object.__setattr__(self, "r", positive("r", self.r, allow_zero=True))
        object.__setattr__(self, "adaptive", flag("adaptive", self.adaptive))
        if self.lam is not None:
            object.__setattr__(self, "lam", positive("lam", self.lam, allow_zero=True))
        if self.rho is not None and not 0 <= positive("rho", self.rho, allow_zero=True) <= 1:
            raise ParameterError(f"rho = {self.rho:g} must lie between 0, Gauss-Newton, and 1, the gradient.")
        if self.lam is not None and self.rho is not None:
            raise ParameterError(f"lam = {self.lam:g} and rho = {self.rho:g} both fix the damping; give one of them.")
        _kernel(self.kernel)

    def __call__(self, spectrum: Spectrum, at: Tangent, previous: Step | None = None) -> tuple[float, float]:
        """(rho, 1 - rho)."""
        if self.rho is not None:
            return self.rho, 1 - self.rho
        if not self.adaptive and previous is not None and not math.isnan(previous.a):
            return previous.a, previous.b
        x = self.r * (_chosen(spectrum, self.kernel) if self.lam is None else self.lam)
        return x / (1 + x), 1 / (1 + x)


@dataclass(frozen=True)
class GainRatio:
    """Levenberg's and Marquardt's rule: damp more where the model was poor, less where it was good.

    The gain is the actual over the predicted decrease of the last step, filled in by the training loop. A loss that is
    not finite has the gain nan and counts as poor.

    Attributes
    ----------
    low, high : float
        Below `low` the damping is multiplied by `up`, above `high` divided by `down`.
    up, down : float
        Greater than 1.
    start : float
        Damping a of the first step.
    floor : float
        Least damping; where the kernel is singular, a system without damping cannot be solved.
    """

    low: float = 0.25
    high: float = 0.75
    up: float = 2.0
    down: float = 3.0
    start: float = 1.0
    floor: float = 1e-12

    def __post_init__(self):
        for name in ("low", "high", "up", "down", "start", "floor"):
            value = positive(name, getattr(self, name), allow_zero=name in ("low", "floor"))
            object.__setattr__(self, name, value)
        if self.low >= self.high or min(self.up, self.down) <= 1:
            raise ParameterError(
                f"low = {self.low:g} must be below high = {self.high:g}, and up = {self.up:g} and down = {self.down:g} "
                "greater than 1; the usual values are 0.25, 0.75, 2 and 3."
            )

    def __call__(self, spectrum: Spectrum, at: Tangent, previous: Step | None = None) -> tuple[float, float]:
        """(a, 1) with a from the last step's a and gain."""
        if previous is None or math.isnan(previous.a):
            return max(self.start, self.floor), 1.0
        gain, a = previous.gain, previous.a
        if gain is not None:
            a = a / self.down if gain > self.high else a if gain >= self.low else a * self.up
        return max(a, self.floor), 1.0
