"""Differences of four points, against the Hessian of one output."""

import numpy as np

from nntk_lib import Shallow, reference

EPS = np.finfo(float).eps


def test_mixed_differences_are_the_hessian_of_an_output():
    net, x = Shallow("tanh"), np.array([[0.4, -0.7]])
    theta = net.init(5, 2, rng=0)
    exact = reference.network_hessian(net, theta, x[0])

    def output(v):
        return reference.forward(net, v.reshape(theta.shape), x)[0]

    found = reference.mixed_differences(output, theta.ravel(), EPS**0.25)
    assert np.abs(found - exact).max() <= 100 * EPS**0.5 * np.abs(exact).max()
    between = np.kron(np.eye(5), np.ones((4, 4))) == 0
    assert np.abs(reference.mixed_differences(output, theta.ravel(), 0.5)[between]).max() <= 100 * EPS
