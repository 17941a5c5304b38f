"""Steps of deep networks on images by the library: no Jacobian is formed."""

from __future__ import annotations

from problems import Images, Run

from nntk_lib import Constant, GaussNewton, Square
from nntk_lib.methods import Gradient


def run(problem: Images, direction, quantity: str) -> Run:
    """From theta to the parameters after the step."""
    net, theta, X, y = problem.net, problem.theta, problem.X, problem.y

    def call():
        return theta + direction(net.at(theta, X), Square(), y).delta

    return Run(call, quantity=quantity, array=lambda new: new - theta)


def gauss_newton(problem: Images) -> Run:
    return run(problem, GaussNewton(Constant(problem.damping)), "step")


def gradient(problem: Images) -> Run:
    """A step of gradient descent, what SGD does with a batch."""
    return run(problem, Gradient(1.0), "gradient")
