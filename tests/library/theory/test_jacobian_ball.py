"""How fast the Jacobian can change: against differences of Jacobians, and attained."""

import numpy as np
import pytest

from nntk_lib import Shallow, reference
from nntk_lib.exceptions import NNTKError
from nntk_lib.theory import jacobian_change


def derivative(net, theta, X, v, h=1e-5):
    forward, back = (reference.jacobian(net, theta + s * h * v, X) for s in (1, -1))
    return (forward - back) / (2 * h)


@pytest.mark.parametrize("act", ["tanh", "silu"])
@pytest.mark.parametrize("beta", [0.5, 1.0])
def test_exact_at_a_point_and_a_bound_in_the_ball(act, beta):
    net, rng = Shallow(act, beta=beta, bias=False), np.random.default_rng(0)
    X, theta = rng.standard_normal((5, 3)), net.init(7, 3, rng=1)
    exact = jacobian_change(net, theta, X)
    largest = 0.0
    for i in range(len(theta)):  # the derivative of J along each parameter of a neuron, as the columns of a matrix
        columns = []
        for k in range(theta.shape[1]):
            v = np.zeros_like(theta)
            v[i, k] = 1
            columns.append(derivative(net, theta, X, v).ravel())
        largest = max(largest, np.linalg.norm(np.array(columns), 2))
    assert exact == pytest.approx(largest, rel=1e-7)
    bound = jacobian_change(net, theta, X, 0.5)
    for _ in range(50):
        v, u = rng.standard_normal((2, *theta.shape))
        v *= 0.5 * rng.random() / np.linalg.norm(v)
        assert np.linalg.norm(derivative(net, theta, X, u)) <= exact * np.linalg.norm(u)
        assert jacobian_change(net, theta + v, X) <= bound


def test_the_bound_is_attained():
    """One sample, one neuron, at the largest slope: both are s1 |x|."""
    net = Shallow("tanh", beta=1.0, bias=False)
    values = [jacobian_change(net, [[0.0, 0.0]], [[2.0]], radius) for radius in (None, 0.0)]
    np.testing.assert_allclose(values, 2.0, rtol=1e-14)


def test_bad_input():
    net, X = Shallow("relu", beta=1.0), [[0.3], [0.5]]
    theta = net.init(4, 1, rng=0)
    assert jacobian_change(net, theta, X, 1.0) == np.inf
    with pytest.raises(NNTKError, match="both layers train"):
        jacobian_change(Shallow("tanh", trains="inner"), theta, X)
    with pytest.raises(NNTKError, match="radius"):
        jacobian_change(Shallow("tanh"), theta, X, -1.0)
