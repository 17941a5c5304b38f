r"""The tangent of a one-hidden-layer network: J J^T, J^T a, J v and D^2 f [v, w] without J.

With S = sigma(X W^T), B = sigma'(X W^T) diag(c), both of shape (n, m), the Jacobian of the outputs has, in the columns
of neuron i and scaled by m^{-beta}, the rows (sigma(z), c_i sigma'(z) x_j^T), z = w_i . x_j, equations (33) to (35) of
the Newton paper. It factors over neurons and, within a neuron, over (sample) x (input):

    J J^T = m^{-2 beta} ( S S^T + (B B^T) o (X X^T) ),    o = entrywise product,
    J^T a = m^{-beta} ( S^T a,  (B o a 1^T)^T X ),

in O(n^2 m) time. The matrix is the Gram matrix of Cai et al. (21) with both layers trained; m^{2 beta - 1} J J^T / n
tends to the kernel (15) of the Newton paper. Neurons meet only in the sum over i, so the second derivative is

    D^2 f_j [v, w] = m^{-beta} sum_i ( v_c sigma'(z) z_w + w_c sigma'(z) z_v
                                       + c sigma''(z) z_v z_w ),

with z_v = v_w . x_j. Every pass sums over slices of the neuron axis within the memory budget of the tangent.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from ...exceptions import Array, ParameterError, ShapeError, finite_array, integer, real_array, shaped_like
from ...linalg.caching import cached_property
from ...linalg.rank_update import rank_update, symmetric
from ...linalg.streaming import parallel, total
from ...linalg.structured import BlockDiagPlusLowRank
from ..base import Blocks
from .compiled import definite_blocks
from .curvature import curvature_blocks, structured
from .spec import Shallow, preactivations, prepare


class ShallowTangent:
    """A one-hidden-layer network at the parameters `theta`, on the samples X; made by ``net.at(theta, X)``.

    Attributes
    ----------
    net : Shallow
    theta : ndarray, shape (m, p)
    X : ndarray, shape (n, d)
    inputs : ndarray, shape (n, p - 1)
        The samples as the neurons see them.
    memory : int or None
        Bytes of temporaries of every pass.
    trained : int
        Number of parameters that train.
    scale : float
        m^{-beta}, the factor of the outputs.
    kernel_scale : float
        m^{2 beta - 1}: kernel_scale J J^T / n tends to the kernel (15) of the Newton paper.
    """

    def __init__(self, net: Shallow, theta: ArrayLike, X: ArrayLike, memory: int | None = None):
        self.net, self.memory = net, memory if memory is None else integer("memory", memory)
        self.theta, self.inputs = prepare(net, theta, X)
        self.X = self.inputs[:, :-1] if net.bias else self.inputs
        self.scale = len(self.theta) ** -net.beta
        self.kernel_scale = net.width_scale(len(self.theta))
        self.inner, self.outer = net.trains != "outer", net.trains != "inner"
        m, p = self.theta.shape
        self.trained = m * (self.outer + (p - 1) * self.inner)

    def __repr__(self) -> str:
        m, p = self.theta.shape
        return f"{type(self).__name__}({m} neurons x {p} parameters, {len(self.X)} samples)"

    def _stream(self, floats: int, work, make=lambda: None, fixed: int = 0) -> list:
        n = len(self.inputs)
        return parallel(len(self.theta), n, floats * n, work, make, self.memory, fixed=fixed)

    def _rows(self, part: slice, order: int = 1) -> tuple[Array, ...]:
        return self.net.act.rows(preactivations(self.theta[part], self.inputs), order)

    def _weights(self, name: str, a: ArrayLike) -> Array:
        a = real_array(name, a)
        if a.shape != (len(self.inputs),):
            raise ShapeError(f"{name} has shape {a.shape}, expected ({len(self.inputs)},): one entry per row of X.")
        return finite_array(name, a, 1)

    def _direction(self, name: str, v: ArrayLike) -> Array:
        """A checked direction, without what does not train."""
        v = shaped_like(name, v, self.theta, "theta")
        return v if self.inner and self.outer else self._trained(v.copy())

    def _trained(self, v: Array) -> Array:
        """Zeros, in place, where the weights do not train."""
        if not self.outer:
            v[:, 0] = 0
        if not self.inner:
            v[:, 1:] = 0
        return v

    @cached_property
    def f(self) -> Array:
        """Outputs, Riedl et al. (1), shape (n,)."""
        n, dtype = len(self.inputs), np.result_type(self.theta, self.inputs)

        def work(part: slice, out: Array) -> None:
            out += self.theta[part, 0] @ self._rows(part, 0)[0]

        return total(self._stream(3, work, lambda: np.zeros(n, dtype), n)) * self.scale

    def gram(self) -> Array:
        """J J^T of the weights that train, symmetric positive semidefinite, shape (n, n); computed once."""
        return self._gram

    @cached_property
    def _gram(self) -> Array:
        n = len(self.inputs)

        def work(part: slice, sums: Array) -> None:
            s, ds = self._rows(part)
            if self.outer:
                rank_update(sums[0], s)
            if self.inner:
                ds *= self.theta[part, :1]
                rank_update(sums[1], ds)

        # beside the sums, the products of the inputs and what `symmetric` takes
        outer, inner = total(self._stream(4, work, lambda: np.zeros((2, n, n)), 5 * n * n))
        inner *= self.inputs @ self.inputs.T
        outer += inner
        outer *= self.scale**2
        return symmetric(outer)

    def cross(self, other: ShallowTangent) -> Array:
        """J(self) J(other)^T, shape (samples of self, samples of other), for one network at one theta."""
        same = isinstance(other, ShallowTangent) and other.net == self.net
        if not same or not (other.theta is self.theta or np.array_equal(other.theta, self.theta)):
            raise ParameterError("cross needs two tangents of one network at one theta: net.at(theta, X) for each.")
        q, n = len(self.inputs), len(other.inputs)

        def work(part: slice, sums: Array) -> None:
            (sq, dsq), (s, ds) = self._rows(part), other._rows(part)
            dsq *= self.theta[part, :1] ** 2
            sums[0] += sq.T @ s
            sums[1] += dsq.T @ ds

        sums, fixed = lambda: np.zeros((2, q, n)), 4 * q * n
        outer, inner = total(parallel(len(self.theta), q + n, 4 * (q + n), work, sums, self.memory, fixed=fixed))
        outer *= self.outer
        inner *= self.inputs @ other.inputs.T
        if self.inner:
            outer += inner
        outer *= self.scale**2
        return outer

    def vjp(self, a: ArrayLike) -> Array:
        """J^T a: the parameter-space vector of sample weights a of shape (n,); shape (m, p)."""
        a = self._weights("a", a) * self.scale
        out = np.empty(self.theta.shape, np.result_type(self.theta, self.inputs, a))
        aX = a[:, None] * self.inputs

        def work(part: slice, _) -> None:
            s, ds = self._rows(part)
            out[part, 0] = s @ a
            np.multiply(self.theta[part, :1], ds @ aX, out=out[part, 1:])

        self._stream(4, work)
        return self._trained(out)

    def jvp(self, v: ArrayLike) -> Array:
        """J v: the first-order change of the outputs along v of shape (m, p); shape (n,)."""
        v, n = self._direction("v", v), len(self.inputs)

        def work(part: slice, out: Array) -> None:
            s, ds = self._rows(part)
            ds *= preactivations(v[part], self.inputs)
            out += v[part, 0] @ s + self.theta[part, 0] @ ds

        return total(self._stream(5, work, lambda: np.zeros(n), n)) * self.scale

    def second(self, v: ArrayLike, w: ArrayLike) -> Array:
        """D^2 f [v, w]: the second derivative of the outputs along v and w, both of shape (m, p); shape (n,)."""
        v, w, n = self._direction("v", v), self._direction("w", w), len(self.inputs)

        def work(part: slice, out: Array) -> None:
            _, ds, d2s = self._rows(part, 2)
            zv, zw = preactivations(v[part], self.inputs), preactivations(w[part], self.inputs)
            out += v[part, 0] @ (ds * zw) + w[part, 0] @ (ds * zv)
            d2s *= zv
            d2s *= zw
            out += self.theta[part, 0] @ d2s

        return total(self._stream(8, work, lambda: np.zeros(n), n)) * self.scale

    def blocks(self, a: ArrayLike, dtype: DTypeLike = np.float64, definite: bool = True) -> Blocks:
        """S = sum_j a_j Hess f_j, whose blocks are those of Riedl et al. (41) for a = r / n.

        Parameters
        ----------
        a : ndarray, shape (n,)
            Weights of the samples: the gradient of the loss with respect to the outputs.
        dtype : dtype
            ``np.float32`` does the work on the neurons in single precision.
        definite : bool
            Cholesky factors, the fast route, which says where a block is not definite; or eigenvalues, which serve any
            blocks. Where a layer is frozen it is always eigenvalues.
        """
        a = self._weights("a", a)
        if definite and self.net.trains == "both":
            return definite_blocks(self.net, self.theta, self.inputs, a, self.memory, dtype)
        return self.structured(a)

    def structured(self, a: ArrayLike, R: Array | None = None, shift: float = 0.0) -> BlockDiagPlusLowRank:
        """S + shift I + J^T R R^T J as a structured matrix, for a diagonal R of shape (n,), by default I."""
        return structured(self, self._weights("a", a), R, shift)

    def curvature_blocks(self, a: ArrayLike) -> Array:
        """The blocks of S = sum_j a_j Hess f_j, shape (m, p, p)."""
        return curvature_blocks(self, self._weights("a", a))
