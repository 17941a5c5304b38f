"""Random problems shared by the library's tests, and the tolerances, which are formulas."""

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
class Fold:
    """Outputs (a^2, b, 0): the surface has a fold at a = 0."""

    theta: np.ndarray = None

    def at(self, theta, X):
        return Fold(np.asarray(theta, float))

    @property
    def f(self):
        return np.array([self.theta[0] ** 2, self.theta[1], 0.0])

    def jvp(self, v):
        return np.array([2 * self.theta[0] * v[0], v[1], 0.0])

    def second(self, v, w):
        return np.array([2 * v[0] * w[0], 0.0, 0.0])
