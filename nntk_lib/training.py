"""One training loop for every network, loss and direction.

    theta_{k+1} = theta_k + alpha Delta_k,
    Delta_k     = direction(tangent at theta_k, loss, y)

An epoch passes once over the batches, or takes one step on all samples. What is to be known afterwards is recorded once
an epoch, from the parameters and the tangent on all samples; the tangent of the last evaluation is handed to the next
step, so that K steps on all samples take K + 1 evaluations. A run that fails keeps its history: the exception has it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .data.base import rows_of
from .exceptions import (
    Array,
    NonFiniteError,
    NotPositiveDefiniteError,
    ParameterError,
    ShapeError,
    finite_array,
    flag,
    function,
    having,
    integer,
    one_of,
    positive,
    real_array,
)
from .losses import Loss, Square
from .losses.base import require_loss
from .methods.base import Direction, Step, moves
from .networks.base import Network, Tangent, require_tangent, tangent

Recorder = Callable[[Array, Tangent], Any]

STOP, ACCEPT = "lambda loss: loss < 1e-6", "lambda step: step.gain > 0"

#: The ways in which an epoch may visit the samples.
ORDERS = ("shuffled", "cyclic", "fresh")


@dataclass(frozen=True)
class Batches:
    """Mini-batches of an epoch.

    Attributes
    ----------
    size : int
        Samples of a batch; the last one of an epoch may be smaller.
    rng : int
        Seed; epoch k draws from ``default_rng([rng, k])``, so that every run sees the same batches.
    order : {"shuffled", "cyclic", "fresh"}
        A new permutation of the samples every epoch; the same batches, in the order of the samples, every epoch; or
        every batch drawn anew, without replacement within the batch only.

    Examples
    --------
    >>> [batch.tolist() for batch in Batches(2, order="cyclic")(5, epoch=0)]
    [[0, 1], [2, 3], [4]]
    """

    size: int
    rng: int = 0
    order: str = "shuffled"

    def __post_init__(self):
        integer("size", self.size), integer("rng", self.rng, 0), one_of("order", self.order, ORDERS)

    def __call__(self, n: int, epoch: int) -> list[Array]:
        """The batches of an epoch, as arrays of indices."""
        n, epoch = integer("n", n), integer("epoch", epoch, 0)
        if self.size > n:
            raise ParameterError(f"size = {self.size} exceeds the {n} samples. Use at most {n}, or batches=None.")
        rng = np.random.default_rng([self.rng, epoch])
        if self.order == "fresh":
            return [rng.choice(n, self.size, replace=False) for _ in range(-(-n // self.size))]
        order = np.arange(n) if self.order == "cyclic" else rng.permutation(n)
        return np.split(order, range(self.size, n, self.size))


@dataclass(frozen=True, eq=False)
class History:
    """What happened during training or along a flow; axis 0 counts epochs (or times) from 0, the start, to K.

    Attributes
    ----------
    theta : ndarray
        Final parameters.
    loss : ndarray, shape (K + 1,)
        On all samples.
    steps : list of Step
        Diagnostics of every step that was tried, without the step itself.
    recorded : dict of str to ndarray
        What the recorders gave; ``history["name"]`` is short for ``history.recorded["name"]``.
    times : ndarray, shape (K + 1,), or None
        Of a flow.
    """

    theta: Array = field(repr=False)
    loss: Array
    steps: list[Step] = field(repr=False)
    recorded: dict[str, Array] = field(default_factory=dict, repr=False)
    times: Array | None = field(default=None, repr=False)

    def __getitem__(self, name: str) -> Array:
        if name not in self.recorded:
            known = ", ".join(self.recorded) or "nothing"
            raise ParameterError(f"{name!r} was not recorded; there is {known}. Ask for it: record={{{name!r}: ...}}.")
        return self.recorded[name]


def train(
    net: Network,
    theta: ArrayLike,
    data,
    direction: Direction,
    epochs: int,
    *,
    loss: Loss = Square(),
    alpha: float = 1.0,
    batches: Callable[[int, int], list[Array]] | None = None,
    record: Mapping[str, Recorder] | None = None,
    stop: Callable[[float], bool] | None = None,
    accept: Callable[[Step], bool] | None = None,
    progress: bool = False,
    memory: int | None = None,
) -> History:
    """Train a network.

    Parameters
    ----------
    net : Network
    theta : ndarray
        Initial parameters; not modified.
    data : Data
        Or anything else with samples ``X`` and targets ``y``.
    direction : Direction
        ``Newton(gamma)``, ``GaussNewton(damping)``, ``Gradient(eta)``, ..., or a function of the same form.
    epochs : int
        Passes over the samples; steps, if there are no batches.
    loss : Loss
    alpha : float
        Step size, Riedl et al. (3).
    batches : Batches, optional
        All samples at once if not given.
    record : dict of str to callable, optional
        ``f(theta, tangent)`` for every name, called at the start and after every epoch with the tangent on all samples;
        what is None is not kept.
    stop : callable, optional
        ``stop(loss)`` ends the run after the epoch for which it is true.
    accept : callable, optional
        ``accept(step)`` says whether to keep a step whose ``gain`` is known, the actual over the predicted decrease on
        its batch; ``direction.accept`` where there is one.
    progress : bool
        Show a tqdm progress bar.
    memory : int, optional
        Bytes of temporaries of every pass.

    Returns
    -------
    History

    Raises
    ------
    NonFiniteError
        If the parameters or the loss overflow. This and every other error, KeyboardInterrupt included, has the history
        up to there in its attribute ``history``.

    Examples
    --------
    >>> from nntk_lib import Newton, Shallow, interval
    >>> net, data = Shallow("tanh"), interval(8, frequencies=(1, 3))
    >>> theta, record = net.init(2000, 1, rng=0), {"outputs": outputs}
    >>> history = train(net, theta, data, Newton(0.3), 3, record=record)
    >>> bool(np.all(np.diff(history.loss) < 0)), history["outputs"].shape
    (True, (4, 8))
    """
    alpha, epochs, X, y = positive("alpha", alpha), integer("epochs", epochs, 0), *samples(data)
    for name, given, example in (("batches", batches, "Batches(64)"), ("stop", stop, STOP), ("accept", accept, ACCEPT)):
        if given is not None:
            function(name, given, example)
    function("direction", direction, "GaussNewton(Constant(1e-3))"), flag("progress", progress)
    run = _Run(net, theta, X, y, require_loss(loss), recorders(record), memory)
    gate = accept or getattr(direction, "accept", None)
    try:
        for epoch in counted(range(epochs), progress, "training", "epoch"):
            for part in [None] if batches is None else visited(batches, len(y), epoch):
                run.step(direction, alpha, part, gate)
            run.note()
            if stop is not None and stop(run.losses[-1]):
                break
    except BaseException as error:  # also Ctrl+C, and what a recorder raises
        error.history = run.history()
        raise
    return run.history()


class _Run:
    """The state of a training run: parameters, their tangent on all samples, and what was recorded."""

    def __init__(self, net, theta, X, y, loss, record, memory):
        self.net, self.X, self.y, self.loss, self.record, self.memory = net, X, y, loss, record, memory
        self.at = tangent(net, theta, X, memory)
        self.theta = self.at.theta
        self.losses, self.steps, self.kept = [], [], {name: [] for name in record}
        self.previous: Step | None = None
        self.note()

    def step(self, direction: Direction, alpha: float, part: Array | None, gate) -> None:
        """One step on a batch, kept or not."""
        at, y = self.at, self.y
        if part is not None:
            X, y = rows_of(part, self.X, self.y)
            at = self.net.at(self.theta, X, self.memory)
        step = direction(at, self.loss, y, self.previous)
        moved = self.theta + alpha * moves(step, self.theta)
        if not representable(moved):
            raise NonFiniteError(
                f"Training diverged at step {len(self.steps) + 1}: the parameters overflow (alpha = {alpha:g}). Reduce "
                "alpha or the learning rate, or increase the damping."
            )
        after = self.net.at(moved, at.X, self.memory) if part is None or gate else None
        if after is not None:
            expected = abs(step.model(alpha))  # a rise that was predicted, as for a large alpha, is no gain
            change = self.loss.value(at.f, y) - self._value(after, y)
            step = replace(step, gain=float(change / expected) if expected else float("nan"))
        self.previous = replace(step, delta=None)
        self.steps.append(replace(self.previous, state=None))
        if gate is None or gate(step):
            self.theta = moved
            self.at = after if part is None else None

    def _value(self, at: Tangent, y: Array) -> float:
        """The loss after a step; nan where the outputs overflow, which a gate may reject and `note` names."""
        with np.errstate(over="ignore", invalid="ignore"):
            return self.loss.value(at.f, y) if np.isfinite(at.f).all() else float("nan")

    def note(self) -> None:
        """Record what there is to know on all samples."""
        if self.at is None:
            self.at = self.net.at(self.theta, self.X, self.memory)
        value = self._value(self.at, self.y)
        if not np.isfinite(value):
            raise NonFiniteError(
                f"Training diverged at step {len(self.steps)}: the loss is {value}. Reduce alpha or the learning rate, "
                "or increase the damping."
            )
        self.losses.append(value)
        for name, recorder in self.record.items():
            found = recorder(self.theta, self.at)
            if found is not None:
                self.kept[name].append(found)

    def history(self) -> History:
        kept = {name: np.array(values) for name, values in self.kept.items()}
        return History(self.theta, np.array(self.losses), self.steps, kept)


def samples(data) -> tuple[Array, Array]:
    """X and y of a data set, checked to be as many."""
    if not (hasattr(data, "X") and hasattr(data, "y")):
        raise ParameterError(f"data is a {type(data).__name__} without X and y. Try Data(X, y, 'a name').")
    X, y = real_array("data.X", data.X), real_array("data.y", data.y)
    if X.ndim == 0 or y.ndim == 0 or len(X) != len(y):
        raise ShapeError(f"data has samples of shape {X.shape} and targets of shape {y.shape}: one target a sample.")
    return X, y


def visited(batches: Callable[[int, int], Iterable], n: int, epoch: int) -> Iterable:
    """The batches of an epoch, else `ParameterError`."""
    return having("the result of batches", batches(n, epoch), ("__iter__",), "[np.arange(10), np.arange(10, n)]")


def recorders(record: Mapping[str, Recorder] | None) -> dict[str, Recorder]:
    """The recorders by their names, each of which can be called."""
    named = dict(having("record", {} if record is None else record, ("items",), "{'f': outputs}"))
    return {name: function(f"record[{name!r}]", one, "outputs") for name, one in named.items()}


def representable(theta: Array) -> bool:
    """Whether the parameters and their squares are finite numbers."""
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(np.vdot(theta, theta)))


def outputs(theta: Array, at: Tangent) -> Array:
    """Recorder: the outputs on all samples."""
    return at.f


def parameters(theta: Array, at: Tangent) -> Array:
    """Recorder: the parameters themselves, a copy."""
    return theta.copy()


def at_marks(recorder: Recorder, marks: Iterable[int]) -> Recorder:
    """Recorder: another one at the marked epochs only, 0 being the start; made anew for every run."""
    marks, epoch = set(int(mark) for mark in marks), -1

    def record(theta: Array, at: Tangent) -> Any:
        nonlocal epoch
        epoch += 1
        return recorder(theta, at) if epoch in marks else None

    return record


def residuals(y: ArrayLike) -> Recorder:
    """Recorder: the residual f - y on all samples."""
    y = finite_array("y", y, None)
    return lambda theta, at: at.f - y


def residual_path(net: Network, theta: ArrayLike, data, direction: Direction, epochs: int) -> Array:
    """The residuals f - y at every epoch of a full-batch run; NaN from the step on that met an indefinite block.

    Parameters
    ----------
    net, theta, data, direction, epochs
        As of :func:`train`.

    Returns
    -------
    ndarray, shape (epochs + 1, n)
    """
    y, epochs = samples(data)[1], integer("epochs", epochs, 0)
    path, record = np.full((epochs + 1, *y.shape), np.nan), {"r": residuals(y)}
    try:
        history = train(net, theta, data, direction, epochs, record=record)
    except NotPositiveDefiniteError as error:
        history = error.history
    path[: len(history.loss)] = history["r"]
    return path


def movement(start: Array) -> Recorder:
    """Recorder: distance of the parameters of each neuron from `start`, shape (m,); of each parameter of a vector."""
    start = finite_array("start", start, None)
    return lambda theta, at: np.linalg.norm((theta - start).reshape(len(theta), -1), axis=1)


def updates(start: Array) -> Recorder:
    """Recorder: distance that each neuron has moved since the last epoch, shape (m,); zero at the start."""
    last = [finite_array("start", start, None)]

    def record(theta: Array, at: Tangent) -> Array:
        moved, last[0] = np.linalg.norm((theta - last[0]).reshape(len(theta), -1), axis=1), theta
        return moved

    return record


def kernel_drift(at: Tangent) -> Recorder:
    """Recorder: spectral norm of the change of J J^T since the tangent `at`, relative to its norm there."""
    start = require_tangent(at).gram()
    size = np.linalg.norm(start, 2)
    return lambda theta, at: float(np.linalg.norm(at.gram() - start, 2) / size)


def held_out(data, loss: Loss = Square()) -> Recorder:
    """Recorder: the loss on other samples."""
    (X, y), loss = samples(data), require_loss(loss)
    return lambda theta, at: loss.value(at.net.at(theta, X).f, y)


def counted(items: Iterable, progress: bool, desc: str, unit: str) -> Iterable:
    """The items, behind a tqdm progress bar if `progress`."""
    if not progress:
        return items
    from tqdm.auto import tqdm

    return tqdm(items, desc=desc, unit=unit)
