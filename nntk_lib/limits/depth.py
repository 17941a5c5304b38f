r"""The tangent kernel of an infinitely wide network of any depth.

As the widths grow, the pre-activations z_l of a :class:`~nntk_lib.networks.deep.Deep` network with standard normal
weights become independent Gaussian processes with covariances S_l, and its tangent kernel becomes deterministic (Jacot,
Gabriel and Hongler 2018). With u(x) the samples as the first layer sees them, a the gain, and (p, q) normal with the
covariance of z_{l-1} at two samples,

    S_0 = u(x) . u(x'),              T_0 = S_0,
    S_l = a E[sigma(p) sigma(q)],    D_l = a E[sigma'(p) sigma'(q)],
    T_l = T_{l-1} D_l + S_l,         l = 1 .. L,
    K   = omega^2 T_L,

a term S_l being left out where layer l is frozen. With the gain 1 / E[sigma(z)^2] and samples of unit length the
diagonals of all S_l are 1.

**Factors.** K is the limit of ``at.kernel_scale * at.gram()`` with kernel_scale = 1: it has no factor 1/n, because the
loss owns that one. For one hidden layer, gain 1 and inputs that are not normalized, K is n times
:func:`nntk_lib.limits.kernels.limit_ntk`, which follows the Newton paper's (15) and holds the 1/n. For C outputs the
limit is the Kronecker product of K and the identity of order C.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ..exceptions import Array, ShapeError, instance
from ..networks.activations import Activation
from ..networks.deep import Deep
from .gaussian import CLOSED_FORMS, dual_activation
from .kernels import angles
from .quadrature import HermiteSeries


def deep_limit_ntk(net: Deep, X: ArrayLike, Xq: ArrayLike | None = None) -> Array:
    """Tangent kernel K of the infinitely wide network, the limit of J J^T of one output, without a factor 1/n.

    Parameters
    ----------
    net : Deep
        Its activation, depth, gain, scale, bias, normalization and frozen layers; the widths do not matter.
    X : ndarray, shape (n, d)
        Samples.
    Xq : ndarray, shape (q, d), optional
        Other points: the rows between them and the samples are returned instead.

    Returns
    -------
    ndarray, shape (n, n) or (q, n)
        Relative error of a few 1e-14 for smooth activations. For ReLU sigma' jumps: samples closer than an angle of
        theta have an error of about 1e-16 / theta; equal ones are exact.

    Raises
    ------
    ShapeError
        If X and Xq have different numbers of inputs.
    NonFiniteError, ParameterError

    Examples
    --------
    >>> import numpy as np
    >>> net = Deep("relu", widths=(64, 64), bias=False, normalize_inputs=False)
    >>> deep_limit_ntk(net, np.eye(2)).round(4)
    array([[3.    , 0.6857],
           [0.6857, 3.    ]])
    """
    U = instance("net", net, Deep, "Deep('tanh', widths=(64, 64))").inputs(X)
    V = U if Xq is None else net.inputs(Xq)
    if V.shape[1] != U.shape[1]:
        raise ShapeError(f"Xq has {V.shape[1] - net.bias} inputs, but X has {U.shape[1] - net.bias}. They must agree.")
    U, V = U.astype(float), V.astype(float)
    S, theta = V @ U.T, angles(V, U)
    q1, q2 = (np.einsum("ij,ij->i", Y, Y) for Y in (V, U))
    T = np.zeros_like(S) if 0 in net.frozen else S
    for l in range(1, len(net.widths) + 1):
        S, D = net.constant * dual_activation(net.act, q1, q2, theta)[0]
        q1, q2 = (net.constant * _second_moments(net.act, q) for q in (q1, q2))
        T = T * D if l in net.frozen else T * D + S
        size = np.sqrt(q1[:, None] * q2)
        theta = np.arccos(np.clip(S / np.where(size > 0, size, 1), -1, 1))  # exactly 0 for equal samples
    K = net.scale**2 * T
    return (K + K.T) / 2 if Xq is None else K


def _second_moments(act: Activation, q: Array) -> Array:
    """E[sigma(z)^2] for normal z of the variances q."""
    if act.name in CLOSED_FORMS:
        return CLOSED_FORMS[act.name](q, q, np.zeros_like(q))[0]
    return HermiteSeries(act, q).moments[0]
