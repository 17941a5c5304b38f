r"""Activations: sigma and its first three derivatives from one evaluation, and what the theory asks of them.

Assumption A1 of the Newton paper wants sigma bounded, with bounded first and second derivatives:

    s0 = sup |sigma|,   s1 = sup |sigma'|,   s2 = sup |sigma''|   all finite.

Tanh, the logistic sigmoid, erf and sine satisfy it; softplus and SiLU are unbounded, and ReLU has no second derivative
at 0 (its sigma'' is 0 elsewhere, so the Hessian it gives is blind to the kink). The third derivative is for Jacobians
of second derivatives: a network that solves a differential equation, and the change of a Hessian along a step.

One more number, ``strip``, is the half-width of a strip around the real line in which sigma is analytic and of
moderate size. It sets the step of the quadrature in :mod:`nntk_lib.limits.quadrature`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
from numpy.typing import ArrayLike

from ..exceptions import Array, ParameterError, finite, integer, positive, real_array


@dataclass(frozen=True)
class Activation:
    """An activation with its derivatives.

    Activations compare by value, and survive a pickle and a copy as what they were: silu(2.0) == silu(2.0).

    Attributes
    ----------
    name : str
    derivatives : callable
        ``derivatives(z)`` yields sigma(z), sigma'(z), sigma''(z), sigma'''(z), elementwise; later ones are not computed
        unless asked for, and use the earlier ones. One's own may stop at sigma'': only a network that asks for sigma'''
        misses it, with an error that says so.
    sup : tuple of three floats
        Suprema (s0, s1, s2) of the absolute values over the real line; infinite where unbounded.
    strip : float
        Half-width of a strip around the real line in which the activation is analytic and of moderate size: the
        distance of the nearest pole, 1 for the entire functions erf and sine (they grow off the axis), 0 for ReLU.
    s3 : float
        Supremum of |sigma'''|, infinite where unbounded or not known.

    Examples
    --------
    >>> tanh.sup[2] == 4 / (3 * 3**0.5), tanh.satisfies_a1, relu.satisfies_a1
    (True, True, False)
    """

    name: str
    derivatives: Callable[[Array], Iterable[Array]] = field(repr=False)
    sup: tuple[float, float, float]
    strip: float
    s3: float = np.inf

    def rows(self, z: Array, order: int = 2) -> tuple[Array, ...]:
        """sigma(z) and its derivatives up to `order`, elementwise.

        Parameters
        ----------
        z : ndarray of at least one axis
        order : int
            0 to 3.

        Returns
        -------
        tuple of order + 1 ndarrays of the shape of z
            They are yours: no two are the same array, and none is z, so that they may be worked on in place.

        Raises
        ------
        ParameterError
            If the activation does not go that far.
        """
        rows: list[Array] = []
        for row in islice(self.derivatives(z), order + 1):
            row = np.asarray(row, dtype=z.dtype if z.dtype.kind in "fc" else None)
            rows.append(row.copy() if not row.flags.writeable or any(row is one for one in (z, *rows)) else row)
        if len(rows) <= order:
            raise ParameterError(
                f"Activation {self.name!r} ends with derivative number {len(rows) - 1}; number {order} was asked for. "
                "Let its `derivatives` yield it, or use an activation of this module."
            )
        return tuple(rows)

    def f(self, z: Array) -> Array:
        """sigma(z), elementwise."""
        return self._derivative(z, 0)

    def df(self, z: Array) -> Array:
        """sigma'(z), elementwise."""
        return self._derivative(z, 1)

    def d2f(self, z: Array) -> Array:
        """sigma''(z), elementwise."""
        return self._derivative(z, 2)

    def d3f(self, z: Array) -> Array:
        """sigma'''(z), elementwise."""
        return self._derivative(z, 3)

    def _derivative(self, z: ArrayLike, order: int) -> Array:
        z = np.asarray(z) if isinstance(z, (np.ndarray, np.number)) and np.iscomplexobj(z) else real_array("z", z)
        return self.rows(np.atleast_1d(z), order)[order].reshape(z.shape)[()]

    @property
    def satisfies_a1(self) -> bool:
        """Whether the activation and its first two derivatives are bounded (assumption A1)."""
        return bool(np.isfinite(self.sup).all())


def _tanh(z: Array) -> Iterator[Array]:
    s = np.tanh(z)
    yield s
    ds = s * s  # in place from here on: fresh memory costs more than the arithmetic
    np.subtract(1, ds, out=ds)
    yield ds
    d2s = s * ds
    d2s *= -2
    yield d2s
    yield 2 * ds * (2 - 3 * ds)


def _logistic(z: Array) -> Iterator[Array]:
    """s(z) = 1 / (1 + e^{-z}), s(z) s(-z) and 1 - 2 s(z), the first two with all their digits in both tails."""
    if np.iscomplexobj(z):
        t = np.tanh(0.5 * z)
        yield from (0.5 * (1 + t), 0.25 * (1 - t * t), -t)
        return
    with np.errstate(over="ignore"):  # s = 1 / inf = 0
        e = np.exp(-z)
    s = 1 + e
    np.divide(1, s, out=s)
    yield s
    np.minimum(e, np.finfo(e.dtype).max, out=e)  # inf * 0 is no number
    e *= s
    e *= s
    yield e
    yield 1 - 2 * s


def _sigmoid(z: Array) -> Iterator[Array]:
    rows = _logistic(z)
    yield next(rows)
    ds = next(rows)
    yield ds
    yield ds * next(rows)
    yield ds * (1 - 6 * ds)


def _erf(z: Array) -> Iterator[Array]:
    from scipy.special import erf as erf_function

    yield erf_function(z)
    if np.isrealobj(z):
        z = np.clip(z, -30, 30)  # beyond, all derivatives are 0 in double precision, and squares may overflow
    ds = 2 / np.sqrt(np.pi) * np.exp(-z * z)
    yield ds
    yield -2 * z * ds
    yield (4 * z * z - 2) * ds


def _sine(z: Array) -> Iterator[Array]:
    s = np.sin(z)
    yield s
    ds = np.cos(z)
    yield ds
    yield -s
    yield -ds


def _softplus(z: Array) -> Iterator[Array]:
    yield np.logaddexp(0, z) if np.isrealobj(z) else np.log1p(np.exp(z))
    yield from islice(_sigmoid(z), 3)


def _relu(z: Array) -> Iterator[Array]:
    on = (np.real(z) > 0).astype(z.dtype)
    yield z * on
    yield on
    yield np.zeros_like(z)
    yield np.zeros_like(z)


tanh = Activation("tanh", _tanh, (1.0, 1.0, 4 / (3 * 3**0.5)), np.pi / 2, 2.0)
sigmoid = Activation("sigmoid", _sigmoid, (1.0, 0.25, 1 / (6 * 3**0.5)), np.pi, 0.125)
erf = Activation("erf", _erf, (1.0, 2 / np.pi**0.5, (8 / np.pi) ** 0.5 * np.exp(-0.5)), 1.0, 4 / np.pi**0.5)
sine = Activation("sine", _sine, (1.0, 1.0, 1.0), 1.0, 1.0)
softplus = Activation("softplus", _softplus, (np.inf, 1.0, 0.25), np.pi, 1 / (6 * 3**0.5))
relu = Activation("relu", _relu, (np.inf, 1.0, np.inf), 0.0)

#: SiLU' peaks where t = slope z solves t tanh(t/2) = 2; there g = 1/2 + 1/t, and its value is 1/2 + t/4.
_SILU_SUP = 0.5 + 2.399357280515467668 / 4
#: The largest |SiLU'''| for slope 1, at t = 1.0319582...; it grows like the square of the slope.
_SILU_S3 = 0.308181515796479120


@dataclass(frozen=True)
class _SiLU:
    """The derivatives of SiLU. An object, not a closure: it compares by value, and can be pickled."""

    slope: float

    def __call__(self, z: Array) -> Iterator[Array]:
        rows = _logistic(self.slope * z)
        g = next(rows)
        yield z * g
        dg = self.slope * next(rows)
        yield g + z * dg
        t = next(rows)
        yield dg * (2 + self.slope * z * t)
        yield self.slope * dg * (3 * t + z * (self.slope - 6 * dg))


@dataclass(frozen=True)
class _Shifted:
    """The derivatives of an activation at z + by."""

    derivatives: Callable[[Array], Iterable[Array]]
    by: float

    def __call__(self, z: Array) -> Iterable[Array]:
        return self.derivatives(z + self.by)


@dataclass(frozen=True)
class _Monomial:
    """z^q and its derivatives."""

    q: int

    def __call__(self, z: Array) -> Iterator[Array]:
        factor, power = 1, self.q
        while True:
            yield factor * z**power if power else np.full_like(z, factor)
            factor, power = factor * power, max(power - 1, 0)


def monomial(q: int) -> Activation:
    """The activation z^q: the kernel of a network of any width has finite rank, and no derivative is bounded.

    Raises
    ------
    ParameterError
        If q is not a positive integer.

    Examples
    --------
    >>> [float(row[0]) for row in monomial(3).rows(np.array([2.0]), 3)]
    [8.0, 12.0, 12.0, 6.0]
    """
    return Activation(f"z^{integer('q', q)}", _Monomial(int(q)), (np.inf, np.inf, np.inf), 1.0)


def silu(slope: float = 1.0) -> Activation:
    """The SiLU activation z / (1 + exp(-slope z)); it tends to ReLU as `slope` grows.

    Parameters
    ----------
    slope : float
        Positive; called beta by Arbel et al. (2023), a letter this book keeps for the output scaling.

    Raises
    ------
    ParameterError
        If `slope` is not positive and finite.

    Examples
    --------
    >>> float(silu(2.0).df(0.0)), float(silu(2.0).d2f(0.0))
    (0.5, 1.0)
    """
    slope = positive("slope", slope)
    sup = np.inf, _SILU_SUP, slope / 2
    return Activation(f"silu({slope:g})", _SiLU(slope), sup, np.pi / slope, _SILU_S3 * slope * slope)


def shifted(act: str | Activation, by: float) -> Activation:
    """The activation z -> act(z + by); it is in A1 whenever `act` is.

    With a centred normal law of w and an odd activation the leading terms of several errors at finite width cancel. A
    shift removes the symmetry, and the exponents of the theorems show.

    Raises
    ------
    ParameterError
        If `by` is not finite, or the name of the activation is unknown.

    Examples
    --------
    >>> act = shifted(tanh, 1.0)
    >>> act.name, float(act.f(-1.0)), act.satisfies_a1
    ('tanh(z+1)', 0.0, True)
    """
    act, by = get_activation(act), finite("by", by)
    return Activation(f"{act.name}(z{by:+g})", _Shifted(act.derivatives, by), act.sup, act.strip, act.s3)


ACTIVATIONS: dict[str, Activation] = {a.name: a for a in (tanh, sigmoid, erf, sine, softplus, relu)} | {"silu": silu()}


def get_activation(act: str | Activation) -> Activation:
    """Look an activation up by its name; an `Activation` is returned as it is.

    Raises
    ------
    ParameterError
        If the name is unknown.
    """
    if isinstance(act, Activation):
        return act
    if not isinstance(act, str) or act not in ACTIVATIONS:
        raise ParameterError(f"Unknown activation {act!r}. Choose one of {', '.join(ACTIVATIONS)}, or an Activation.")
    return ACTIVATIONS[act]
