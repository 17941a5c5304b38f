r"""Gauss-Newton with momentum: SPRING.

A batch says nothing about the directions that its samples do not see. The Gauss-Newton step is zero there; SPRING
(Goldshlager, Abrahamsen and Lin 2024) keeps what the last step had. With the last step d and 0 <= mu < 1,

    delta = argmin  grad L . v + (b/2) |R^T J v|^2 + (a/2) |v - mu d|^2.

For half a sum of squares and b = 1 it minimizes |r + J v|^2 + a |v - mu d|^2. The ansatz v = mu d + e leaves a damped
Gauss-Newton step for e, of the order of the outputs,

    (b R^T K R + a I) z = q + b mu R^T J d,
    delta = mu d - J^T R z,

with H = R R^T, g = R q, K = J J^T as in :mod:`nntk_lib.methods.gauss_newton`. With mu = 0 it is the step of that
module. Without damping, delta is the projection of mu d onto the steps that fit the batch to first order: a step of
Kaczmarz's method, with momentum.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..exceptions import NonFiniteError, function
from ..losses import Loss, times, transposed
from ..networks.base import Tangent
from .base import Step, require_problem
from .baselines import Moments, memory, share
from .damping import Constant, Damping, damping_values
from .gauss_newton import sample_spectrum, solve_definite


@dataclass(frozen=True)
class Spring:
    """The damped Gauss-Newton step with momentum, of the order of the outputs.

    It is that of Goldshlager, Abrahamsen and Lin (2024), A Kaczmarz-inspired approach to accelerate the optimization of
    neural network wavefunctions, Journal of Computational Physics 516, 113351, for any loss.

    Attributes
    ----------
    damping : Damping
        Rule for (a, b), as of :class:`~nntk_lib.methods.gauss_newton.GaussNewton`. With a = 0 a large momentum may
        diverge on small batches.
    momentum : float
        mu above, in [0, 1); it multiplies the whole last step, whatever the step size alpha of ``train``.

    Examples
    --------
    >>> from nntk_lib import Batches, Constant, Shallow, circle, train
    >>> from nntk_lib.methods import Spring
    >>> net, data = Shallow("tanh", beta=0.5), circle(16, (1, 2))
    >>> theta, batches = net.init(400, 2, rng=0), Batches(4)
    >>> end = [
    ...     train(net, theta, data, Spring(Constant(0.1), mu), 8,
    ...           batches=batches).loss[-1]
    ...     for mu in (0.0, 0.5)
    ... ]
    >>> bool(end[1] < end[0] / 2)
    True
    """

    damping: Damping = Constant()
    momentum: float = 0.9
    name: str = "spring"

    def __post_init__(self):
        function("damping", self.damping, "Constant(1e-3)")
        object.__setattr__(self, "momentum", share("momentum", self.momentum))

    def __call__(self, at: Tangent, loss: Loss, y: ArrayLike, previous: Step | None = None) -> Step:
        """The step; it need not be a direction of descent.

        Raises
        ------
        SingularSystemError
            If the system is singular to working precision; nothing is added to it.
        NonFiniteError
            If the outputs or the step overflow.
        """
        require_problem(at, loss)
        last = memory(self, at, previous, Moments)
        kept = self.momentum * last.first if last else np.zeros_like(at.theta)
        R, q = loss.factor(at.f, y)
        seen = sample_spectrum(at, R, q)
        a, b = damping_values(self.damping, seen, at, previous)
        right = q + b * transposed(R, at.jvp(kept)) if last else q
        z = solve_definite(seen.matrix, right.ravel(), a, b).reshape(at.f.shape)
        delta = kept - at.vjp(times(R, z)) if np.isfinite(z).all() else np.full_like(kept, np.nan)
        if not np.isfinite(delta).all():
            raise NonFiniteError("The step is not finite: the run has diverged. Use more damping or less momentum.")
        u = transposed(R, at.jvp(delta))
        state = Moments(1 + (last.count if last else 0), delta)
        return Step(self.name, delta, float(np.vdot(q, u)), float(np.vdot(u, u)), a, b, route="dual", state=state)
