"""Intervals of probabilities and of means, against SciPy's tests and against what defines them."""

import numpy as np
import pytest
from scipy.stats import binom, binomtest, ttest_1samp

from nntk_lib.exceptions import NonFiniteError, ParameterError, ShapeError
from nntk_lib.theory import mean_interval, proportion_interval


@pytest.mark.parametrize("level", [0.8, 0.95, 0.999])
@pytest.mark.parametrize("trials", [1, 7, 100, 4000])
def test_is_the_interval_of_the_binomial_test(trials, level):
    hits = np.unique([0, 1, trials // 3, trials - 1, trials])
    found = proportion_interval(hits, trials, level)
    for h, ends in zip(hits, found.T, strict=True):
        np.testing.assert_allclose(
            ends, binomtest(int(h), trials).proportion_ci(level, method="exact"), rtol=1e-9, atol=1e-12
        )


def test_covers_at_least_as_often_as_it_says():
    """Exactly: the probability of all counts whose interval holds p, and it comes close for some p."""
    ends, p = proportion_interval(np.arange(21), 20), np.linspace(0.01, 0.99, 197)
    holds = (ends[0] <= p[:, None]) & (p[:, None] <= ends[1])
    cover = (binom.pmf(np.arange(21), 20, p[:, None]) * holds).sum(axis=1)
    assert cover.min() >= 0.95 and cover.min() < 0.96


def test_counts_are_broadcast():
    assert proportion_interval([[1, 2]], [[5], [6], [7]]).shape == (2, 3, 2)


@pytest.mark.parametrize("hits, trials", [(-1, 5), (6, 5), (0, 0), (0.5, 5), ([1, 9], 5)])
def test_counts_that_are_none_are_named(hits, trials):
    with pytest.raises(ParameterError, match="hits = .* of trials = "):
        proportion_interval(hits, trials)


@pytest.mark.parametrize("level", [0, 1, -0.5, 2])
def test_level_is_a_share(level):
    with pytest.raises(ParameterError, match="level"):
        proportion_interval(1, 5, level)
    with pytest.raises(ParameterError, match="level"):
        mean_interval([1.0, 2.0], level)


@pytest.mark.parametrize("level", [0.8, 0.95, 0.999])
@pytest.mark.parametrize("shape", [(2,), (5,), (12, 3)])
def test_is_the_interval_of_students_test(level, shape):
    values = np.random.default_rng(0).normal(3.0, 2.0, shape)
    mean, low, high = mean_interval(values, level)
    expected = ttest_1samp(values, 0.0).confidence_interval(level)
    for found, other in zip((mean, low, high), (values.mean(axis=0), *expected), strict=True):
        np.testing.assert_allclose(found, other, rtol=1e-12)


def test_holds_the_mean_as_often_as_it_says():
    """Of 20,000 experiments with three seeds, within four standard deviations."""
    _mean, low, high = mean_interval(np.random.default_rng(1).normal(1.0, 2.0, (3, 20_000)))
    assert abs(np.mean((low <= 1) & (high >= 1)) - 0.95) < 4 * (0.95 * 0.05 / 20_000) ** 0.5


def test_one_seed_or_a_lost_one_is_named():
    with pytest.raises(ShapeError, match="one seed"):
        mean_interval([1.0])
    with pytest.raises(NonFiniteError, match="values"):
        mean_interval([1.0, np.nan])
