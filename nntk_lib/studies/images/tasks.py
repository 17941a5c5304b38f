"""The tasks: networks with samples for training, validation and testing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from ... import Deep, Residual
from ...data import Data, california, rotated_digits
from ...exceptions import Array
from ...linalg.streaming import pieces

BATCH = 128
EPOCHS = {"digits-mlp": 20, "california-mlp": 20, "digits-conv": 16, "digits-batchnorm": 16}
TASKS = tuple(EPOCHS)


@dataclass(frozen=True)
class Task:
    """A network with its samples."""

    net: Deep | Residual
    parts: tuple[Data, Data, Data]

    def start(self, seed: int) -> Array:
        """Random parameters."""
        shape = self.parts[0].X.shape[1:]
        return self.net.init(shape if len(shape) == 3 else shape[0], rng=seed)

    def errors(self, theta: Array) -> list[float]:
        """Mean square errors on the three parts; the loss is half of it."""
        return [float(np.mean((self.outputs(theta, part.X) - part.y) ** 2)) for part in self.parts]

    def outputs(self, theta: Array, X: Array) -> Array:
        """Some samples at a time, which is faster; not so for batch normalization."""
        size = len(X) if getattr(self.net, "groups", None) == "batch" else 512
        with np.errstate(over="ignore", invalid="ignore"):
            return np.concatenate([self.net.at(theta, X[part]).f for part in pieces(len(X), size)])


@lru_cache(4)
def task(name: str) -> Task:
    """The task of a name."""
    if name == "california-mlp":
        known, test = california(clip=4).split(800)
        return Task(Deep("silu", (64, 64)), (*known.split(640), test))
    known, test = rotated_digits(4200, rng=0), rotated_digits(1191, rng=1, part="test")
    rng = np.random.default_rng(0)  # the draws of rotated_digits: three permutations say which digit each image is
    digit = np.concatenate([rng.permutation(1400) for _ in range(3)])
    train, valid = (replace(known, X=known.X[i], y=known.y[i], t=None) for i in (digit < 1024, digit >= 1024))
    if name != "digits-mlp":
        parts = (train.split(1024)[0], valid.split(384)[0], test.split(384)[0])
        return Task(Residual("silu", channels=(8,), groups="batch" if name == "digits-batchnorm" else 4), parts)
    return Task(Deep("silu", (128, 128)), (train.flat(), valid.flat(), test.flat()))
