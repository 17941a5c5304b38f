"""One training loop for every direction.

    theta_{k+1} = theta_k + alpha Delta_k

The loop knows no mathematics: a step function ``step(net, theta, X, y, **options) -> Step`` says where to go
(:mod:`nntk_lib.newton`), and the loop applies it, measures, and stops with a named error when the parameters overflow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike

from .checks import Array, NonFiniteError, ParameterError, positive
from .gram import empirical_ntk
from .shallow import Shallow, loss, prepare, residual
from .steps import Step


@dataclass(frozen=True)
class History:
    """What happened during training; axis 0 counts steps from 0 (initialization) to K.

    Attributes
    ----------
    theta : ndarray, shape (m, p)
        Final parameters.
    loss : ndarray, shape (K + 1,)
    residual : ndarray, shape (K + 1, n)
    movement : ndarray, shape (K + 1, m)
        Distance of each neuron's parameters from their initial values.
    kernel_drift : ndarray, shape (K + 1,), or None
        Spectral norm of the change of the empirical tangent kernel since step 0, relative to its norm there.
    steps : list of Step
        Diagnostics of every step (without the step itself).
    largest_update : ndarray, shape (K,)
        Largest norm of a single neuron's step, max_i |Delta_k^i|, before the factor alpha: the quantity of Lemma 9.
    paths : ndarray, shape (K + 1, t, p), or None
        Parameters of the tracked neurons.
    """

    theta: Array = field(repr=False)
    loss: Array
    residual: Array = field(repr=False)
    movement: Array = field(repr=False)
    kernel_drift: Array | None = field(repr=False)
    steps: list[Step] = field(repr=False)
    largest_update: Array
    paths: Array | None = field(repr=False)


def train(
    net: Shallow,
    theta: ArrayLike,
    X: ArrayLike,
    y: ArrayLike,
    step: Callable[..., Step],
    steps: int,
    alpha: float = 1.0,
    progress: bool = False,
    kernel_drift: bool = False,
    track: ArrayLike | None = None,
    **options,
) -> History:
    """Train a network.

    Parameters
    ----------
    net : Shallow
    theta : ndarray, shape (m, p)
        Initial parameters; not modified.
    X : ndarray, shape (n, d)
    y : ndarray, shape (n,)
    step : callable
        ``newton_step``, ``gauss_newton_step``, ``gradient_step``, or a function of the same form.
    steps : int
        Number of steps K.
    alpha : float
        Step size, Riedl et al. (3).
    progress : bool
        Show a tqdm progress bar.
    kernel_drift : bool
        Also record the drift of the empirical tangent kernel (one Gram matrix a step).
    track : sequence of int, optional
        Neurons whose parameters are kept at every step.
    **options
        Passed to `step`, for example ``gamma=0.3``.

    Returns
    -------
    History

    Raises
    ------
    NonFiniteError
        If the loss overflows: the iteration diverged, and the message says at which step.

    Examples
    --------
    >>> import numpy as np
    >>> from nntk_lib import Shallow, init, newton_step
    >>> net, X = Shallow("tanh"), np.linspace(-1, 1, 8)[:, None]
    >>> history = train(net, init(net, 2000, 1, rng=0), X, X[:, 0] ** 2, newton_step, steps=3, gamma=0.3)
    >>> bool(np.all(np.diff(history.loss) < 0))
    True
    """
    if int(steps) != steps or steps < 0:
        raise ParameterError(f"steps = {steps} must be a non-negative integer.")
    alpha = positive("alpha", alpha)
    start = prepare(net, theta, X)[0]
    theta = start.copy()
    r = residual(net, theta, X, y)
    residuals, movement, taken, largest = [r], [np.zeros(len(theta))], [], []
    paths = None if track is None else [theta[np.asarray(track)]]
    kernel0 = empirical_ntk(net, theta, X) if kernel_drift else None
    drift = [0.0] if kernel_drift else None
    for k in counted(range(int(steps)), progress, "training", "step"):
        taken_step = step(net, theta, X, y, **options)
        theta = theta + alpha * taken_step.delta
        taken.append(replace(taken_step, delta=None))
        with np.errstate(over="ignore", invalid="ignore"):
            largest.append(float(np.linalg.norm(taken_step.delta, axis=1).max()))
        with np.errstate(over="ignore", invalid="ignore"):
            finite = np.isfinite(theta).all() and np.isfinite(np.square(theta)).all()
        if not finite:
            raise NonFiniteError(
                f"Training diverged at step {k + 1}: the parameters overflow (alpha = {alpha:g}). Reduce alpha or the "
                "learning rate, or increase gamma."
            )
        residuals.append(residual(net, theta, X, y))
        movement.append(np.linalg.norm(theta - start, axis=1))
        if paths is not None:
            paths.append(theta[np.asarray(track)])
        if kernel_drift:
            change = np.linalg.norm(empirical_ntk(net, theta, X) - kernel0, 2)
            drift.append(float(change / np.linalg.norm(kernel0, 2)))
    return History(
        theta,
        np.array([loss(r) for r in residuals]),
        np.array(residuals),
        np.array(movement),
        None if drift is None else np.array(drift),
        taken,
        np.array(largest),
        None if paths is None else np.array(paths),
    )


def counted(items: Iterable, progress: bool, desc: str, unit: str) -> Iterable:
    """The items, behind a tqdm progress bar if `progress`."""
    if not progress:
        return items
    from tqdm.auto import tqdm

    return tqdm(items, desc=desc, unit=unit)
