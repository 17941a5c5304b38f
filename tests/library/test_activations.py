import numpy as np
import pytest

from nntk_lib import ACTIVATIONS, AssumptionWarning, ParameterError, Shallow, init, newton_step, silu
from nntk_lib.activations import get_activation

from .cases import ALL, EPS, SMOOTH

GRID = np.linspace(-40, 40, 800_001)
SILUS = [silu(0.5), silu(3.0)]


@pytest.mark.parametrize("act", [ACTIVATIONS[a] for a in SMOOTH] + SILUS, ids=lambda a: a.name)
def test_derivatives_by_the_complex_step(act):
    z = np.linspace(-6, 6, 101)
    h = 1e-30
    s, ds, d2s = act.rows(z)
    shifted = act.rows(z + 1j * h)
    scale = 1 + np.abs(z)
    assert np.all(np.abs(shifted[0].imag / h - ds) <= 32 * EPS * scale)
    assert np.all(np.abs(shifted[1].imag / h - d2s) <= 64 * EPS * scale * max(1, act.sup[2]))
    assert np.array_equal(s, act.f(z)) and np.array_equal(ds, act.df(z)) and np.array_equal(d2s, act.d2f(z))


@pytest.mark.parametrize("act", [ACTIVATIONS[a] for a in ALL] + SILUS, ids=lambda a: a.name)
def test_suprema_are_attained_on_a_fine_grid_and_never_exceeded(act):
    spacing = GRID[1] - GRID[0]
    for values, supremum in zip(act.rows(GRID), act.sup, strict=True):
        largest = np.abs(values).max()
        if np.isfinite(supremum):
            assert largest <= supremum * (1 + 4 * EPS)
            assert largest >= supremum - 10 * spacing**2 - 1e-7  # quadratic at a maximum; tanh, erf only in the limit
        else:
            assert largest > 8 or act.name == "relu"


def test_assumption_a1():
    assert {a for a in ALL if ACTIVATIONS[a].satisfies_a1} == {"tanh", "sigmoid", "erf", "sine"}


def test_sigmoid_and_softplus_do_not_overflow():
    z = np.array([-1e4, 1e4])
    with np.errstate(all="raise", under="ignore"):
        assert np.array_equal(ACTIVATIONS["sigmoid"].f(z), [0, 1])
        assert np.array_equal(ACTIVATIONS["softplus"].f(z), [0, 1e4])


def test_unbounded_activation_is_named_in_a_warning():
    net = Shallow("softplus")
    with pytest.warns(AssumptionWarning, match=r"softplus.*A1.*inf"):
        newton_step(net, init(net, 64, 1, rng=0), [[0.0], [1.0]], [0.0, 0.1], gamma=5.0)


def test_unknown_activation():
    with pytest.raises(ParameterError, match="'gelu'.*tanh"):
        get_activation("gelu")
    with pytest.raises(ParameterError, match="slope = 0"):
        silu(0)
