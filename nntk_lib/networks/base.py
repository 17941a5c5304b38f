"""A network says its outputs and the tangent space there; nothing else about it is known elsewhere.

A *network* is a frozen specification. Its parameters ``theta`` are ONE array, of shape (m, p) for a shallow network
and a vector otherwise, so that theta + alpha delta, inner products, flows and projectors are plain numpy.
``net.at(theta, X)`` is the *tangent* of the network at a point: the outputs f on the samples X and the Jacobian J =
df/dtheta there, as products only, J J^T, J^T a and J v. Every training method of this library is a function of that
object and of a loss.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike

from ..exceptions import Array, having
from ..linalg.structured import Reduction


@runtime_checkable
class Network(Protocol):
    """A specification: it draws parameters, and gives the tangent at a point."""

    def init(self, *args, rng: np.random.Generator | int, **options) -> Array:
        """Random initial parameters, one array; the same generator state or seed gives the same bytes."""

    def at(self, theta: ArrayLike, X: ArrayLike, memory: int | None = None) -> Tangent:
        """The tangent at theta on the samples X; the only place where both are checked.

        Parameters
        ----------
        theta : ndarray
        X : ndarray, axis 0 the samples
        memory : int, optional
            Bytes of temporaries of every pass (128 MiB if not given); results change by rounding only.
        """


@runtime_checkable
class Tangent(Protocol):
    """The outputs of a network on n samples, and its Jacobian J there as products.

    Attributes
    ----------
    net : Network
    theta : ndarray
    X : ndarray
        The samples as they were given, checked.
    f : ndarray, shape (n,), or (n, C) for C outputs
    trained : int
        Number of parameters that train.
    kernel_scale : float
        The factor s for which s J J^T tends to a kernel as the width grows: 1 in the tangent-kernel scaling, m^{2 beta
        - 1} for the output scaling m^{-beta}.
    """

    net: Network
    theta: Array
    X: Array
    f: Array
    trained: int
    kernel_scale: float

    def gram(self) -> Array:
        """J J^T, of order f.size with the outputs of a sample together; computed once."""

    def vjp(self, a: ArrayLike) -> Array:
        """J^T a, of the shape of theta, for a of the shape of f."""

    def jvp(self, v: ArrayLike) -> Array:
        """J v, of the shape of f, for v of the shape of theta."""


class SecondTangent(Tangent, Protocol):
    """The second floor, of shallow and deep networks: two sets of samples, and second derivatives."""

    def cross(self, other: Tangent) -> Array:
        """J(self) J(other)^T for another tangent of the same network at the same parameters."""

    def second(self, v: ArrayLike, w: ArrayLike) -> Array:
        """D^2 f [v, w], of the shape of f: the change of J v along w."""


class Blocks(Protocol):
    """S = sum_j a_j Hess f_j of a network whose output Hessians are block-diagonal, with D = S + shift I.

    Three routes speak this language: Cholesky factors of definite blocks (compiled or in numpy), eigenvalues of any
    blocks, and products with S alone, which are all that conjugate gradients need.
    """

    def reduce(self, shifts: Sequence[float]) -> list[Reduction]:
        """One pass over the blocks: J D^{-1} J^T and the smallest eigenvalue, for every shift."""

    def solve_range(self, reduction: Reduction, a: Array) -> Array:
        """D^{-1} J^T a, of the shape of theta."""

    def apply(self, v: Array, b: Array) -> Array:
        """S v + J^T b, of the shape of theta, in one pass."""


def tangent(net: Network, theta: ArrayLike, X: ArrayLike, memory: int | None = None) -> Tangent:
    """``net.at(theta, X, memory)``, or `ParameterError` if `net` is no network."""
    having("net", net, ("at",), "Shallow('tanh')")
    return net.at(theta, X) if memory is None else net.at(theta, X, memory)


def require_tangent(at: Tangent) -> Tangent:
    """Return `at` if it is a tangent, else raise `ParameterError`."""
    return having("at", at, ("theta",), "net.at(theta, X)")


def jacobian(net: Network, theta: ArrayLike, X: ArrayLike) -> Array:
    """The Jacobian, row by row: J^T e for every unit vector e. For small cases, tests and teaching.

    Returns
    -------
    ndarray, shape (n, *theta.shape), or (n * C, *theta.shape) for C outputs
        For a shallow network equations (33) to (35) of Riedl et al., the factor m^{-beta} included.
    """
    at = tangent(net, theta, X)
    rows = np.eye(at.f.size).reshape(-1, *at.f.shape)
    return np.stack([at.vjp(row) for row in rows])
