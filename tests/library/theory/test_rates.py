"""Fitted exponents and their intervals."""

import numpy as np
import pytest
from scipy.optimize import curve_fit

from nntk_lib.exceptions import ParameterError, ShapeError
from nntk_lib.theory import (
    convergence_order,
    fit_rate,
)

pytestmark = pytest.mark.filterwarnings("ignore::nntk_lib.exceptions.AssumptionWarning")


def test_fit_rate_is_the_textbook_interval():
    rng = np.random.default_rng(0)
    m = np.geomspace(10, 1e5, 9)
    values = 3 * m**-0.4 * np.exp(0.1 * rng.standard_normal(9))
    rate = fit_rate(m, values)
    (slope, intercept), covariance = curve_fit(lambda x, a, b: a * x + b, np.log(m), np.log(values))
    assert rate.exponent == pytest.approx(slope, rel=1e-6)
    assert rate.prefactor == pytest.approx(np.exp(intercept), rel=1e-6)
    assert rate.half_width == pytest.approx(2.364624251592785 * covariance[0, 0] ** 0.5, rel=1e-6)  # t, 7 degrees
    assert rate.interval == (rate.exponent - rate.half_width, rate.exponent + rate.half_width)
    assert rate.around(-0.5) == (-0.5 - rate.half_width, -0.5 + rate.half_width)
    assert rate.power(m) == pytest.approx(rate.prefactor * m**rate.exponent)
    assert rate.local == pytest.approx(np.diff(np.log(values)) / np.diff(np.log(m)))
    assert str(rate).startswith("m^(-0.")
    assert fit_rate(m, values, level=0.5).half_width < rate.half_width


def test_intervals_cover_as_often_as_they_say():
    rng, m, hits = np.random.default_rng(1), np.geomspace(10, 1e4, 6), 0
    for _ in range(400):
        noisy = m[:, None] ** -0.5 * np.exp(0.3 * rng.standard_normal((6, 4)))
        low, high = fit_rate(m, noisy).interval
        hits += low <= -0.5 <= high
    assert abs(hits / 400 - 0.95) <= 4 * (0.95 * 0.05 / 400) ** 0.5


def test_fit_rate_names_bad_input():
    with pytest.raises(ParameterError, match="at least 3"):
        fit_rate([1, 1, 2], [1.0, 2, 3])
    with pytest.raises(ParameterError, match="positive"):
        fit_rate([1, 2, 3], [1.0, 0, 3])
    with pytest.raises(ParameterError, match="level"):
        fit_rate([1, 2, 3], [1.0, 2, 3], level=95)
    with pytest.raises(ShapeError, match="length 2"):
        fit_rate([1, 2, 3], [1.0, 2])


def test_order_of_convergence():
    e = [0.5]
    for _ in range(4):
        e.append(0.7 * e[-1] ** 1.8)
    assert convergence_order(e) == pytest.approx(1.8, rel=1e-12)
    assert convergence_order([7.0, *e, 1e-16], below=1, above=1e-15) == pytest.approx(1.8, rel=1e-12)
    with pytest.raises(ParameterError, match="2 errors lie between"):
        convergence_order(e, above=e[2])
