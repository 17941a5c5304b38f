r"""The exact regularized Newton step.

For a loss with gradient g and Hessian R R^T with respect to the outputs, g = R q, and S = sum_j g_j Hess f_j,

    (Hess L + a I) Delta = - grad L,
    Hess L = J^T R R^T J + S,          grad L = J^T R q,

equations (3), (4) of the Newton paper with a = gamma m^{1 - 2 beta}, R = I / sqrt n, q = r / sqrt n. The push-through
identity turns it into formula (8): with D = S + a I and B = R^T J D^{-1} J^T R,

    Delta = - D^{-1} J^T R (I + B)^{-1} q,

an n x n system and m small ones. To first order the outputs change by -K r with the finite-width Newton neural tangent
kernel K = B (I + B)^{-1}, equation (12).

Three routes to it, which speak the language of :class:`nntk_lib.networks.base.Blocks`: Cholesky factors where every
block of D is positive definite, eigenvalues of the blocks where not, and conjugate gradients on request.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from ..exceptions import (
    Array,
    NotConvergedError,
    ParameterError,
    flag,
    having,
    integer,
    one_of,
    positive,
    positive_list,
    warn_a1,
)
from ..linalg.streaming import one_blas_thread
from ..linalg.structured import Reduction
from ..losses import Loss, Square, sandwich, times
from ..networks.base import Blocks, Tangent, tangent
from ..networks.shallow.cost import break_even
from ..networks.shallow.spec import Shallow
from .base import Step, require_problem
from .conjugate_gradients import conjugate_gradients
from .damping import Gamma
from .threshold import BlockSpectrum, require_definite

if TYPE_CHECKING:
    from .damping import Damping


@dataclass(frozen=True)
class Direct:
    """The structured solve: Cholesky factors of the blocks, and their eigenvalues where a block is indefinite.

    Attributes
    ----------
    indefinite : {"raise", "solve"}
        What to do when a block of D is not positive definite: raise, or solve the linear system all the same, which
        need not give a descent direction; the diagnostics of the step then say so.
    precision : {"double", "single"}
        ``"single"`` does the work on the neurons in about two thirds of the time. The relative error of the step is
        then up to 1e-6 (1 + 1/gamma) for data of order one, in place of 1e-14.
    definite : bool
        False leaves the Cholesky factors out: the slow twin, for any blocks.
    """

    indefinite: str = "raise"
    precision: str = "double"
    definite: bool = True

    def __post_init__(self):
        one_of("indefinite", self.indefinite, ("raise", "solve"))
        one_of("precision", self.precision, ("double", "single"))
        flag("definite", self.definite)

    def steps(self, at: Tangent, g: Array, R: Array, q: Array, dampings: Sequence[float]) -> list[Step]:
        """The steps for many dampings, which share the blocks and their smallest eigenvalue."""
        blocks = at.blocks(g, np.float64 if self.precision == "double" else np.float32, self.definite)
        found = blocks.reduce(dampings)
        if self.indefinite == "raise":
            for reduction in found:
                require_definite(at, reduction)
        left = [reduction.shift for reduction in found if reduction.capacitance is None]
        other = at.blocks(g, definite=False) if left else None
        rest = iter(other.reduce(left) if left else ())
        steps = []
        for reduction in found:
            if reduction.capacitance is None:
                steps.append(_finish(at, other, next(rest), R, q))
            else:
                steps.append(_finish(at, blocks, reduction, R, q))
        return steps


def _finish(at: Tangent, blocks: Blocks, reduction: Reduction, R: Array, q: Array) -> Step:
    """The second half of formula (8), once the blocks have been reduced."""
    B = sandwich(R, reduction.capacitance)
    z = replace(reduction, capacitance=B).weights(q)
    delta = -blocks.solve_range(reduction, times(R, z))
    definite = reduction.min_eig > 0
    reason = "every block is positive definite" if definite else "blocks are indefinite; solved by their eigenvalues"
    slope = -float(q @ (B @ z))  # J delta = -J D^{-1} J^T R z; q (z - q) is the same and cancels for large a
    return _step(at, delta, slope, reduction.shift, at.kernel_scale * reduction.min_eig, "direct", reason)


def _step(at: Tangent, delta: Array, slope: float, a: float, min_eig: float | None, route: str, reason: str) -> Step:
    """A step that solves (Hess L + a I) delta = -grad L; its model has the curvature delta . Hess L delta."""
    curvature = -slope - a * float(np.vdot(delta, delta))
    return Step("newton", delta, slope, curvature, a, 1.0, a * at.kernel_scale, min_eig, route, reason)


@dataclass(frozen=True)
class ConjugateGradients:
    """Conjugate gradients, whose time depends on the data and on gamma; they see their own directions only.

    Attributes
    ----------
    rtol : float
        Relative residual at which they stop.
    limit : int
        Most products before they give up.
    """

    rtol: float = 1e-10
    limit: int = 10_000

    def __post_init__(self):
        positive("rtol", self.rtol)
        integer("limit", self.limit)

    def steps(self, at: Tangent, g: Array, R: Array, q: Array, dampings: Sequence[float]) -> list[Step]:
        steps = [self.attempt(at, g, R, damping, self.limit) for damping in dampings]
        if None in steps:
            raise NotConvergedError(
                f"Conjugate gradients did not reach rtol = {self.rtol:g} in {self.limit} products. Use route=Direct(), "
                "whose time does not depend on gamma, or a larger rtol or gamma."
            )
        return steps

    def attempt(self, at: Tangent, g: Array, R: Array, damping: float, limit: int) -> Step | None:
        """The step, or None if `limit` products were not enough."""
        gradient = at.vjp(g)
        delta, products, converged = conjugate_gradients(
            at, at.blocks(g), R * R, g, gradient, damping, self.rtol, limit
        )
        if not converged:
            return None
        slope = float(np.vdot(gradient, delta))
        reason = f"conjugate gradients reached {self.rtol:g} in {products} of at most {limit} products"
        return _step(at, delta, slope, damping, None, "cg", reason)


@dataclass(frozen=True)
class Auto:
    """Conjugate gradients for as many products as take as long as the structured solve, and then that.

    At most twice the time of the better one, in the model of :mod:`nntk_lib.networks.shallow.cost`. ``route`` and
    ``reason`` of the step say what happened.
    """

    rtol: float = 1e-10

    def __post_init__(self):
        positive("rtol", self.rtol)

    def steps(self, at: Tangent, g: Array, R: Array, q: Array, dampings: Sequence[float]) -> list[Step]:
        (n, d), steps = at.inputs.shape, []
        limit = break_even(len(at.theta), d, n)
        for damping in dampings:
            step = ConjugateGradients(self.rtol).attempt(at, g, R, damping, limit)
            if step is None:
                reason = f"conjugate gradients had not reached {self.rtol:g} after {limit} products"
                step = replace(Direct().steps(at, g, R, q, [damping])[0], reason=reason)
            steps.append(step)
        return steps


@dataclass(frozen=True)
class Newton:
    """The regularized Newton method, Riedl et al. (3), (4), for any loss.

    Attributes
    ----------
    damping : Damping or float
        A rule for a in the equation of the module's text; a number gamma stands for ``Gamma(gamma)``, that is
        a = gamma m^{1 - 2 beta}.
    route : Direct, ConjugateGradients or Auto
        How the system is solved.

    Examples
    --------
    >>> X = np.linspace(-1, 1, 8)[:, None]
    >>> net, y = Shallow("tanh"), np.sin(3 * X[:, 0])
    >>> step = Newton(0.3)(net.at(net.init(m=2000, d=1, rng=0), X), Square(), y)
    >>> step.is_descent, step.min_eig > 0
    (True, True)
    """

    damping: Damping | float
    route: Direct | ConjugateGradients | Auto = Direct()
    name = "newton"

    def __post_init__(self):
        if not callable(self.damping):
            object.__setattr__(self, "damping", Gamma(self.damping))
        _require_route(self.route)

    def __call__(self, at: Tangent, loss: Loss, y: ArrayLike, previous: Step | None = None) -> Step:
        """The step at a point; see :class:`nntk_lib.methods.base.Direction`.

        Returns
        -------
        Step
            Satisfies (Hess L + a I) delta = -grad L. Time is linear in m, memory beyond theta and delta does not grow
            with m.

        Raises
        ------
        NotPositiveDefiniteError
            Carries the smallest eigenvalue, the neuron and a gamma that suffices.
        ParameterError
            If the network's output Hessians are not block-diagonal.
        """
        require_problem(at, loss)
        _require_blocks(at)
        residual = float(np.linalg.norm(loss.factor(at.f, y)[1]))
        a, b = self.damping(BlockSpectrum(at, loss.gradient(at.f, y), residual), at, previous)
        [step] = sweep(at, loss, y, [a / b], self.route)
        if b == 1:
            return step
        scaled = {"delta": step.delta / b, "slope": step.slope / b, "curvature": step.curvature / b**2}
        return replace(step, **scaled, a=a, b=b)


def sweep(
    at: Tangent,
    loss: Loss,
    y: ArrayLike,
    dampings: Sequence[float],
    route: Direct | ConjugateGradients | Auto = Direct(),
) -> list[Step]:
    """Newton's steps at one point for many dampings a, in their order; one pass over the blocks serves them all."""
    require_problem(at, loss)
    _require_blocks(at)
    _require_route(route)
    warn_a1(at.net.act)
    dampings = positive_list("dampings", dampings)
    with one_blas_thread():
        return route.steps(at, loss.gradient(at.f, y), *loss.factor(at.f, y), dampings)


