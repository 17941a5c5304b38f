r"""What every training method hands back, and what it must look like.

A *direction* takes a network at a point, a loss and the targets, and says where to go: delta, in the shape of theta. It
also says what it expects. Along theta + t delta the loss changes by

    model(t)  = t slope + t^2/2 curvature,
    slope     = grad L . delta,
    curvature = delta . B delta,

where B is the method's own model of the second derivative of the loss: the Hessian for Newton, J^T H J for
Gauss-Newton, nothing for the gradient. The damping is not part of the model, it only keeps delta where the model can be
trusted. The ratio of what happened to what was predicted, the gain, may decide about the next damping.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import ArrayLike

from ..exceptions import Array, NonFiniteError, having, shaped_like
from ..losses.base import require_loss
from ..networks.base import require_tangent

if TYPE_CHECKING:  # for readers and type checkers only
    from ..losses import Loss
    from ..networks.base import Tangent


@dataclass(frozen=True, eq=False)
class Step:
    """A step of a training method and what is known about it.

    Attributes
    ----------
    name : str
        The name of the direction: "newton", "gauss-newton", "gradient-descent", ...
    delta : ndarray of the shape of theta
        The step before the factor alpha; None in a training history.
    slope : float
        Directional derivative grad L . delta of the loss.
    curvature : float
        delta . B delta with the method's own model B of the second derivative of the loss; 0 for a linear model.
    a, b : float
        The damping that was used, a I + b R^T K R in sample space; a is nan and b is 1 where there is none.
    gamma : float or None
        Regularization in the units of the Newton paper, where the method has one.
    min_eig : float or None
        Smallest eigenvalue of the scaled blocks Dtilde = m^{2 beta - 1} D, Riedl et al. (50), for Newton's step.
    route, reason : str
        How the linear system was solved, and why.
    gain : float or None
        Actual over predicted decrease of the loss; filled in by the training loop, which tries the step.
    state : object
        What a direction with memory (momentum, Adam, K-FAC) hands to its next step.

    Examples
    --------
    >>> step = Step("gauss-newton", None, slope=-2.0, curvature=2.0)
    >>> step.model(0.5), step.predicted, step.is_descent
    (-0.75, 1.0, True)
    """

    name: str
    delta: Array | None = field(repr=False)
    slope: float
    curvature: float = 0.0
    a: float = math.nan
    b: float = 1.0
    gamma: float | None = None
    min_eig: float | None = None
    route: str = "direct"
    reason: str = ""
    gain: float | None = None
    state: Any = field(default=None, repr=False)

    def model(self, t: float = 1.0) -> float:
        """Change of the loss at theta + t delta in the method's own model, t slope + t^2/2 curvature."""
        return t * self.slope + 0.5 * t * t * self.curvature

    @property
    def predicted(self) -> float:
        """Decrease of the loss that the model predicts for the whole step, -model(1)."""
        return -self.model()

    @property
    def is_descent(self) -> bool:
        """Whether the loss decreases for small multiples of the step."""
        return self.slope < 0


def require_problem(at: Tangent, loss: Loss) -> None:
    """Raise `ParameterError` unless `at` is a tangent and `loss` a loss."""
    require_tangent(at)
    require_loss(loss)


def moves(step: Step, theta: Array) -> Array:
    """The delta of a step, of the shape of theta."""
    delta = having("the direction's result", step, ("delta", "slope"), "Step(name, delta, slope)").delta
    if isinstance(delta, np.ndarray) and delta.shape == theta.shape:
        return delta
    return shaped_like("delta", delta, theta, "theta")


def finite_step(step: Step) -> Step:
    """Return the step if its slope is finite, else raise `NonFiniteError`; a NaN of the step is in its slope."""
    if not np.isfinite(step.slope):
        raise NonFiniteError(
            f"The {step.name} step or its slope is not finite: the derivatives of the loss overflow. Take smaller "
            "steps, or scale the samples, the targets and the parameters to order one."
        )
    return step


class Direction(Protocol):
    """A training method: a frozen dataclass that owns its parameters and has no other state.

    A direction may also have ``accept(step) -> bool``: whether a step whose gain is known should be kept.
    """

    name: str

    def __call__(self, at: Tangent, loss: Loss, y: ArrayLike, previous: Step | None = None) -> Step:
        """The step at a point.

        Parameters
        ----------
        at : Tangent
            The network at (theta, X): ``net.at(theta, X)``.
        loss : Loss
        y : ndarray
            Targets.
        previous : Step, optional
            The last step of the same run: `state`, `gain`, `a` and `b` are the only memory; its delta may be None.

        Returns
        -------
        Step
        """
        ...
