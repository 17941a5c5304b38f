"""The problem that every method of a case gets, and the form in which a method answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np


@dataclass(frozen=True)
class Problem:
    """One set of arrays, the same bytes in every process.

    Attributes
    ----------
    m, d, n : int
        Neurons, inputs, samples. There is no bias, so that a neuron has exactly d + 1 parameters.
    gamma : float
        The damping in parameter space is gamma m^{1 - 2 beta}.
    inputs : {"box", "normal"}
        Uniform in [-1, 1]^d, beyond ten inputs shrunk to their mean square norm at ten; or standard normal.
    labels : {"smooth", "quiet"}
        A smooth function of the input, which leaves a residual of order one; or the outputs of the network plus noise
        of size 1e-4, as late in training: then the blocks of D are definite for every gamma above about 1e-5.
    act : str
    beta : float
    """

    m: int = 0
    d: int = 1
    n: int = 1
    gamma: float = 0.3
    inputs: str = "box"
    labels: str = "smooth"
    act: str = "tanh"
    beta: float = 0.75

    @cached_property
    def X(self):
        """Samples, shape (n, d)."""
        rng = np.random.default_rng([self.d, self.n])
        if self.inputs == "normal":
            return rng.standard_normal((self.n, self.d))
        return rng.uniform(-1, 1, (self.n, self.d)) * min(1.0, (10 / self.d) ** 0.5)

    @cached_property
    def net(self):
        from nntk_lib import Shallow

        return Shallow(self.act, beta=self.beta, bias=False)

    @cached_property
    def theta(self):
        return self.net.init(self.m, self.d, rng=0)

    @cached_property
    def y(self):
        """Labels, shape (n,)."""
        rng = np.random.default_rng(1)
        if self.labels == "quiet":
            from nntk_lib import forward

            return forward(self.net, self.theta, self.X) + 1e-4 * rng.standard_normal(self.n)
        return np.sin(2 * self.X @ rng.standard_normal(self.d)) + 0.5 * np.cos(3 * self.X[:, 0])

    @property
    def words(self) -> list[str]:
        """What distinguishes the problem, for the name of a case."""
        words = [word for word, usual in ((self.act, "tanh"), (self.labels, "smooth")) if word != usual]
        return words + [f"m{self.m}", f"d{self.d}", f"n{self.n}", f"g{self.gamma:g}"] * (self.m > 0 or self.n > 1)

    def record(self) -> dict:
        return {key: getattr(self, key) for key in ("m", "d", "n", "gamma", "labels", "act")}

    def small(self) -> Problem:
        """The same for a trial of the suite. Narrow networks need a larger gamma."""
        small = {"m": min(self.m, 200), "n": min(self.n, 20), "d": min(self.d, 10), "gamma": max(self.gamma, 1.0)}
        return replace(self, **small)

    @property
    def scale(self) -> float:
        """The factor m^{-beta} of the outputs."""
        return self.m**-self.beta

    @property
    def damping(self) -> float:
        """gamma m^{1 - 2 beta}."""
        return self.gamma * self.m ** (1 - 2 * self.beta)


@dataclass(frozen=True)
class Images:
    """Images with one number each, for a deep network: dense 784-512-512-1, or convolutions of 14 x 14 pixels.

    Attributes
    ----------
    network : {"dense", "convolutions"}
        Convolutions: two stages of one residual block with 8 and 16 channels, normalized in four groups.
    n : int
        Images of the batch.
    damping : float
        a of (J^T J / n + a I) delta = -J^T r / n.
    """

    network: str
    n: int = 128
    damping: float = 1e-3

    @property
    def words(self) -> list[str]:
        return [self.network, f"n{self.n}"]

    def record(self) -> dict:
        return {"network": self.network, "n": self.n, "parameters": int(self.theta.size)}

    def small(self) -> Images:
        return replace(self, n=4)

    @cached_property
    def net(self):
        from nntk_lib import Deep, Residual

        if self.network == "dense":
            return Deep("silu", widths=(512, 512), bias=False)
        return Residual("silu", channels=(8, 16), groups=4, affine=False)

    @property
    def size(self) -> int | tuple[int, ...]:
        """Of an image, as the network takes it."""
        return 784 if self.network == "dense" else (14, 14, 1)

    @cached_property
    def X(self):
        """Standard normal pixels, shape (n, 784) or (n, 14, 14, 1)."""
        return np.random.default_rng(self.n).standard_normal((self.n, *np.atleast_1d(self.size)))

    @cached_property
    def y(self):
        return np.random.default_rng(1).standard_normal(self.n)

    @cached_property
    def theta(self):
        return self.net.init(self.size, rng=0)

    @cached_property
    def weights(self) -> list:
        """The layers' weights, in the order of theta; (outs, 3, 3, ins) for a convolution."""
        layers = self.net.layers(self.theta, self.size)
        if self.network == "dense":
            return layers
        return [W.reshape(len(W), 3, 3, -1) for W in layers[:-1]] + layers[-1:]

    @property
    def gain(self) -> float:
        """1 / E[sigma(z)^2], z standard normal."""
        from nntk_lib.networks.deep import second_moment

        return 1 / second_moment(self.net.act)


@dataclass(frozen=True)
class Run:
    """What a method answers to a problem.

    Attributes
    ----------
    call : callable
        What is timed, from arrays in memory to a finished result in memory.
    warm : callable or None
        Done once before the first timing (compilation, thread pools); `call` itself if None.
    quantity : str or None
        What the result is. The first method of a case that gives it gives the reference; None is not compared.
    array : callable
        From the result to the array that is compared.
    info : callable
        From the result to more entries of the record, for example the number of iterations.
    """

    call: Callable[[], object]
    warm: Callable[[], object] | None = None
    quantity: str | None = "step"
    array: Callable[[object], np.ndarray] = np.asarray
    info: Callable[[object], dict] = lambda value: {}
