r"""The gradient step, and the damped Gauss-Newton step of any network and loss.

With the Hessian H = R R^T of the loss and its gradient g = R q in output space, the step solves

    (b J^T H J + a I) delta = -J^T g,

of the order of the parameters; by the push-through identity it is

    delta = -J^T R z,        (b R^T K R + a I) z = q,        K = J J^T,

of the order of the outputs. The second form never sees J, only its Gram matrix and one product J^T. It is symmetric and
positive definite, which is why it keeps its digits at small damping where H K + a I does not. Where there are fewer
parameters than outputs, the first form is solved as the least-squares problem

    minimize  |b^{1/2} R^T J delta + b^{-1/2} q|^2 + a |delta|^2

by the singular values s and vectors U, V of R^T J, since J^T H J itself would square the condition of J:

    delta = -V d,        d = h / (b s^2 + a),        h = s (U^T q) = V^T J^T g.

The first expression for h is that of stacked least squares. Its error is eps |R^T J| |q + b R^T J delta|: small near an
exact fit, but where a softmax is sure and wrong, q is as large as e^{20} or e^{100}, and no digit is left. That of the
second is eps |J^T g|, and the step takes the smaller one. With the identity in place of H the two forms of the step are
that of Arbel's experiments and of natural gradients, -J^T (b K + a I)^{-1} g.

What a step promises is computed without cancellation. With u = R^T K R z, of which R^T J delta = -u,

    curvature = |R^T J delta|^2 = |u|^2,
    slope     = -q . u = -(b |u|^2 + a |delta|^2),

a sum of two terms of one sign for every damping.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..exceptions import Array, NonFiniteError, ParameterError, SingularSystemError, one_of, positive
from ..linalg.streaming import one_blas_thread
from ..losses import Loss, Square, sandwich, times, transposed
from ..networks.base import Network, Tangent, tangent
from .base import Step, finite_step, require_problem
from .damping import Constant, Damping, Gamma, Spectrum, damping_values

EPS = np.finfo(float).eps

#: Order from which a solve may use all of BLAS's threads: it takes longer than they spin afterwards.
LARGE = 1500


@dataclass(frozen=True)
class Gradient:
    """The gradient step -eta s grad L with the kernel scale s of the network, m^{2 beta - 1} for a shallow one.

    Attributes
    ----------
    eta : float
        Learning rate in the units of the limit kernel. To first order the outputs change by -eta s K g; for the square
        loss, K g = K r / n, and s K / n tends to the kernel A of Riedl et al. (15): stable for eta below
        2 / lambda_max(A).
    """

    eta: float = 1.0
    name: str = "gradient-descent"

    def __post_init__(self):
        object.__setattr__(self, "eta", positive("eta", self.eta))

    def __call__(self, at: Tangent, loss: Loss, y: ArrayLike, previous: Step | None = None) -> Step:
        """The step; its model of the loss is linear."""
        require_problem(at, loss)
        g = at.vjp(loss.gradient(at.f, y))
        rate = self.eta * at.kernel_scale
        return finite_step(Step(self.name, -rate * g, -rate * float(np.vdot(g, g))))


@dataclass(frozen=True)
class GaussNewton:
    """The damped Gauss-Newton step.

    Attributes
    ----------
    damping : Damping
        Rule for (a, b): ``Constant(a, b)``, ``Gamma(gamma)``, ``Smallest(alpha, floor)``, ``Convex(r)``, ...
    metric : {"loss", "identity"}
        Whether the Hessian H of the loss is in the system, or the identity in its place. For the square loss the two
        differ by the factor 1/n at the kernel.
    side : {"auto", "dual", "primal"}
        In which space the system is solved: of the outputs, of the parameters, or of the fewer of them. The result is
        the same; the dual one is slow and loses digits where there are far more outputs than parameters.

    Examples
    --------
    >>> import numpy as np
    >>> from nntk_lib import GaussNewton, Constant, Shallow, Square
    >>> net, X = Shallow("tanh"), np.linspace(-1, 1, 8)[:, None]
    >>> at = net.at(net.init(m=200, d=1, rng=0), X)
    >>> step = GaussNewton(Constant(0.1))(at, Square(), np.sin(3 * X[:, 0]))
    >>> step.is_descent, step.predicted > 0
    (True, True)
    """

    damping: Damping = Constant()
    metric: str = "loss"
    side: str = "auto"
    name: str = "gauss-newton"

    def __post_init__(self):
        if not callable(self.damping) or isinstance(self.damping, type):
            raise ParameterError(
                f"damping = {self.damping!r} must be a rule: Constant(a) for a number in parameter space, Gamma(gamma) "
                "for one in the units of the limit kernel."
            )
        one_of("metric", self.metric, ("loss", "identity"))
        one_of("side", self.side, ("auto", "dual", "primal"))

    def __call__(self, at: Tangent, loss: Loss, y: ArrayLike, previous: Step | None = None) -> Step:
        """The step at a point.

        Returns
        -------
        Step
            Satisfies (b J^T H J + a I) delta = -grad L with its a and b; Arbel (15) for metric "identity". Of all
            solutions of an undamped system with fewer outputs than parameters it is the shortest, Cai (9).

        Raises
        ------
        SingularSystemError
            If the system is singular to working precision; nothing is added to it.
        NonFiniteError
            If the outputs or the step overflow.
        """
        require_problem(at, loss)
        dual = self.side == "dual" or (self.side == "auto" and at.f.size <= getattr(at, "trained", at.theta.size))
        solve = _dual if dual else _primal
        with np.errstate(over="ignore", invalid="ignore"):  # the result is checked
            return solve(self, at, loss, y, previous)

    def _factor(self, at: Tangent, loss: Loss, y: ArrayLike) -> tuple[Array | None, Array]:
        """R and q of the system; R is None for the identity."""
        return loss.factor(at.f, y) if self.metric == "loss" else (None, loss.gradient(at.f, y))

    def _finish(self, at, loss, y, delta, Jdelta, norms, damping, route) -> Step:
        """The step, from delta, J delta, and |R^T J delta|^2 in the metric of the system."""
        a, b = damping
        length = float(np.vdot(delta, delta))
        slope = -(b * norms + a * length)
        if not np.isfinite(slope):
            raise NonFiniteError(
                f"The step is not finite at a = {a:g}, b = {b:g}: the solve has overflowed. Use more damping, or scale "
                "the targets to order one."
            )
        if self.metric == "identity":
            norms = _curvature(loss, at.f, y, Jdelta)
        gamma = a * at.kernel_scale
        return Step(self.name, delta, slope, norms, a, b, gamma, gamma, route)


def _curvature(loss: Loss, f: Array, y: ArrayLike, u: Array) -> float:
    """u . H u for the Hessian H of the loss, as |R^T u|^2; by H itself where there is R and no q."""
    try:
        return float((transposed(loss.factor(f, y)[0], u) ** 2).sum())
    except NonFiniteError:
        return max(0.0, float(np.vdot(u, times(loss.hessian(f, y), u))))


def _finite(A: Array) -> Array:
    """A, or `NonFiniteError`: LAPACK is not asked what it does with NaN."""
    if not np.isfinite(A.sum()) and not np.isfinite(A).all():
        raise NonFiniteError(
            "The derivatives of the network overflow, though its outputs do not: the run has diverged. Take smaller "
            "steps or more damping, or scale the samples to order one."
        )
    return A


def _dual(method: GaussNewton, at: Tangent, loss: Loss, y: ArrayLike, previous: Step | None) -> Step:
    """The step in sample space, from the Gram matrix."""
    R, q = method._factor(at, loss, y)
    seen = sample_spectrum(at, R, q)
    with one_blas_thread() if len(at.gram()) < LARGE else nullcontext():
        M = _finite(seen.matrix)
        a, b = damping_values(method.damping, seen, at, previous)
        q = q.ravel()
        z = solve_definite(M, q, a, b)
        u = M @ z
        if b:  # the same by the system; each loses digits where the other does not
            u = np.where(a * np.abs(z) < 0.5 * np.abs(q), (q - a * z) / b, u)
        z = z.reshape(at.f.shape)
        delta = at.vjp(-z if R is None else -times(R, z))
    return method._finish(at, loss, y, delta, -u.reshape(at.f.shape), float(u @ u), (a, b), "dual")


def _primal(method: GaussNewton, at: Tangent, loss: Loss, y: ArrayLike, previous: Step | None) -> Step:
    """The step in parameter space, a least-squares problem solved by the singular values of R^T J."""
    R, q = method._factor(at, loss, y)
    J = jacobian_at(at)
    trained = J.any(axis=0) if J.any() else slice(None)  # what is frozen has no column
    J = J[:, trained]
    A = J if R is None else transposed(R, J.reshape(*at.f.shape, -1)).reshape(J.shape)
    with one_blas_thread() if A.size < LARGE**2 else nullcontext():
        U, s, Vt = np.linalg.svd(_finite(A), full_matrices=False)
        plain = Spectrum(lambda: J.T @ J, lambda: np.linalg.svd(J, compute_uv=False)[::-1] ** 2)
        norm = float(np.linalg.norm(q))
        spectrum = Spectrum(lambda: A.T @ A, lambda: s[::-1] ** 2, plain if R is not None else None, norm)
        a, b = damping_values(method.damping, spectrum, at, previous)
        rounding = max(A.shape) * EPS * s[0]  # of the singular values
        if not (s[-1] > rounding or a > b * rounding**2):
            rcond = float(s[-1] / s[0]) ** 2 if s[0] > 0 else 0.0
            raise SingularSystemError(_advice(a, b, len(s), rcond, "J^T H J"))
        d = s * (U.T @ q.ravel()) / (b * s**2 + a)
        gradient, rest = J.T @ loss.gradient(at.f, y).ravel(), 0.0
        left = q.ravel() - b * (U @ (s * d))
        if not s[0] * np.abs(left).max() <= np.linalg.norm(gradient):
            h = Vt @ gradient
            d, rest = h / (b * s**2 + a), gradient - Vt.T @ h
            if a == 0 or np.linalg.norm(rest) <= max(A.shape) * EPS * np.linalg.norm(gradient):
                rest = 0.0  # rounding errors; more where H is 0 to rounding, so that V misses a direction
        delta = np.zeros(at.theta.size)
        delta[trained] = -(Vt.T @ d + rest / (a or 1))
        Jdelta = -(U @ (s * d)).reshape(at.f.shape)
        norms = float(((s * d) ** 2).sum())
    return method._finish(at, loss, y, delta.reshape(at.theta.shape), Jdelta, norms, (a, b), "primal")


def jacobian_at(at: Tangent) -> Array:
    """The Jacobian, shape (f.size, theta.size), by as many products as it has rows or columns, whichever are fewer."""
    n, P = at.f.size, at.theta.size
    if P < n:
        return np.stack([at.jvp(e.reshape(at.theta.shape)).ravel() for e in np.eye(P)], axis=1)
    return np.stack([at.vjp(e.reshape(at.f.shape)).ravel() for e in np.eye(n)])


def solve_definite(M: Array, q: Array, a: float, b: float) -> Array:
    """Solve (b M + a I) z = q for a positive semidefinite M by Cholesky's factorization.

    Parameters
    ----------
    M : ndarray, shape (N, N)
    q : ndarray, shape (N,) or (N, k)
    a, b : float

    Returns
    -------
    ndarray of the shape of q

    Raises
    ------
    SingularSystemError
        If a pivot is not positive, or the reciprocal condition number is below N eps: no digit would be right.
    """
    from scipy.linalg.lapack import dpocon, dpotrf, dpotrs  # half of the library's import time

    if b == 0:
        return q / a
    system = b * M
    system.flat[:: len(M) + 1] += a
    norm = float(np.abs(system).sum(axis=0).max())
    L, info = dpotrf(system.T, lower=1, overwrite_a=1)
    rcond = 0.0 if info or not np.isfinite(norm) else float(dpocon(L, norm, uplo="L")[0])
    if not rcond > len(M) * EPS:
        raise SingularSystemError(_advice(a, b, len(M), rcond, "R^T J J^T R"))
    return dpotrs(L, q, lower=1)[0]


def _advice(a: float, b: float, order: int, rcond: float, what: str) -> str:
    """Why the system cannot be solved, and what to try."""
    if a == 0:
        why = (
            "Without damping every output must be free to move: look for repeated samples, for directions without "
            "curvature (softmax has one per sample), and for more outputs than parameters (then side='primal')"
        )
    else:
        why = "The damping is below the rounding errors of the matrix"
    return (
        f"The system b M + a I of order {order} is singular to working precision: a = {a:g}, b = {b:g}, reciprocal "
        f"condition number {rcond:.1e}, M = {what}. {why}. A damping a above {order} eps times the largest eigenvalue "
        "of b M always works: Constant(a)."
    )


def spectrum(at: Tangent, loss: Loss, y: ArrayLike, metric: str = "loss") -> Spectrum:
    """The spectrum of R^T K R, which the damping rules see, at a point; for a damping that is fixed beforehand.

    Examples
    --------
    >>> import numpy as np
    >>> from nntk_lib import Convex, Shallow, Square
    >>> net, X = Shallow("tanh"), np.linspace(-1, 1, 4)[:, None]
    >>> start = net.at(net.init(m=200, d=1, rng=0), X)
    >>> rule = Convex(r=1.0, lam=spectrum(start, Square(), X[:, 0]).smallest)
    """
    require_problem(at, loss)
    return sample_spectrum(at, *GaussNewton(metric=metric)._factor(at, loss, y))


def sample_spectrum(at: Tangent, R: Array | None, q: Array) -> Spectrum:
    """The spectrum of R^T K R, of K where R is None, with the right-hand side q."""
    norm = float(np.linalg.norm(q))
    if R is None:
        return Spectrum(at.gram, residual=norm)
    return Spectrum(lambda: sandwich(R, at.gram()), kernel=Spectrum(at.gram), residual=norm)


def gauss_newton_step(net: Network, theta: ArrayLike, X: ArrayLike, y: ArrayLike, gamma: float) -> Step:
    """Regularized Gauss-Newton step for the square loss, formula (8) of the Newton paper with S = 0.

    Parameters
    ----------
    net : Network
    theta : ndarray
    X : ndarray, axis 0 the samples
    y : ndarray, of the shape of the outputs
    gamma : float
        Regularization; the damping in parameter space is gamma m^{1 - 2 beta}.

    Returns
    -------
    Step
        Satisfies (J^T J / n + gamma m^{1 - 2 beta} I) delta = -J^T r / n.

    Raises
    ------
    ParameterError
        If gamma is not positive.
    SingularSystemError
        If gamma is below the rounding errors of a singular kernel.
    """
    return GaussNewton(Gamma(gamma))(tangent(net, theta, X), Square(), y)


def gradient_step(net: Network, theta: ArrayLike, X: ArrayLike, y: ArrayLike, eta: float = 1.0) -> Step:
    """Gradient step -eta m^{2 beta - 1} grad L for the square loss: r becomes (I - eta A) r as the width grows.

    Parameters
    ----------
    eta : float
        See :class:`Gradient`.

    Returns
    -------
    Step
    """
    return Gradient(eta)(tangent(net, theta, X), Square(), y)
