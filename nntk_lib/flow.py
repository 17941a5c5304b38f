r"""The same directions as vector fields: training in continuous time.

    d theta / dt = Delta(theta),
    Delta        = direction(tangent at theta, loss, y),

the limit of :func:`nntk_lib.training.train` for small step sizes, t = k alpha. The gradient flow, the Gauss-Newton flow
and the regularized Newton flow are integrated by the explicit Runge-Kutta methods of SciPy to a tolerance, or by
Euler's method, whose step is the step of training. A Gauss-Newton flow may explode in finite time: an `event` stops it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from .exceptions import Array, NonFiniteError, ParameterError, finite_array, function, one_of, positive
from .losses import Loss, Square
from .losses.base import require_loss
from .methods.base import Direction, moves
from .networks.base import Network, Tangent, tangent
from .training import History, Recorder, recorders, representable, samples

METHODS = ("RK45", "DOP853", "LSODA", "euler")


def flow(
    net: Network,
    theta: ArrayLike,
    data,
    direction: Direction,
    times: ArrayLike,
    loss: Loss = Square(),
    *,
    record: Mapping[str, Recorder] | None = None,
    event: Callable[[Array, Tangent], float] | None = None,
    method: str = "RK45",
    rtol: float = 1e-8,
    atol: float = 1e-11,
    memory: int | None = None,
) -> History:
    """Follow a direction in continuous time.

    Parameters
    ----------
    net : Network
    theta : ndarray
        Parameters at the first time; not modified.
    data : Data
        Or anything else with samples ``X`` and targets ``y``.
    direction : Direction
        A direction without memory: `previous` is never given to it.
    times : ndarray, shape (K + 1,)
        Increasing; what is recorded is recorded there.
    loss : Loss
    record : dict of str to callable, optional
        ``f(theta, tangent)`` for every name.
    event : callable, optional
        ``event(theta, tangent)``; the flow ends where it falls to zero, and the history ends with the last of `times`
        before.
    method : {"RK45", "DOP853", "LSODA", "euler"}
        LSODA for stiff flows of few parameters, whose Jacobian it takes by differences. Euler's method takes one step
        from each time to the next.
    rtol, atol : float
        Tolerances of all methods but Euler's, relative and absolute, for each parameter and step.
    memory : int, optional
        Bytes of temporaries of every pass.

    Returns
    -------
    History
        With ``times``, as far as the flow came, and the steps at these times.

    Raises
    ------
    NonFiniteError
        If the flow cannot be continued: the message says until when. This and every other error, KeyboardInterrupt
        included, has the history up to there in its attribute ``history``.

    Examples
    --------
    >>> from nntk_lib import Gradient, Shallow, interval
    >>> net, data = Shallow("tanh"), interval(8, frequencies=(1, 3))
    >>> theta = net.init(200, 1, rng=0)
    >>> path = flow(net, theta, data, Gradient(), [0.0, 1.0, 2.0])
    >>> bool(np.all(np.diff(path.loss) < 0)), path.times.tolist()
    (True, [0.0, 1.0, 2.0])
    """
    times, (X, y) = finite_array("times", times, 1), samples(data)
    if len(times) < 2 or (np.diff(times) <= 0).any():
        raise ParameterError("times must increase and hold at least two, the first being that of the start.")
    one_of("method", method, METHODS), function("direction", direction, "Gradient()")
    if event is not None:
        function("event", event, "lambda theta, at: 1.0")
    positive("rtol", rtol), positive("atol", atol)
    path = _Path(net, theta, X, y, require_loss(loss), direction, recorders(record), event, memory)
    try:
        (_euler if method == "euler" else _integrate)(path, times, method, rtol, atol)
    except BaseException as error:  # also Ctrl+C, and what a recorder raises
        error.history = path.history(times)
        raise
    return path.history(times)


class _Path:
    """A direction as a vector field on flat arrays, and what was recorded along it."""

    def __init__(self, net, theta, X, y, loss, direction, record, event, memory):
        self.net, self.X, self.y, self.loss, self.direction = net, X, y, loss, direction
        self.record, self.event, self.memory = record, event, memory
        self.start = tangent(net, theta, X, memory).theta
        self.losses, self.steps, self.kept, self.theta = [], [], {name: [] for name in record}, self.start
        self.t = 0.0  # where the field was last evaluated

    def at(self, theta: Array) -> Tangent:
        return self.net.at(theta.reshape(self.start.shape), self.X, self.memory)

    def field(self, t: float, theta: Array) -> Array:
        self.t = t
        return moves(self.direction(self.at(theta), self.loss, self.y), self.start).ravel()

    def note(self, theta: Array) -> Array:
        """Record a point; the direction there."""
        at = self.at(theta)
        step = self.direction(at, self.loss, self.y)
        self.theta, delta = at.theta, moves(step, self.start)
        self.losses.append(self.loss.value(at.f, self.y))
        self.steps.append(replace(step, delta=None, state=None))
        for name, recorder in self.record.items():
            self.kept[name].append(recorder(at.theta, at))
        return delta

    def history(self, times: Array) -> History:
        kept = {name: np.array(values) for name, values in self.kept.items()}
        return History(self.theta, np.array(self.losses), self.steps, kept, times[: len(self.losses)])


def _euler(path: _Path, times: Array, *_) -> None:
    theta = path.start
    for h in np.diff(times):
        theta = theta + h * path.note(theta)
        if not representable(theta):
            raise NonFiniteError(f"Euler's method overflows after {len(path.steps)} steps. Use closer times.")
        if path.event is not None and path.event(theta, path.at(theta)) <= 0:
            return
    path.note(theta)


def _integrate(path: _Path, times: Array, method: str, rtol: float, atol: float) -> None:
    from scipy.integrate import solve_ivp

    events = None
    if path.event is not None:

        def events(t, theta):
            return path.event(theta.reshape(path.start.shape), path.at(theta))

        events.terminal = True
    ends = times[0], times[-1]
    found = solve_ivp(path.field, ends, path.start.ravel(), method, t_eval=times, events=events, rtol=rtol, atol=atol)
    for theta in found.y.T:
        path.note(theta)
    if found.status < 0:
        raise NonFiniteError(
            f"The flow cannot be continued beyond t = {path.t:g}: {found.message} "
            "It may explode there; an event can stop it before, and more damping keeps it away."
        )
