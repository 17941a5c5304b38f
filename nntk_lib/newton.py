r"""The exact regularized Newton step.

With the damping gamma m^{1 - 2 beta} the Newton step Delta of equations (3), (4) of the Newton paper satisfies

    (Hess L + gamma m^{1 - 2 beta} I) Delta = - grad L.

The push-through identity turns it into formula (8): with D = S + gamma m^{1 - 2 beta} I and B = J D^{-1} J^T / n,

    Delta = - D^{-1} J^T (I + B)^{-1} r / n,

an n x n system and m small ones. To first order the outputs change by -K r with the finite-width Newton neural tangent
kernel K = B (I + B)^{-1}, equation (12).

Three routes to it: :mod:`nntk_lib.cholesky` where every block of D is positive definite, :mod:`nntk_lib.structured` by
the eigenvalues of the blocks where not, and :mod:`nntk_lib.iterative` on request.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from .checks import Array, ParameterError, positive, warn_a1
from .compiled import definite_blocks
from .cost import break_even
from .curvature import hessian, structured_hessian
from .damping import parameter_damping
from .definiteness import require_definite, scaled_min_eig
from .iterative import conjugate_gradients
from .shallow import Shallow, prepare, residual
from .steps import Step, predicted_decrease
from .streaming import one_blas_thread

#: Most products that solver="cg" takes before it gives up.
CG_LIMIT = 10_000


def newton_steps(
    net: Shallow,
    theta: ArrayLike,
    X: ArrayLike,
    y: ArrayLike,
    gammas: Sequence[float],
    indefinite: str = "raise",
    memory: int | None = None,
    dtype: DTypeLike = np.float64,
) -> list[Step]:
    """Exact regularized Newton steps for many gamma, which share the blocks and their smallest eigenvalue.

    Parameters are those of :func:`newton_step`.

    Returns
    -------
    list of Step
        In the order of `gammas`.
    """
    if indefinite not in ("raise", "solve"):
        raise ParameterError(f"indefinite = {indefinite!r} is not known; use 'raise' or 'solve'.")
    gammas = [positive("gamma", g) for g in gammas]
    warn_a1(net.act)
    theta, inputs = prepare(net, theta, X)
    m, steps = len(theta), []
    with one_blas_thread():
        r = residual(net, theta, X, y)
        dampings = [parameter_damping(g, m, net.beta) for g in gammas]
        blocks = definite_blocks(net, theta, inputs, r, memory, dtype)
        found = blocks.reduce(dampings)
        if indefinite == "raise":
            for gamma, reduction in zip(gammas, found, strict=True):
                require_definite(net, m, gamma, reduction)
        H = structured_hessian(net, theta, X, r, memory=memory)
        indefinite_at = [reduction.shift for reduction in found if reduction.min_eig <= 0]
        rest = iter(H.reduce(indefinite_at) if indefinite_at else ())
        for gamma, reduction in zip(gammas, found, strict=True):
            if reduction.min_eig > 0:
                a, reason = reduction.weights(r), "every block is positive definite"
                delta = blocks.solve_range(reduction.shift, -a / len(r))
            else:
                reduction, reason = next(rest), "blocks are indefinite; solved by their eigenvalues"
                a = reduction.weights(r)
                delta = -H.solve_range(reduction, a / np.sqrt(len(r)))
            slope = float(r @ (a - r)) / len(r)  # J delta = a - r
            predicted = predicted_decrease(slope, delta, reduction.shift)
            min_eig = scaled_min_eig(net, m, reduction)
            steps.append(Step("newton", delta, slope, predicted, gamma, min_eig, "direct", reason))
    return steps


def newton_step(
    net: Shallow,
    theta: ArrayLike,
    X: ArrayLike,
    y: ArrayLike,
    gamma: float,
    indefinite: str = "raise",
    memory: int | None = None,
    dtype: DTypeLike = np.float64,
    solver: str = "direct",
    rtol: float = 1e-10,
) -> Step:
    """Exact regularized Newton step by formula (8) of the Newton paper, streamed over the width.

    Parameters
    ----------
    net : Shallow
    theta : ndarray, shape (m, p)
    X : ndarray, shape (n, d)
    y : ndarray, shape (n,)
    gamma : float
        Regularization; the damping in parameter space is gamma m^{1 - 2 beta}.
    indefinite : {"raise", "solve"}
        What to do when a block of D is not positive definite: raise (default), or solve the linear system all the same,
        which need not give a descent direction; the diagnostics of the step then say so.
    memory : int, optional
        Bytes of temporaries (128 MiB if not given); the result changes by rounding only.
    dtype : dtype
        ``np.float32`` does the work on the neurons in single precision, in about two thirds of the time. The relative
        error of the step is then up to 1e-6 (1 + 1/gamma) for data of order one, in place of 1e-14.
    solver : {"direct", "cg", "auto"}
        The structured solve; conjugate gradients, whose time depends on the data and on gamma, and which check
        definiteness along their own directions only; or conjugate gradients for as many products as take as long as
        the structured solve in the model of :mod:`nntk_lib.cost`, and then that: at most twice the time of the better
        one. ``solver`` and ``reason`` of the step say what happened.
    rtol : float
        Relative residual at which conjugate gradients stop.

    Returns
    -------
    Step
        Satisfies (Hess L + gamma m^{1 - 2 beta} I) delta = -grad L. Time is linear in m, memory beyond theta and delta
        does not grow with m.

    Raises
    ------
    NotPositiveDefiniteError
        Carries the smallest eigenvalue, the neuron and a gamma that suffices.
    ShapeError, NonFiniteError, ParameterError

    Warns
    -----
    AssumptionWarning
        If the activation violates assumption A1.

    Examples
    --------
    >>> import numpy as np
    >>> from nntk_lib import Shallow, init, forward, loss
    >>> net, X = Shallow("tanh"), np.linspace(-1, 1, 8)[:, None]
    >>> y, theta = np.sin(3 * X[:, 0]), init(net, m=2000, d=1, rng=0)
    >>> step = newton_step(net, theta, X, y, gamma=0.3)
    >>> step.is_descent, step.min_eig > 0
    (True, True)
    """
    if solver not in ("direct", "cg", "auto"):
        raise ParameterError(f"solver = {solver!r} is not known; use 'direct', 'cg' or 'auto'.")
    if solver == "direct":
        return newton_steps(net, theta, X, y, [gamma], indefinite, memory, dtype)[0]
    if indefinite != "raise" or np.dtype(dtype) != np.float64:
        raise ParameterError(f"solver = {solver!r} works with definite systems in double precision; use 'direct'.")
    gamma, rtol = positive("gamma", gamma), positive("rtol", rtol)
    theta, inputs = prepare(net, theta, X)
    m, n, d = len(theta), len(inputs), inputs.shape[1]
    limit = break_even(m, d, n) if solver == "auto" else CG_LIMIT
    warn_a1(net.act)
    with one_blas_thread():
        r, damping = residual(net, theta, X, y), parameter_damping(gamma, m, net.beta)
        delta, g, products, converged = conjugate_gradients(net, theta, X, r, damping, rtol, limit, memory)
    if converged:
        slope = float(np.vdot(g, delta))
        reason = f"conjugate gradients reached {rtol:g} in {products} of at most {limit} products"
        return Step("newton", delta, slope, predicted_decrease(slope, delta, damping), gamma, None, "cg", reason)
    if solver == "cg":
        raise ParameterError(
            f"Conjugate gradients did not reach rtol = {rtol:g} in {limit} products. Use solver='direct', whose time "
            "does not depend on gamma, or a larger rtol or gamma."
        )
    step = newton_steps(net, theta, X, y, [gamma], indefinite, memory)[0]
    return replace(step, reason=f"conjugate gradients had not reached {rtol:g} after {limit} products")


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
    gamma = positive("gamma", gamma)
    H = hessian(net, theta, X, y)
    [reduction] = H.reduce([parameter_damping(gamma, H.m, net.beta)])
    require_definite(net, H.m, gamma, reduction)
    K = reduction.weights(reduction.capacitance)
    return 0.5 * (K + K.T)
