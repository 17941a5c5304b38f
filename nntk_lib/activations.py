r"""Activations: sigma, sigma', sigma'' from one evaluation, and what the theory asks of them.

Assumption A1 of the Newton paper wants sigma bounded, with bounded first and second derivatives:

    s0 = sup |sigma|,   s1 = sup |sigma'|,   s2 = sup |sigma''|   all finite.

Tanh, the logistic sigmoid, erf and sine satisfy it; softplus and SiLU are unbounded, and ReLU has no second
derivative at 0 (its sigma'' is 0 elsewhere, so the Hessian it gives is blind to the kink).

One more number, ``strip``, is the half-width of a strip around the real line in which sigma is analytic and of
moderate size. It sets the step of the quadrature in :mod:`nntk_lib.quadrature`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
from numpy.typing import ArrayLike

from .checks import Array, ParameterError, positive


@dataclass(frozen=True)
class Activation:
    """An activation with its first two derivatives.

    Attributes
    ----------
    name : str
    derivatives : callable
        ``derivatives(z)`` yields sigma(z), sigma'(z), sigma''(z), elementwise; later ones are not computed unless asked
        for, and use the earlier ones.
    sup : tuple of three floats
        Suprema (s0, s1, s2) of the absolute values over the real line; infinite where unbounded.
    strip : float
        Half-width of a strip around the real line in which the activation is analytic and of moderate size: the
        distance of the nearest pole, 1 for the entire functions erf and sine (they grow off the axis), 0 for ReLU.

    Examples
    --------
    >>> tanh.sup[2] == 4 / (3 * 3**0.5), tanh.satisfies_a1, relu.satisfies_a1
    (True, True, False)
    """

    name: str
    derivatives: Callable[[Array], Iterable[Array]] = field(repr=False)
    sup: tuple[float, float, float]
    strip: float

    def rows(self, z: Array, order: int = 2) -> tuple[Array, ...]:
        """sigma(z) and its derivatives up to `order`, elementwise, for an array z of at least one axis."""
        rows: list[Array] = []
        for row in islice(self.derivatives(z), order + 1):  # callers work in place, so no row may be there twice
            rows.append(row.copy() if any(row is other for other in (z, *rows)) else row)
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

    def _derivative(self, z: ArrayLike, order: int) -> Array:
        z = np.asarray(z, dtype=np.result_type(z, 0.0))
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


def _expit(z: Array) -> Array:
    return 0.5 * (1 + np.tanh(0.5 * z))  # never overflows


def _sigmoid(z: Array) -> Iterator[Array]:
    s = _expit(z)
    yield s
    ds = s * (1 - s)
    yield ds
    yield ds * (1 - 2 * s)


def _erf(z: Array) -> Iterator[Array]:
    from scipy.special import erf as erf_function

    yield erf_function(z)
    ds = 2 / np.sqrt(np.pi) * np.exp(-z * z)
    yield ds
    yield -2 * z * ds


def _sine(z: Array) -> Iterator[Array]:
    s = np.sin(z)
    yield s
    yield np.cos(z)
    yield -s


def _softplus(z: Array) -> Iterator[Array]:
    yield np.logaddexp(0, z) if np.isrealobj(z) else np.log1p(np.exp(z))
    yield from islice(_sigmoid(z), 2)


def _relu(z: Array) -> Iterator[Array]:
    on = (np.real(z) > 0).astype(z.dtype)
    yield z * on
    yield on
    yield np.zeros_like(z)


tanh = Activation("tanh", _tanh, (1.0, 1.0, 4 / (3 * 3**0.5)), np.pi / 2)
sigmoid = Activation("sigmoid", _sigmoid, (1.0, 0.25, 1 / (6 * 3**0.5)), np.pi)
erf = Activation("erf", _erf, (1.0, 2 / np.pi**0.5, (8 / np.pi) ** 0.5 * np.exp(-0.5)), 1.0)
sine = Activation("sine", _sine, (1.0, 1.0, 1.0), 1.0)
softplus = Activation("softplus", _softplus, (np.inf, 1.0, 0.25), np.pi)
relu = Activation("relu", _relu, (np.inf, 1.0, np.inf), 0.0)

#: SiLU' peaks where t = slope z solves t tanh(t/2) = 2; there g = 1/2 + 1/t, and its value is 1/2 + t/4.
_SILU_SUP = 0.5 + 2.399357280515467668 / 4


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

    def derivatives(z: Array) -> Iterator[Array]:
        g = _expit(slope * z)
        yield z * g
        dg = slope * g * (1 - g)
        yield g + z * dg
        yield dg * (2 + slope * z * (1 - 2 * g))

    return Activation(f"silu({slope:g})", derivatives, (np.inf, _SILU_SUP, slope / 2), np.pi / slope)


def shifted(act: str | Activation, by: float) -> Activation:
    """The activation z -> act(z + by); it is in A1 whenever `act` is.

    With a centred normal law of w and an odd activation the leading terms of several errors at finite width cancel. A
    shift removes the symmetry, and the exponents of the theorems show.

    Examples
    --------
    >>> act = shifted(tanh, 1.0)
    >>> act.name, float(act.f(-1.0)), act.satisfies_a1
    ('tanh(z+1)', 0.0, True)
    """
    act, by = get_activation(act), float(by)
    return Activation(f"{act.name}(z{by:+g})", lambda z: act.derivatives(z + by), act.sup, act.strip)


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
    if act not in ACTIVATIONS:
        raise ParameterError(f"Unknown activation {act!r}. Choose one of {', '.join(ACTIVATIONS)}, or an Activation.")
    return ACTIVATIONS[act]
