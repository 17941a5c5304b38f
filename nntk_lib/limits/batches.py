r"""Mini-batches in function space: block Gauss-Seidel on the kernel, with the momentum of SPRING.

In the limit of wide networks the kernel K = J J^T stays as it was, and a step J^T p moves the outputs by K p. SPRING on
the batch B, for half the sum of the squares, takes p to

    mu p - E_B (K_BB + a I)^{-1} (r + mu K p)_B,

with E_B the columns B of the identity; then r goes to r + K p. With mu = 0 this is Gram-Gauss-Newton: with a = 0 it is
block Gauss-Seidel on K z = -r_0, Cai et al. (2019) (37).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from ..exceptions import (
    Array,
    ParameterError,
    SingularSystemError,
    finite_array,
    function,
    integer,
    positive,
    same_length,
    square_matrix,
)
from ..methods.baselines import share
from ..training import Batches


def batch_path(
    K: ArrayLike,
    r: ArrayLike,
    batches: Batches,
    epochs: int,
    damping: float = 0.0,
    momentum: float = 0.0,
    stop: Callable[[float], bool] = lambda size: False,
) -> Array:
    """Size of the residual after every epoch, over its size at the start.

    Parameters
    ----------
    K : ndarray, shape (n, n)
        Kernel on the samples.
    r : ndarray, shape (n,)
        Residual at the start.
    batches : Batches
    epochs : int
    damping : float
        a above, >= 0.
    momentum : float
        mu above, in [0, 1).
    stop : callable
        Ends the path after the first epoch whose size it accepts.

    Returns
    -------
    ndarray, shape (k + 1,)
        k <= epochs; the first entry is 1.

    Raises
    ------
    ShapeError
        If K is not square, or r is not of its order.
    ParameterError
        For a damping or a momentum out of range, and for a residual of zero.

    Examples
    --------
    >>> import numpy as np
    >>> from nntk_lib import Batches
    >>> batch_path(np.eye(4), np.ones(4), Batches(2), 2).tolist()
    [1.0, 0.0, 0.0]
    """
    K, r = square_matrix("K", K), finite_array("r", r, 1)
    function("batches", batches, "Batches(8)"), function("stop", stop, "lambda size: size < 1e-3")
    same_length("r", r, len(K), "K")
    a, mu = positive("damping", damping, allow_zero=True), share("momentum", momentum)
    p, first, sizes = np.zeros_like(r), np.linalg.norm(r), [1.0]
    if first == 0:
        raise ParameterError("r is zero: every sample is fitted at the start, and there is nothing to follow.")
    for epoch in range(integer("epochs", epochs, 0)):
        for B in batches(len(r), epoch):
            p = mu * p
            try:
                p[B] -= np.linalg.solve(K[np.ix_(B, B)] + a * np.eye(len(B)), (r + K @ p)[B])
            except np.linalg.LinAlgError:
                raise SingularSystemError(
                    f"The kernel of a batch of {len(B)} samples is singular. Give a damping greater than 0, or leave "
                    "out repeated samples."
                ) from None
            r = r + K @ p
        sizes.append(float(np.linalg.norm(r) / first))
        if stop(sizes[-1]):
            break
    return np.array(sizes)
