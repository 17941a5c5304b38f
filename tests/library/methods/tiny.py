"""A nonlinear map with an explicit Jacobian: the independent witness for every method, which knows no network."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True, eq=False)
class Tiny:
    """f(theta) = V tanh(W theta) with fixed matrices; n samples, C outputs, P parameters."""

    V: np.ndarray
    W: np.ndarray
    C: int

    @classmethod
    def draw(cls, n=5, C=1, P=12, hidden=20, seed=0, scale=1.0):
        rng = np.random.default_rng(seed)
        V, W = rng.standard_normal((n * C, hidden)), rng.standard_normal((hidden, P))
        return cls(scale * V / np.sqrt(hidden), W / np.sqrt(P), C), rng.standard_normal(P)

    def at(self, theta, X=None, memory=None):
        return TinyTangent(self, np.asarray(theta, float), X)


@dataclass(frozen=True, eq=False)
class TinyTangent:
    net: Tiny
    theta: np.ndarray
    X: object = None
    kernel_scale: float = 1.0

    @property
    def shape(self):
        N = len(self.net.V)
        return (N,) if self.net.C == 1 else (N // self.net.C, self.net.C)

    @property
    def f(self):
        return (self.net.V @ np.tanh(self.net.W @ self.theta)).reshape(self.shape)

    @cached_property
    def J(self):
        return self.net.V * (1 - np.tanh(self.net.W @ self.theta) ** 2) @ self.net.W

    def gram(self):
        return self.J @ self.J.T

    def vjp(self, a):
        return self.J.T @ a.ravel()

    def jvp(self, v):
        return (self.J @ v).reshape(self.shape)


def targets(loss, at, seed=1):
    """Targets that fit the loss and the outputs."""
    rng, name = np.random.default_rng(seed), type(loss).__name__
    if name == "Logistic":
        return rng.choice([-1.0, 1.0], at.f.shape)
    if name == "CrossEntropy":
        return rng.integers(0, at.f.shape[1], len(at.f))
    return rng.standard_normal(at.f.shape)


def relative(a, b):
    """Relative difference in the Euclidean norm."""
    return np.linalg.norm(np.ravel(a) - np.ravel(b)) / np.linalg.norm(np.ravel(b))
