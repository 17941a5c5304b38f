r"""One-hidden-layer networks as particles.

    f(x) = m^{-beta} sum_i c_i sigma(w_i . x)

Equation (1) of the Newton paper. The parameters are an array ``theta`` of shape (m, p) whose row i is (c_i, w_i); a
gradient, a step and a velocity have the same shape. The frozen specification :class:`Shallow` says the rest. Inputs X
have shape (n, d); with ``bias=True`` the constant 1 is appended to every sample, so that p = 1 + d + 1, and no two
distinct samples are collinear.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ...exceptions import (
    Array,
    ParameterError,
    ShapeError,
    finite_array,
    flag,
    generator,
    instance,
    integer,
    one_of,
    positive,
)
from ..activations import Activation, get_activation, tanh

#: Support of the default law of the output weights c: uniform on [-sqrt 3, sqrt 3], mean 0, variance 1 (A2).
C_MAX = 3**0.5

LAWS, LAYERS = ("uniform", "skewed", "mirrored"), ("both", "inner", "outer")


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
    outputs : {"uniform", "skewed", "mirrored"}
        The law of the initial output weights c: uniform on [-sqrt 3, sqrt 3]; or 2 with probability 1/5 and -1/2
        otherwise, which has no symmetry; or uniform in pairs of neurons (c, w), (-c, w), so that the network starts at
        f = 0 up to rounding (the pairs are i.i.d., not the neurons).
    trains : {"both", "inner", "outer"}
        The weights that train: all of them, w, or c. The others have zeros in every gradient and step.

    Raises
    ------
    ParameterError
        If beta is not in [1/2, 1], weight_std is not positive, or the activation, the law or the layer is unknown.

    Examples
    --------
    >>> net = Shallow("tanh", beta=0.75)
    >>> theta = net.init(m=1000, d=1, rng=0)
    >>> theta.shape, net.at(theta, [[0.0], [0.5]]).f.shape
    ((1000, 3), (2,))
    """

    act: Activation | str = tanh
    beta: float = 0.75
    bias: bool = True
    weight_std: float = 1.0
    outputs: str = "uniform"
    trains: str = "both"

    def __post_init__(self):
        object.__setattr__(self, "act", get_activation(self.act))
        positive("weight_std", self.weight_std)
        object.__setattr__(self, "bias", flag("bias", self.bias))
        if not 0.5 <= positive("beta", self.beta) <= 1:
            raise ParameterError(
                f"beta = {self.beta:g} is outside [1/2, 1]. Use 1/2 for the tangent-kernel scaling, 1 for mean field, "
                "and a value in between for the Newton limit."
            )
        one_of("outputs", self.outputs, LAWS)
        one_of("trains", self.trains, LAYERS)

    def init(self, m: int, d: int, rng: np.random.Generator | int) -> Array:
        """Random initial parameters satisfying assumption A2 of the Newton paper.

        The input weights w are normal with standard deviation ``weight_std``. The output weights c are independent of
        them, with mean 0, variance 1 and compact support.

        Parameters
        ----------
        m, d : int
            Hidden units, and inputs (without the bias coordinate).
        rng : Generator or int
            The same generator state or seed gives the same bytes.

        Returns
        -------
        ndarray, shape (m, p), p = 1 + d + bias

        Raises
        ------
        ParameterError
            If m or d is not a positive integer, or m is odd for mirrored outputs.
        """
        m, p, rng = integer("m", m), 1 + integer("d", d) + self.bias, generator("rng", rng)
        if self.outputs == "mirrored" and m % 2:
            raise ParameterError(f"m = {m} must be even for outputs='mirrored', pairs of neurons. Use {m + 1}.")
        drawn = m // 2 if self.outputs == "mirrored" else m
        if self.outputs == "skewed":
            c = np.where(rng.random((drawn, 1)) < 0.2, 2.0, -0.5)
        else:
            c = rng.uniform(-C_MAX, C_MAX, size=(drawn, 1))
        theta = np.hstack([c, self.weight_std * rng.standard_normal((drawn, p - 1))])
        return np.vstack([theta, theta * np.r_[-1.0, np.ones(p - 1)]]) if drawn < m else theta

    def at(self, theta: ArrayLike, X: ArrayLike, memory: int | None = None):
        """Outputs and tangent space at theta on the samples X.

        Parameters
        ----------
        theta : ndarray, shape (m, p)
        X : ndarray, shape (n, d)
        memory : int, optional
            Bytes of temporaries of every pass (128 MiB if not given); results change by rounding only.

        Returns
        -------
        ShallowTangent

        Raises
        ------
        ShapeError, NonFiniteError
        """
        from .tangent import ShallowTangent  # which imports this module

        return ShallowTangent(self, theta, X, memory)

    def inputs(self, X: ArrayLike) -> Array:
        """The samples as the neurons see them: shape (n, d), with a column of ones appended if ``bias``."""
        X = finite_array("X", X, 2)
        return np.column_stack([X, np.ones(len(X), X.dtype)]) if self.bias else X

    def width_scale(self, m: int) -> float:
        """The factor m^{2 beta - 1} for which m^{2 beta - 1} J J^T has a limit, Riedl et al. (15)."""
        return float(m ** (2 * self.beta - 1))

    def width_for(self, m: int, excess: float) -> float:
        """Width at which a level of order m^{beta - 1} has fallen to gamma, if it is `excess` times gamma at width m.

        Returns
        -------
        float
            Infinite at beta = 1, where the level does not fall, and wherever the number overflows.

        Examples
        --------
        >>> round(Shallow(beta=0.5).width_for(100, excess=10.0))
        10000
        >>> Shallow(beta=1.0).width_for(100, excess=10.0)
        inf
        """
        powers = math.log(excess) / (1 - self.beta) if self.beta < 1 else math.inf
        return m * math.exp(powers) if powers < 600 else math.inf


def shallow(net: Shallow) -> Shallow:
    """Return `net` if it has one hidden layer, else raise `ParameterError`."""
    return instance("net", net, Shallow, "Shallow('tanh')")


def prepare(net: Shallow, theta: ArrayLike, X: ArrayLike) -> tuple[Array, Array]:
    """Checked parameters and augmented inputs; raises `ShapeError` or `NonFiniteError`."""
    theta, X = finite_array("theta", theta, 2), net.inputs(X)
    if theta.shape[1] != 1 + X.shape[1]:
        d = theta.shape[1] - 1 - net.bias
        raise ShapeError(
            f"theta has {theta.shape[1]} parameters per neuron, which is made for samples with {d} inputs"
            f"{' and a bias' if net.bias else ''}; X has {X.shape[1] - net.bias}. Try net.init(m, d=X.shape[1], ...)."
        )
    return theta, X


def preactivations(rows: Array, X: Array) -> Array:
    """z = w_i . x_j for the neurons with parameters `rows`, shape (neurons, n)."""
    return products(rows[:, 1:], X)


def products(W: Array, X: Array, out: Array | None = None) -> Array:
    """W X^T. BLAS is not made for one column, 1 in place of 0.2 ns an entry, nor for two columns of a transposed X."""
    return (np.multiply if X.shape[1] == 1 else np.matmul)(W, np.ascontiguousarray(X.T), out=out)
