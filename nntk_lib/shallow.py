r"""One-hidden-layer networks as particles.

    f(x) = m^{-beta} sum_i c_i sigma(w_i . x),        L = 1/(2n) sum_j (f(x_j) - y_j)^2,        r = f - y.

Equations (1) and (2) of the Newton paper. A network *is* the array ``theta`` of shape (m, p) whose row i is
(c_i, w_i); a gradient, a step and a velocity have the same shape, and ``theta.ravel()`` is the parameter vector.
The frozen specification :class:`Shallow` says the rest. Inputs X have shape (n, d); with ``bias=True`` the constant 1
is appended to every sample, so that p = 1 + d + 1, and no two distinct samples are collinear.

The Jacobian of the outputs has, in the columns of neuron i and scaled by m^{-beta}, the rows

    ( sigma(z),  c_i sigma'(z) x_j^T ),      z = w_i . x_j,

equations (33) to (35). It is formed here for small cases only: :mod:`nntk_lib.gram` never forms it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from .activations import Activation, get_activation, tanh
from .checks import Array, ParameterError, ShapeError, finite_array, positive, same_length
from .streaming import stream

#: Support of the default law of the output weights c: uniform on [-sqrt 3, sqrt 3], mean 0, variance 1 (A2).
C_MAX = 3**0.5


@dataclass(frozen=True)
class Shallow:
    """Specification of a one-hidden-layer network, Riedl et al. (1).

    Attributes
    ----------
    act : Activation or str
        The activation or its name.
    beta : float
        Output scaling exponent: 1/2 tangent-kernel limit, in between the Newton paper, 1 mean field.
    bias : bool
        Append the constant 1 to every input.
    weight_std : float
        Standard deviation of the normal initial input weights. Larger values resolve higher frequencies.

    Raises
    ------
    ParameterError
        If beta is not in [1/2, 1], weight_std is not positive, or the activation is unknown.

    Examples
    --------
    >>> net = Shallow("tanh", beta=0.75)
    >>> theta = init(net, m=1000, d=1, rng=0)
    >>> theta.shape, forward(net, theta, [[0.0], [0.5]]).shape
    ((1000, 3), (2,))
    """

    act: Activation | str = tanh
    beta: float = 0.75
    bias: bool = True
    weight_std: float = 1.0

    def __post_init__(self):
        object.__setattr__(self, "act", get_activation(self.act))
        positive("weight_std", self.weight_std)
        if not 0.5 <= self.beta <= 1:
            raise ParameterError(
                f"beta = {self.beta:g} is outside [1/2, 1]. Use 1/2 for the tangent-kernel scaling, 1 for mean field, "
                "and a value in between for the Newton limit."
            )

    def inputs(self, X: ArrayLike) -> Array:
        """The samples as the neurons see them: shape (n, d), with a column of ones appended if ``bias``."""
        X = finite_array("X", X, 2)
        return np.column_stack([X, np.ones(len(X), X.dtype)]) if self.bias else X


def init(net: Shallow, m: int, d: int, rng: np.random.Generator | int, outputs: str = "uniform") -> Array:
    """Random initial parameters satisfying assumption A2 of the Newton paper.

    The input weights w are normal with standard deviation ``net.weight_std``. The output weights c are independent of
    them, with mean 0, variance 1 and compact support.

    Parameters
    ----------
    net : Shallow
    m, d : int
        Hidden units, and inputs (without the bias coordinate).
    rng : Generator or int
        The same generator state or seed gives the same bytes.
    outputs : {"uniform", "skewed", "mirrored"}
        The law of c: uniform on [-sqrt 3, sqrt 3]; or 2 with probability 1/5 and -1/2 otherwise, which has no symmetry;
        or uniform in pairs of neurons (c, w), (-c, w), so that the network starts at f = 0 exactly (the pairs are
        i.i.d., not the neurons).

    Returns
    -------
    ndarray, shape (m, p), p = 1 + d + bias

    Raises
    ------
    ParameterError
        If m or d is not a positive integer, m is odd for "mirrored", or the law is unknown.
    """
    for name, value in (("m", m), ("d", d)):
        if int(value) != value or value < 1:
            raise ParameterError(f"{name} = {value} must be a positive integer.")
    m, p, rng = int(m), 1 + int(d) + net.bias, np.random.default_rng(rng)
    if outputs == "mirrored":
        if m % 2:
            raise ParameterError(f"m = {m} must be even for outputs='mirrored': the neurons come in pairs.")
        half = init(net, m // 2, d, rng)
        return np.vstack([half, half * np.r_[-1.0, np.ones(p - 1)]])
    if outputs == "uniform":
        c = rng.uniform(-C_MAX, C_MAX, size=(m, 1))
    elif outputs == "skewed":
        c = np.where(rng.random((m, 1)) < 0.2, 2.0, -0.5)
    else:
        raise ParameterError(f"outputs = {outputs!r} is unknown; use 'uniform', 'skewed' or 'mirrored'.")
    return np.hstack([c, net.weight_std * rng.standard_normal((m, p - 1))])


def prepare(net: Shallow, theta: ArrayLike, X: ArrayLike) -> tuple[Array, Array]:
    """Checked parameters and augmented inputs; raises `ShapeError` or `NonFiniteError`."""
    theta, X = finite_array("theta", theta, 2), net.inputs(X)
    if theta.shape[1] != 1 + X.shape[1]:
        d = theta.shape[1] - 1 - net.bias
        raise ShapeError(
            f"theta has {theta.shape[1]} parameters per neuron, which is made for samples with {d} inputs"
            f"{' and a bias' if net.bias else ''}; X has {X.shape[1] - net.bias}. Try init(net, m, d=X.shape[1], ...)."
        )
    return theta, X


def preactivations(rows: Array, X: Array) -> Array:
    """z = w_i . x_j for the neurons with parameters `rows`, shape (neurons, n)."""
    return products(rows[:, 1:], X)


def products(W: Array, X: Array, out: Array | None = None) -> Array:
    """W X^T. BLAS is not made for one column, 1 in place of 0.2 ns an entry, nor for two columns of a transposed X."""
    return (np.multiply if X.shape[1] == 1 else np.matmul)(W, np.ascontiguousarray(X.T), out=out)


def forward(net: Shallow, theta: ArrayLike, X: ArrayLike, memory: int | None = None) -> Array:
    """Network outputs, Riedl et al. (1).

    Parameters
    ----------
    net : Shallow
    theta : ndarray, shape (m, p)
    X : ndarray, shape (n, d)
    memory : int, optional
        Bytes of temporaries; the result changes by rounding only.

    Returns
    -------
    ndarray, shape (n,)

    Raises
    ------
    ShapeError, NonFiniteError
    """
    theta, X = prepare(net, theta, X)

    def work(part: slice, out: Array) -> None:
        out += theta[part, 0] @ net.act.f(preactivations(theta[part], X))

    sums = stream(len(theta), len(X), 3 * len(X), work, lambda: np.zeros(len(X), np.result_type(theta, X)), memory)
    return sum(sums) * len(theta) ** -net.beta


def residual(net: Shallow, theta: ArrayLike, X: ArrayLike, y: ArrayLike) -> Array:
    """Residual r = f(X) - y, shape (n,); raises `ShapeError` if y and X differ in length."""
    y = finite_array("y", y, 1)
    f = forward(net, theta, X)
    return f - same_length("y", y, len(f), "X")


def loss(r: ArrayLike) -> float:
    """Loss L = 1/(2n) sum_j r_j^2 of a residual, Riedl et al. (2)."""
    r = finite_array("r", r, 1)
    return float(r @ r) / (2 * len(r))


def jacobian(net: Shallow, theta: ArrayLike, X: ArrayLike) -> Array:
    """Jacobian of the outputs with respect to the parameters, Riedl et al. (33)-(35).

    Returns
    -------
    ndarray, shape (n, m, p)
        Includes the factor m^{-beta}. It has n m p entries: for small cases, tests and teaching.
    """
    theta, X = prepare(net, theta, X)
    s, ds, _ = net.act.rows(X @ theta[:, 1:].T)
    J = np.concatenate([s[:, :, None], (ds * theta[:, 0])[:, :, None] * X[:, None, :]], axis=2)
    return J * len(theta) ** -net.beta
