r"""The tangent of a fully connected network of any depth, without a Jacobian.

In the notation of :mod:`nntk_lib.networks.deep`, with the rows of A_l the inputs a_l of layer l for all samples:

**Gram matrix.** Let delta_l = df_c/dz_l, one row a sample and output, by back-propagation sample by sample. The
gradient of f_c with respect to W_l is the outer product of delta_l and a_l, so that

    J J^T = sum_l (Delta_l Delta_l^T) o (A_l A_l^T),    o = entrywise product,

over the layers that train: Cai et al. (2019), Section 3.3, at any depth. Memory: the matrix, and the rows of A and
Delta. With J it would be n C P numbers.

**Second derivative.** With dz_l(v) the derivative of z_l along v, W_l(v) the layer l of v, and likewise for a_l, the
product rule gives

    ddz_l     = W_l dda_l + W_l(v) da_l(w) + W_l(w) da_l(v),
    dda_{l+1} = sqrt(a / m_{l+1})
                (sigma''(z_l) dz_l(v) dz_l(w) + sigma'(z_l) ddz_l),
    dda_0     = 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from ..exceptions import Array, ParameterError, shaped_like
from ..linalg.caching import cached_property
from ..linalg.rank_update import symmetric
from ..linalg.streaming import budget, pieces

if TYPE_CHECKING:
    from .deep import Deep

#: Entries of a product in the Gram matrix: 2^19 doubles are 4 MiB. It is read three times while it is in the cache.
ENTRIES = 2**19


@dataclass(frozen=True, eq=False)
class DeepTangent:
    """The outputs of a deep network on n samples and products with its Jacobian; made by :meth:`Deep.at`.

    Attributes
    ----------
    net : Deep
    theta : ndarray, shape (P,)
    X : ndarray, shape (n, d)
    memory : int or None
        Bytes of temporaries of a Gram matrix, 128 MiB or what the smallest piece needs if not given.
    kernel_scale : float
        1: J J^T itself has a limit as the widths grow, :func:`nntk_lib.limits.depth.deep_limit_ntk`.
    """

    net: Deep
    theta: Array = field(repr=False)
    X: Array = field(repr=False)
    memory: int | None = None

    kernel_scale = 1.0

    @property
    def trained(self) -> int:
        """Number of parameters that train."""
        return sum(W.size for l, W in enumerate(self.weights) if l not in self.net.frozen)

    @cached_property
    def weights(self) -> list[Array]:
        """W_0 .. W_L, views of theta."""
        return self.net.layers(self.theta, self.X.shape[1])

    @cached_property
    def f(self) -> Array:
        """Outputs, shape (n,) for one output, else (n, C)."""
        f = self.net.scale * (self.inputs[-1] @ self.weights[-1].T)
        if self.net.origin is not None:
            start = replace(self.net, origin=None).at(self.net.origin, self.X)
            f = f - start.f.reshape(f.shape)
        return f[:, 0] if self.net.outputs == 1 else f

    @cached_property
    def _pass(self) -> tuple[list[Array], list[Array]]:
        """The inputs A_0 .. A_L of the layers, and sqrt(a / m) sigma'(z) of the hidden ones."""
        inputs, slopes = [self.net.inputs(self.X)], []
        for W in self.weights[:-1]:
            for rows, row in zip((inputs, slopes), self._rows(inputs[-1], W, 1), strict=True):
                rows.append(row)
        return inputs, slopes

    def _rows(self, A: Array, W: Array, order: int) -> tuple[Array, ...]:
        """sqrt(a / m) times sigma and its derivatives at A W^T."""
        rows = self.net.act.rows(A @ W.T, order)
        for row in rows:
            row *= (self.net.constant / len(W)) ** 0.5
        return rows

    @property
    def inputs(self) -> list[Array]:
        """What every layer is fed with, a list of L + 1 arrays A_l of shape (n, fan-in), so that z_l = A_l W_l^T.

        The factors sqrt(a / m) are in it: with ``back`` it gives J, and the two factors of K-FAC are the means of
        A_l^T A_l and of Delta_l^T Delta_l.
        """
        return self._pass[0]

    @cached_property
    def back(self) -> list[Array | None]:
        """Derivatives of every output by the pre-activations, a list of L + 1 arrays of shape (C, n, fan-out).

        ``back[l][c, j]`` is df_c(x_j)/dz_l, omega included: the rows of J that belong to W_l are the outer products of
        ``back[l][c, j]`` and ``inputs[l][j]``. None for the layers below the first one that trains.
        """
        return [None if delta is None else delta.transpose(1, 0, 2) for delta in self._back]

    @cached_property
    def _back(self) -> list[Array | None]:
        """`back` with the samples in front, so that the outputs of one sample lie together as in `gram`."""
        n, C = len(self.X), self.net.outputs
        eye = self.net.scale * np.eye(C, dtype=self.inputs[-1].dtype)
        out: list[Array | None] = [None] * len(self.weights)
        for l, delta in self._pull(np.broadcast_to(eye, (n, C, C))):
            out[l] = delta
        return out

    def _pull(self, delta: Array) -> Iterator[tuple[int, Array]]:
        """Back-propagate the derivative by z_L of (n, ..., C) sums of outputs, down to the first layer that trains."""
        for l in range(len(self.weights) - 1, self._trains[0] - 1, -1):
            yield l, delta
            if l > self._trains[0]:
                W, slopes = self.weights[l], self._pass[1][l - 1]
                flat = (delta.reshape(-1, len(W)) @ W).reshape(*delta.shape[:-1], -1)
                delta = np.multiply(flat, slopes.reshape(len(slopes), *[1] * (flat.ndim - 2), -1), out=flat)

    @cached_property
    def _trains(self) -> list[int]:
        return [l for l in range(len(self.weights)) if l not in self.net.frozen]

    def gram(self) -> Array:
        """J J^T as a sum of Hadamard products over the layers that train; order j * C + c, computed once.

        Returns
        -------
        ndarray, shape (n C, n C)
            Symmetric to the last bit. Do not change it in place: it is kept.
        """
        return self._gram

    @cached_property
    def _gram(self) -> Array:
        return self._product(self)

    def cross(self, other: DeepTangent) -> Array:
        """J(self) J(other)^T, for another tangent of the same network at the same parameters.

        Returns
        -------
        ndarray, shape (self.f.size, other.f.size)

        Raises
        ------
        ParameterError
            If the networks or the parameters differ.
        """
        if not isinstance(other, DeepTangent) or other.net != self.net:
            raise ParameterError("cross takes a tangent of the same network. Try at.cross(at.net.at(at.theta, Xq)).")
        if not np.array_equal(other.theta, self.theta):
            raise ParameterError("The two tangents have different theta. Try at.cross(at.net.at(at.theta, Xq)).")
        return self.gram() if other is self else self._product(other)

    def _product(self, other: DeepTangent) -> Array:
        """J(self) J(other)^T in slabs of samples that fit the budget; symmetric if both are one."""
        q, n, C = len(self.X), len(other.X), self.net.outputs
        K = np.zeros((q * C, n * C), np.result_type(self.inputs[-1], other.inputs[-1], self.theta))
        need = n * (C * C + C + 1)  # a slab's product, and A A^T as it is and repeated, for one sample
        memory = budget(self.memory, K.itemsize * need)
        size = min(memory // (K.itemsize * need), max(1, ENTRIES // need))
        if size < 1:
            raise ParameterError(
                f"memory = {memory} bytes is too little: one row of the Gram matrix with {n} samples and {C} "
                f"outputs needs {K.itemsize * need} bytes of temporaries. Try memory={K.itemsize * need}."
            )
        for rows in pieces(q, size):
            columns = slice(rows.start if other is self else 0, n)
            slab = K[rows.start * C : rows.stop * C, columns.start * C :]
            self._add(other, rows, columns, slab)
            if other is self:
                here = slice(rows.start * C, rows.stop * C)
                K[here, here] = symmetric(K[here, here])
                K[here.stop :, here] = K[here, here.stop :].T
        return K

    def _add(self, other: DeepTangent, rows: slice, columns: slice, slab: Array) -> None:
        """Add the layers' Hadamard products for the samples `rows` of self and `columns` of other."""
        C = self.net.outputs
        for l in self._trains:
            A = self.inputs[l][rows] @ other.inputs[l][columns].T
            if l == len(self.net.widths):  # an output sees its own row of W_L only
                for c in range(C):
                    slab[c::C, c::C] += self.net.scale**2 * A
                continue
            slab += _hadamard(A, self._back[l][rows], other._back[l][columns])

    def vjp(self, a: ArrayLike) -> Array:
        """J^T a, of the shape of theta and 0 where frozen: by one back-propagation, or from that of the Gram matrix.

        Parameters
        ----------
        a : ndarray, of the shape of f
        """
        a = shaped_like("a", a, self.f, "the array of outputs f").reshape(len(self.X), -1)
        out = np.zeros(self.theta.shape, np.result_type(self.inputs[-1], self.theta, a))
        parts = self.net.layers(out, self.X.shape[1])
        if "_back" in self.__dict__:  # linear in a: no further way back through the layers
            signals = ((l, np.einsum("nc,nco->no", a, self._back[l])) for l in self._trains)
        else:
            signals = self._pull(self.net.scale * a)
        for l, delta in signals:
            if l not in self.net.frozen:
                np.matmul(delta.T, self.inputs[l], out=parts[l])
        return out

    def jvp(self, v: ArrayLike) -> Array:
        """J v by one forward pass, of the shape of f; entries of v that belong to frozen layers do not count.

        Parameters
        ----------
        v : ndarray, of the shape of theta
        """
        return (self.net.scale * self._along(self._directions("v", v))[0][-1]).reshape(self.f.shape)

    def second(self, v: ArrayLike, w: ArrayLike) -> Array:
        """D^2 f [v, w], the change of J v along w, of the shape of f: exact, by forward propagation.

        Parameters
        ----------
        v, w : ndarray, of the shape of theta
            As in :meth:`jvp`, frozen layers do not count.
        """
        V, Y = self._directions("v", v), self._directions("w", w)
        (zv, av), (zy, ay) = self._along(V), self._along(Y)
        A = np.zeros_like(self.inputs[0])  # the second derivative of a_l, as z is that of z_l
        for l, W in enumerate(self.weights):
            z = A @ W.T + av[l] @ Y[l].T + ay[l] @ V[l].T
            if l < len(self.net.widths):
                A = self._rows(self.inputs[l], W, 2)[2] * zv[l] * zy[l] + self._pass[1][l] * z
        return (self.net.scale * z).reshape(self.f.shape)

    def _directions(self, name: str, v: ArrayLike) -> list[Array]:
        """The layers of a checked direction, 0 where frozen."""
        v = shaped_like(name, v, self.theta, "theta")
        parts = self.net.layers(v, self.X.shape[1])
        return [np.zeros_like(V) if l in self.net.frozen else V for l, V in enumerate(parts)]

    def _along(self, V: list[Array]) -> tuple[list[Array], list[Array]]:
        """Derivatives of all z_l and all a_l along a direction."""
        z, a = [], [np.zeros_like(self.inputs[0])]
        for l, W in enumerate(self.weights):
            z.append(self.inputs[l] @ V[l].T + a[l] @ W.T)
            if l < len(self.net.widths):
                a.append(self._pass[1][l] * z[l])
        return z, a


def _hadamard(A: Array, D: Array, E: Array) -> Array:
    """(D E^T) o A for all pairs of outputs of all pairs of samples; D and E of shape (samples, C, width)."""
    product = D.reshape(-1, D.shape[-1]) @ E.reshape(-1, E.shape[-1]).T
    by_output = product.reshape(len(A), D.shape[1], -1)
    by_output *= np.repeat(A, E.shape[1], axis=1)[:, None]
    return product
