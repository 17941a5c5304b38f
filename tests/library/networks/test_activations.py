import copy
import pickle

import mpmath as mp
import numpy as np
import pytest

from nntk_lib.exceptions import AssumptionWarning, ParameterError, warn_a1
from nntk_lib.networks.activations import ACTIVATIONS, Activation, get_activation, shifted, silu, tanh

EPS = np.finfo(float).eps
SMOOTH = ["tanh", "sigmoid", "erf", "sine", "softplus", "silu"]
ALL = [*SMOOTH, "relu"]
GRID = np.linspace(-40, 40, 800_001)
MORE = [silu(0.5), silu(3.0), shifted("tanh", 0.7), shifted(silu(2.0), -1.0)]
by_name = pytest.mark.parametrize("act", [ACTIVATIONS[a] for a in ALL] + MORE, ids=lambda a: a.name)


@pytest.mark.parametrize("act", [ACTIVATIONS[a] for a in SMOOTH] + MORE, ids=lambda a: a.name)
def test_derivatives_by_the_complex_step(act):
    z = np.linspace(-6, 6, 101)
    h = 1e-30
    rows, moved = act.rows(z, 3), act.rows(z + 1j * h, 3)
    assert len(rows) == 4 and len(act.rows(z)) == 3
    for k, (here, there) in enumerate(zip(rows[1:], moved, strict=False)):
        size = max(1, (*act.sup, act.s3)[k + 1])
        assert np.all(np.abs(there.imag / h - here) <= 32 * (k + 1) * EPS * (1 + np.abs(z)) * size)
    for row, value in zip(rows, (act.f(z), act.df(z), act.d2f(z), act.d3f(z)), strict=True):
        assert np.array_equal(row, value)


@by_name
def test_suprema_are_attained_on_a_fine_grid_and_never_exceeded(act):
    spacing = GRID[1] - GRID[0]
    for values, supremum in zip(act.rows(GRID, 3), (*act.sup, act.s3), strict=True):
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
    with pytest.warns(AssumptionWarning, match=r"softplus.*A1.*inf"):
        warn_a1(ACTIVATIONS["softplus"])


@by_name
def test_the_rows_are_yours(act):
    z = np.linspace(-2, 2, 9)
    kept, rows = z.copy(), act.rows(z, 3)
    expected = [row.copy() for row in rows]
    for row in rows:
        row *= np.nan
    assert np.array_equal(z, kept)
    for k, row in enumerate(act.rows(z, 3)):
        assert np.array_equal(row, expected[k])
    assert not any(np.shares_memory(a, b) for k, a in enumerate(rows) for b in (z, *rows[:k]))


@by_name
def test_copies_and_pickles_are_equal_and_compute_the_same(act):
    z = np.linspace(-2, 2, 9)
    for twin in (pickle.loads(pickle.dumps(act)), copy.deepcopy(act), copy.copy(act)):
        assert twin == act and hash(twin) == hash(act) and get_activation(twin) is twin
        assert np.array_equal(twin.rows(z, 3), act.rows(z, 3))


def test_activations_compare_by_value():
    assert silu(2.0) == silu(2.0) != silu(2.5) and silu() == ACTIVATIONS["silu"]
    assert silu(1.0) != silu(1.0 + 1e-9)  # the name shows six digits
    assert shifted("tanh", 1.0) == shifted(tanh, 1.0) != shifted(tanh, 0.5)


def test_an_activation_of_ones_own_may_stop_at_the_second_derivative():
    own = Activation("square", lambda z: (z * z, 2 * z, 2 + 0 * z), (np.inf, np.inf, 2.0), 1.0)
    assert own.s3 == np.inf and own.d2f(3.0) == 2
    with pytest.raises(ParameterError, match="'square' ends with derivative number 2; number 3 was asked for"):
        own.d3f(0.0)


def test_bad_input_is_named():
    for act in ("gelu", 3, ["tanh"]):
        with pytest.raises(ParameterError, match=r"Unknown activation .*tanh"):
            get_activation(act)
    with pytest.raises(ParameterError, match="slope = 0"):
        silu(0)
    with pytest.raises(ParameterError, match="by = nan"):
        shifted("tanh", np.nan)


def logistic_rows(x):
    """s and its first three derivatives in many digits."""
    s, other = 1 / (1 + mp.exp(-x)), 1 / (1 + mp.exp(x))
    d = s * other
    return s, d, d * (other - s), d * (1 - 6 * d)


TRUTH = {
    "sigmoid": logistic_rows,
    "softplus": lambda x: (mp.log1p(mp.exp(x)), *logistic_rows(x)[:3]),
    "silu": lambda x: (lambda s, d, e, _: (x * s, s + x * d, 2 * d + x * e))(*logistic_rows(x)),
    "erf": lambda x: (lambda d: (mp.erf(x), d, -2 * x * d))(2 / mp.sqrt(mp.pi) * mp.exp(-x * x)),
}


@pytest.mark.parametrize("name", TRUTH)
def test_tails_have_all_their_digits(name):
    """Where a value is 1e-130 it is right to 1e-12 of itself; not so tanh' and tanh'', whose error is 1e-16 of 1."""
    z = np.concatenate([np.linspace(-300, 300, 121) + 0.125, np.linspace(-6, 6, 81) + 0.003])
    with mp.workdps(60):
        for k, row in enumerate(ACTIVATIONS[name].rows(z, 2)):
            for x, found in zip(z, row, strict=True):
                true = TRUTH[name](mp.mpf(float(x)))[k]
                assert abs(true) < 1e-290 or abs(mp.mpf(float(found)) - true) <= 1e-12 * abs(true), (k, x)


@pytest.mark.parametrize("dtype", [float, np.float32])
@by_name
def test_the_largest_arguments_give_no_nan_and_no_warning(act, dtype):
    largest = float(np.finfo(dtype).max) / (4 * max(1.0, act.sup[1]))
    z = np.array([-largest, -1e30, 1e30, largest]).astype(dtype)
    slope = getattr(act.derivatives, "slope", 1.0)
    with np.errstate(over="raise", invalid="raise"):
        rows = act.rows(z / dtype(max(slope, 1.0)), 2)
    assert all(row.dtype == dtype and np.isfinite(row).all() for row in rows)
