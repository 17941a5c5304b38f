r"""Exponents from measurements, with an interval.

A quantity that behaves like C m^a is a line in logarithms. :func:`fit_rate` fits it by least squares and gives the
interval of Student's t distribution for a. With several seeds a width, the mean of the logarithms over the seeds is
fitted: its scatter about the line holds both the noise of the seeds and any bend of the true curve, so that repeating a
systematic error does not narrow the interval. The exponents between neighbouring widths show the bend itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from ..exceptions import Array, ParameterError, finite_array, positive, real_array, same_length
from .intervals import confidence


@dataclass(frozen=True, eq=False)
class Rate:
    """A fitted power law C m^a.

    Attributes
    ----------
    exponent, half_width : float
        a, and the half-width of its confidence interval.
    prefactor : float
        C.
    level : float
        Confidence level of the interval.
    local : ndarray, shape (W - 1,)
        Exponents between neighbouring widths.
    """

    exponent: float
    half_width: float
    prefactor: float
    level: float
    local: Array = field(repr=False)

    @property
    def interval(self) -> tuple[float, float]:
        """Confidence interval of the exponent."""
        return self.exponent - self.half_width, self.exponent + self.half_width

    def around(self, exponent: float) -> tuple[float, float]:
        """An interval of the same width around another exponent: what a check holds the fitted one against."""
        return exponent - self.half_width, exponent + self.half_width

    def power(self, m: ArrayLike) -> Array:
        """The fitted curve C m^a."""
        return self.prefactor * np.asarray(m, dtype=float) ** self.exponent

    def __str__(self) -> str:
        return f"m^({self.exponent:+.3f} ± {self.half_width:.3f})"


def fit_rate(m: ArrayLike, values: ArrayLike, level: float = 0.95) -> Rate:
    """Fit values ~ C m^a by least squares in logarithms.

    Parameters
    ----------
    m : array_like, shape (W,)
        Widths, at least three different ones.
    values : array_like, shape (W,) or (W, seeds)
        Positive measurements; the logarithms of several seeds are averaged.
    level : float
        Confidence level of the interval, between 0 and 1.

    Returns
    -------
    Rate
        Exponent with the interval of Student's t distribution with W - 2 degrees of freedom.

    Raises
    ------
    ShapeError, NonFiniteError
    ParameterError
        If there are fewer than three widths, or a value is not positive.

    Examples
    --------
    >>> rate = fit_rate([10, 100, 1000], [2.0, 0.2, 0.02])
    >>> round(rate.exponent, 12), round(rate.prefactor, 9)
    (-1.0, 20.0)
    """
    from scipy.stats import linregress, t

    m = finite_array("m", m, 1)
    values = finite_array("values", values, 2 if real_array("values", values).ndim == 2 else 1)
    same_length("values", values, len(m), "m")
    if len(np.unique(m)) < 3:
        raise ParameterError(f"Only {len(np.unique(m))} different widths: a slope and its error need at least 3.")
    if (m <= 0).any() or (values <= 0).any():
        raise ParameterError("A power law needs positive widths and values. Fit norms, and drop exact zeros knowingly.")
    level = confidence(level)
    x, logs = np.log(m), np.log(values)
    logs = logs.mean(axis=1) if logs.ndim == 2 else logs
    fit = linregress(x, logs)
    half_width = float(t.ppf(0.5 + level / 2, len(m) - 2) * fit.stderr)
    local = np.diff(logs) / np.diff(x)
    return Rate(float(fit.slope), half_width, float(np.exp(fit.intercept)), level, local)


def convergence_order(errors: ArrayLike, below: float = np.inf, above: float = 0.0) -> float:
    """Order of convergence q of e_{k+1} ~ C e_k^q: the slope of log e_{k+1} over log e_k, by least squares.

    Parameters
    ----------
    errors : array_like, shape (K + 1,)
        Positive, along an iteration.
    below, above : float
        Only errors between the two count: once the iteration is in its last phase, and above rounding.

    Raises
    ------
    ParameterError
        If fewer than three errors are left.

    Examples
    --------
    >>> round(convergence_order([1e-1, 1e-2, 1e-4, 1e-8]), 9)
    2.0
    >>> round(convergence_order([1.0, 0.5, 0.25, 0.125]), 9)
    1.0
    """
    e, above = finite_array("errors", errors, 1), positive("above", above, allow_zero=True)
    below = np.inf if isinstance(below, float) and below == np.inf else positive("below", below)
    e = e[(e < below) & (e > above)]
    if len(e) < 3:
        raise ParameterError(f"{len(e)} errors lie between {above:g} and {below:g}: an order needs at least 3.")
    x, y = np.log(e[:-1]), np.log(e[1:])
    x = x - x.mean()
    return float(x @ y / (x @ x))