def _require_route(route) -> None:
    having("route", route, ("steps",), "Direct(), ConjugateGradients() or Auto()")


def _require_blocks(at: Tangent) -> None:
    if not hasattr(at, "blocks"):
        raise ParameterError(
            f"Newton's exact step needs output Hessians that are block-diagonal, which {type(at.net).__name__} does "
            "not have. Use a Shallow network, or GaussNewton, which needs no second derivatives."
        )


def newton_steps(
    net: Shallow,
    theta: ArrayLike,
    X: ArrayLike,
    y: ArrayLike,
    gammas: Sequence[float],
    route: Direct | ConjugateGradients | Auto = Direct(),
    memory: int | None = None,
) -> list[Step]:
    """Exact regularized Newton steps for the mean square and many gamma, in their order; see :class:`Newton`."""
    at = tangent(net, theta, X, memory)
    return sweep(at, Square(), y, [gamma / at.kernel_scale for gamma in positive_list("gammas", gammas)], route)


def newton_step(
    net: Shallow,
    theta: ArrayLike,
    X: ArrayLike,
    y: ArrayLike,
    gamma: float,
    route: Direct | ConjugateGradients | Auto = Direct(),
    memory: int | None = None,
) -> Step:
    """Exact regularized Newton step for the mean square by formula (8) of the Newton paper; see :class:`Newton`.

    Parameters
    ----------
    net : Shallow
    theta : ndarray, shape (m, p)
    X : ndarray, shape (n, d)
    y : ndarray, shape (n,)
    gamma : float
        Regularization; the damping in parameter space is gamma m^{1 - 2 beta}.
    route : Direct, ConjugateGradients or Auto
    memory : int, optional
        Bytes of temporaries (128 MiB if not given); the result changes by rounding only.

    Returns
    -------
    Step
        Satisfies (Hess L + gamma m^{1 - 2 beta} I) delta = -grad L.

    Raises
    ------
    NotPositiveDefiniteError
        Carries the smallest eigenvalue, the neuron and a gamma that suffices.
    ShapeError, NonFiniteError, ParameterError

    Warns
    -----
    AssumptionWarning
        If the activation violates assumption A1.
    """
    return newton_steps(net, theta, X, y, [gamma], route, memory)[0]


def newton_kernel(net: Shallow, theta: ArrayLike, X: ArrayLike, y: ArrayLike, gamma: float) -> Array:
    """Finite-width Newton neural tangent kernel K = B (I + B)^{-1}, Riedl et al. (12).

    Returns
    -------
    ndarray, shape (n, n)
        Symmetric, eigenvalues in [0, 1) if all blocks are positive definite.

    Raises
    ------
    NotPositiveDefiniteError
    """
    at = tangent(net, theta, X)
    _require_blocks(at)
    damping = positive("gamma", gamma) / at.kernel_scale
    with one_blas_thread():
        [reduction] = at.blocks(Square().gradient(at.f, y)).reduce([damping])
        require_definite(at, reduction)
        B = reduction.capacitance / len(at.f)
        K = replace(reduction, capacitance=B).weights(B)
    return 0.5 * (K + K.T)
