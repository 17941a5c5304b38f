r"""The other route: conjugate gradients over Hessian-vector products.

With the second derivatives of :mod:`nntk_lib.curvature`, the Hessian H times v = (v_c, v_w) is, with z = w_i . x_j and
z' = v_w . x_j,

    a = J v,                     a_j  = m^{-beta} sum_i ( v_c sigma(z) + c sigma'(z) z' ),
    (H v)_c = m^{-beta} sum_j  ( sigma(z) a_j + sigma'(z) z' r_j ) / n,
    (H v)_w = m^{-beta} sum_j  ( c sigma'(z) a_j + (v_c sigma'(z) + c sigma''(z) z') r_j ) x_j / n,

takes two passes and no blocks: O(m n d) operations, against O(m n^2 d) of the direct step. The number of iterations
depends on the data, through the eigenvalues of the kernel above gamma, and the result has `rtol`, not rounding error.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .checks import Array, NotPositiveDefiniteError, finite_array, same_length
from .gram import j_dot, jt_dot
from .shallow import Shallow, preactivations, prepare
from .streaming import stream


def hessian_vector(
    net: Shallow, theta: ArrayLike, X: ArrayLike, r: ArrayLike, v: ArrayLike, memory: int | None = None
) -> Array:
    """Hessian of the loss times a vector, Riedl et al. (36), from outputs and derivatives of one neuron at a time.

    Parameters
    ----------
    net : Shallow
    theta : ndarray, shape (m, p)
    X : ndarray, shape (n, d)
    r : ndarray, shape (n,)
        Residual f - y.
    v : ndarray, shape (m, p)
    memory : int, optional
        Bytes of temporaries.

    Returns
    -------
    ndarray, shape (m, p)
        Equals ``hessian(net, theta, X, y) @ v``.
    """
    v = same_length("v", finite_array("v", v, 2), len(np.asarray(theta)), "theta")
    a = j_dot(net, theta, X, v, memory)
    theta, X = prepare(net, theta, X)
    n, scale = len(X), len(theta) ** -net.beta
    a, r = a * (scale / n), same_length("r", finite_array("r", r, 1), n, "X") * (scale / n)
    out = np.empty_like(theta)

    def work(part: slice, _) -> None:
        s, ds, d2s = net.act.rows(preactivations(theta[part], X))
        c, vc, dz = theta[part, :1], v[part, :1], preactivations(v[part], X)
        d2s *= dz
        d2s *= c
        d2s += vc * ds
        d2s *= r
        dz *= ds
        out[part, 0] = s @ a + dz @ r
        ds *= c * a
        ds += d2s
        out[part, 1:] = ds @ X

    stream(len(theta), n, 7 * n, work, memory=memory)
    return out


def conjugate_gradients(
    net: Shallow,
    theta: Array,
    X: Array,
    r: Array,
    damping: float,
    rtol: float,
    iterations: int,
    memory: int | None = None,
) -> tuple[Array, Array, int, bool]:
    """Solve (H + damping I) x = -g, g = J^T r / n, by SciPy's conjugate gradients.

    Returns
    -------
    x, g : ndarray, shape (m, p)
    products : int
        Hessian-vector products that were taken.
    converged : bool
        Whether the relative residual reached `rtol` within `iterations`.

    Raises
    ------
    NotPositiveDefiniteError
        If a search direction has negative curvature; a direction that is not met is not noticed.
    """
    from scipy.sparse.linalg import LinearOperator, cg

    count = 0

    def product(v: Array) -> Array:
        nonlocal count
        count += 1
        v = v.reshape(theta.shape)
        Hv = hessian_vector(net, theta, X, r, v, memory) + damping * v
        curvature = float(np.vdot(v, Hv) / max(np.vdot(v, v), np.finfo(float).tiny))
        if curvature < 0:
            excess = len(theta) ** (2 * net.beta - 1)  # from the damping to gamma
            raise NotPositiveDefiniteError(
                f"The regularized Hessian is not positive definite: product {count} of conjugate gradients met the "
                f"curvature {excess * curvature:.3e} (in the units of gamma). Increase gamma by more than that; "
                "safe_gamma(net, theta, X, y) suffices, and solver='direct' names the neuron.",
                excess * curvature,
                None,
                excess * (damping - curvature),
            )
        return Hv.ravel()

    g = jt_dot(net, theta, X, r, memory) / len(r)
    A = LinearOperator((theta.size, theta.size), matvec=product, dtype=float)
    x, info = cg(A, -g.ravel(), rtol=rtol, atol=0.0, maxiter=iterations)
    return x.reshape(theta.shape), g, count, info == 0
