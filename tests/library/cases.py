"""Random problems shared by the library's tests, and the tolerances, which are formulas."""

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
