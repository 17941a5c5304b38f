"""The constant of the wall, against a scan of neurons and against the thresholds of wide networks."""

import numpy as np
import pytest

from nntk_lib import Shallow, safe_gamma
from nntk_lib.exceptions import ParameterError, ShapeError
from nntk_lib.networks import C_MAX
from nntk_lib.theory import wall_constant
from nntk_lib.theory.wall import _block
from nntk_lib.verbs import curvature_blocks

X = np.linspace(-1, 1, 9)[:, None]
R = np.sin(3 * X[:, 0])


@pytest.mark.parametrize("name", ["tanh", "sigmoid", "erf", "sine"])
def test_no_neuron_lies_deeper_than_the_constant(name):
    """A scan by the library's own blocks reaches it from below, within its mesh."""
    net = Shallow(name)
    w = np.linspace(-8, 8, 161)
    grid = np.stack(np.meshgrid([C_MAX, -C_MAX], w, w), axis=-1).reshape(-1, 3)
    blocks = curvature_blocks(net, grid, X, R) * len(grid) ** net.beta
    deepest = -np.linalg.eigvalsh(blocks)[:, 0].min()
    kappa = wall_constant(net, X, R, starts=40)
    assert 0.995 * kappa <= deepest <= kappa * (1 + 1e-12)


def test_gradient_of_the_depth():
    w, h, act = np.array([0.7, -0.3]), 1e-6, Shallow("tanh").act
    Z = np.column_stack([X, np.ones(9)])
    gradient = _block(w, C_MAX, act, Z, R)[1]
    for i in range(2):
        e = h * np.eye(2)[i]
        difference = (_block(w + e, C_MAX, act, Z, R)[0] - _block(w - e, C_MAX, act, Z, R)[0]) / (2 * h)
        assert gradient[i] == pytest.approx(difference, rel=1e-6, abs=1e-9)


def test_thresholds_of_wide_networks_come_close_from_below():
    net = Shallow("tanh", outputs="mirrored", weight_std=2.0)
    gamma = safe_gamma(net, net.init(2**16, 1, rng=0), X, -R)  # the outputs are zero: the residual is R
    assert 0.9 <= gamma * 2 ** (16 * (1 - net.beta)) / wall_constant(net, X, R, starts=40) <= 1 + 1e-12


@pytest.mark.parametrize("wrong", [{"starts": 0}, {"pool": 2.5}, {"scale": -1.0}])
def test_bad_input_is_named(wrong):
    with pytest.raises(ParameterError, match=next(iter(wrong))):
        wall_constant(Shallow("tanh"), X, R, **wrong)


def test_a_residual_for_every_sample():
    with pytest.raises(ShapeError, match="r has length 8, but X has 9"):
        wall_constant(Shallow("tanh"), X, R[1:])
