"""Random problems shared by the library's tests, and the tolerances, which are formulas."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from nntk_lib import Shallow

EPS = np.finfo(float).eps
SMOOTH = ["tanh", "sigmoid", "erf", "sine", "softplus", "silu"]
ALL = [*SMOOTH, "relu"]


def problem(act="tanh", m=7, n=5, d=2, beta=0.75, bias=True, seed=0):
    """A network, its parameters, inputs and labels."""
    rng = np.random.default_rng(seed)
    net = Shallow(act, beta=beta, bias=bias)
    X, y = rng.standard_normal((n, d)), rng.standard_normal(n)
    return net, net.init(m, d, rng), X, y


def random_cases(activations, largest_beta):
    """Strategy for the arguments of `problem`."""
    return st.fixed_dictionaries(
        {
            "act": st.sampled_from(activations),
            "m": st.integers(1, 12),
            "n": st.integers(1, 8),
            "d": st.integers(1, 4),
            "beta": st.floats(0.5, largest_beta),
            "bias": st.booleans(),
            "seed": st.integers(0, 10**6),
        }
    )


def relative(a, b):
    """Relative difference in the Euclidean norm."""
    return np.linalg.norm(np.ravel(a) - np.ravel(b)) / np.linalg.norm(np.ravel(b))


@dataclass(frozen=True)
class Surface:
    """The image of a map of its parameters, as a network that has no samples."""

    value: Callable  # (q)
    first: Callable  # (q, v): derivative along v
    second: Callable  # (q, v, w)

    def at(self, theta, X, memory=None):
        return Point(self, np.asarray(theta, float), X)


@dataclass(frozen=True)
class Point:
    net: Surface
    theta: np.ndarray
    X: np.ndarray
    kernel_scale = 1.0

    @property
    def trained(self):
        return self.theta.size

    @property
    def f(self):
        return self.net.value(self.theta)

    @property
    def J(self):
        return np.stack([np.ravel(self.jvp(e)) for e in np.eye(self.theta.size)], axis=1)

    def gram(self):
        return self.J @ self.J.T

    def vjp(self, a):
        return self.J.T @ np.ravel(a)

    def jvp(self, v):
        return self.net.first(self.theta, v)

    def second(self, v, w):
        return self.net.second(self.theta, v, w)


# Outputs (a^2, b, 0): the surface has a fold at a = 0.
FOLD = Surface(
    lambda q: np.array([q[0] ** 2, q[1], 0.0]),
    lambda q, v: np.array([2 * q[0] * v[0], v[1], 0.0]),
    lambda q, v, w: np.array([2 * v[0] * w[0], 0.0, 0.0]),
)
