r"""Newton's system by conjugate gradients over Hessian-vector products.

The product with the Hessian of the loss, H R R^T and a being the Hessian and the gradient of the loss in output space,

    Hess L v = J^T (H J v) + S v,           S = sum_j a_j Hess f_j,

takes two passes and no blocks: O(m n d) operations, against O(m n^2 d) of the direct step. The number of iterations
depends on the data, through the eigenvalues of the kernel above gamma, and the result has `rtol`, not rounding error.
"""

from __future__ import annotations

import numpy as np

from ..exceptions import Array, NonFiniteError, NotPositiveDefiniteError
from ..networks.base import Blocks, Tangent
from .threshold import BlockSpectrum


def conjugate_gradients(
    at: Tangent, blocks: Blocks, H: Array, a: Array, g: Array, damping: float, rtol: float, limit: int
) -> tuple[Array, int, bool]:
    """Solve (Hess L + damping I) x = -g by SciPy's conjugate gradients.

    Parameters
    ----------
    at : Tangent
    blocks : Blocks
        Of S; only products with it are taken.
    H : ndarray, shape (n,)
        Hessian of the loss with respect to the outputs, diagonal.
    a : ndarray, shape (n,)
        Gradient of the loss with respect to the outputs.
    g : ndarray, shape of theta
        Gradient of the loss, J^T a.
    damping, rtol : float
    limit : int
        Most products.

    Returns
    -------
    x : ndarray, shape of theta
    products : int
        Hessian-vector products that were taken.
    converged : bool
        Whether the relative residual reached `rtol` within `limit` iterations.

    Raises
    ------
    NotPositiveDefiniteError
        If a search direction has negative curvature; a direction that is not met is not noticed.
    NonFiniteError
        If the squares of the iteration overflow.
    """
    from scipy.sparse.linalg import LinearOperator, cg

    count = 0

    def product(v: Array) -> Array:
        nonlocal count
        count += 1
        v = v.reshape(at.theta.shape)
        length = np.vdot(v, v)
        if not np.isfinite(length):
            raise NonFiniteError(
                f"Conjugate gradients overflow at product {count}. Scale the targets and the samples to order one, or "
                "use route=Direct(), which squares nothing."
            )
        Hv = blocks.apply(v, H * at.jvp(v)) + damping * v
        curvature = float(np.vdot(v, Hv) / max(length, np.finfo(float).tiny))
        if curvature < 0:
            excess = at.kernel_scale  # from the damping to gamma
            enough = excess * BlockSpectrum(at, a).threshold  # what they met may be far from the worst direction
            raise NotPositiveDefiniteError(
                f"The regularized Hessian is not positive definite: product {count} of conjugate gradients met the "
                f"curvature {excess * curvature:.3e} (in the units of gamma). Any gamma > {enough:.3e} suffices, "
                "which is safe_gamma(net, theta, X, y) for the mean square; route=Direct() names the neuron.",
                excess * curvature,
                None,
                enough,
            )
        return Hv.ravel()

    A = LinearOperator((at.theta.size, at.theta.size), matvec=product, dtype=float)
    with np.errstate(over="ignore", invalid="ignore"):  # asked of every direction
        x, info = cg(A, -g.ravel(), rtol=rtol, atol=0.0, maxiter=limit)
    return x.reshape(at.theta.shape), count, info == 0
