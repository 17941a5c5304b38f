r"""The tangent of a residual convolutional network: J J^T, J^T a and J v, layer by layer, without J.

    J J^T = sum over the layers that train of their Gram matrices,

with the q = C unit signals of every sample pulled back through the network once; J^T a pulls one signal a sample, its
weighted outputs, and J v pushes one change forward. J would have n C P numbers; where the folded form of :mod:`.gram`
needs the columns of a layer, they are there for a few channels at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from math import prod

import numpy as np
from numpy.typing import ArrayLike

from ...exceptions import Array, ParameterError, ShapeError, finite_array, integer, one_of, real_array, shaped_like
from ...linalg.caching import cached_property
from ...linalg.streaming import budget, pieces
from .chain import Layer
from .gram import FORMS
from .spec import Residual


class ResidualTangent:
    """The outputs of a residual network on n images and products with its Jacobian; made by :meth:`Residual.at`.

    Attributes
    ----------
    net : Residual
    theta : ndarray, shape (P,)
    X : ndarray, shape (n, h, w, c)
    chain : Chain
        The layers, for images of this shape.
    memory : int or None
        Bytes of temporaries, 128 MiB or what the smallest piece needs if not given. f, vjp and jvp take as many images
        at a time as fit with what all layers remember of them, and keep that if all fit. A Gram matrix needs the
        signals of all images, and the budget is for what it forms of the layers' gradients. Not in it: what all layers
        remember of the batch (its activations), a few copies of the signals at one layer (C times its activations
        each), two matrices of the size of the result, and what a convolution sees of one image, or of several up to 1
        MiB. Batch normalization needs all images at once.
    kernel_scale : float
        1: J J^T itself has a limit as the channels grow.
    """

    kernel_scale = 1.0

    def __init__(self, net: Residual, theta: ArrayLike, X: ArrayLike, memory: int | None = None):
        X = real_array("X", X)
        if X.ndim == 3:
            raise ShapeError(f"X must have 4 axes (n, h, w, c), got shape {X.shape}. For one channel: X[..., None].")
        self.net, self.X, self.theta = net, finite_array("X", X, 4), finite_array("theta", theta, 1)
        shape = self.X.shape[1:]
        self.chain = net.check(shape)
        net.layers(self.theta, shape)
        self.memory = memory if memory is None else integer("memory", memory)
        self._grams: dict[str, Array] = {}

    def __repr__(self) -> str:
        n, h, w, c = self.X.shape
        return f"{type(self).__name__}({n} images of {h} x {w} x {c}, {self.theta.size} parameters)"

    @cached_property
    def _trained(self) -> list[Layer]:
        return [layer for layer in self.chain.leaves() if layer.trains]

    @property
    def trained(self) -> int:
        """Number of parameters that train."""
        return sum(layer.size for layer in self._trained)

    @property
    def _shape(self) -> tuple[int, ...]:
        return self.X.shape[:1] if self.net.outputs == 1 else (len(self.X), self.net.outputs)

    @cached_property
    def _samples(self) -> int:
        """Number of images taken at a time: a layer remembers at most an array of the size of its input."""
        if self.net.groups == "batch":
            return len(self.X)
        shape, floats = self.X.shape[1:], 0
        for layer in self.chain.leaves():
            floats, shape = floats + prod(shape), layer.out(shape)
        bytes_needed = floats * np.result_type(self.theta, self.X).itemsize
        memory = budget(self.memory, bytes_needed)
        if memory < bytes_needed:
            raise ParameterError(
                f"memory = {memory} bytes is too little: the activations of one image need {bytes_needed} bytes. "
                f"Try memory={bytes_needed}."
            )
        return min(len(self.X), memory // bytes_needed)

    @cached_property
    def _batch(self) -> tuple[Array, list]:
        return self._forward(slice(None))

    def _passes(self, work: Callable[[slice, Array, list], Array | None]) -> list:
        """work(part, outputs, tape) for some images at a time, whose outputs and tape are kept if these are all."""
        if self._samples == len(self.X):
            return [work(slice(None), *self._batch)]
        return [work(part, *self._forward(part)) for part in pieces(len(self.X), self._samples)]

    def _forward(self, part: slice) -> tuple[Array, list]:
        return self.chain.forward(self.X[part], self.theta)

    def _walk(self, D: Array, tape: list) -> Iterator[tuple[Layer, Array, list]]:
        """Back to the first layer that trains, and not beyond it."""
        return islice(self.chain.walk(D, self.theta, tape), len(self._trained))

    @cached_property
    def f(self) -> Array:
        """Outputs, shape (n,) for one output, else (n, C)."""
        return np.concatenate(self._passes(lambda part, y, tape: y)).reshape(self._shape)

    def gram(self, form: str = "auto") -> Array:
        """J J^T, of order f.size with the outputs of a sample together; computed once.

        Parameters
        ----------
        form : {"auto", "folded", "ghost"}
            How the weights of a layer come in; "auto" takes the smaller number of multiplications, layer by layer
            (:func:`gram_cost`). The results differ by rounding.

        Returns
        -------
        ndarray, shape (n C, n C)
            Symmetric to the last bit. Do not change it in place: it is kept.

        Raises
        ------
        ParameterError
            If the budget is too small, the form is unknown, or the network has batch normalization.
        """
        if self.net.groups == "batch":
            raise ParameterError(
                "With batch normalization an output depends on all samples of the batch, and J has no rows of single "
                "samples. Use groups=4, or groups=None. (jacobian(net, theta, X) gives J, by one vjp for every output.)"
            )
        one_of("form", form, FORMS)
        if form not in self._grams:
            self._grams[form] = self.signal_gram(form)
        return self._grams[form]

    def signal_gram(self, form: str = "auto") -> Array:
        """The sum over the layers of inner products of what back-propagation has for two samples, input and signal.

        It is J J^T, except with batch normalization: there a signal of one sample has derivatives of all outputs, and
        this is the Gram matrix of no Jacobian, which :meth:`gram` refuses.

        Parameters
        ----------
        form : {"auto", "folded", "ghost"}

        Returns
        -------
        ndarray, shape (n C, n C)

        Raises
        ------
        ParameterError
            If the budget is too small, or the form is unknown.
        """
        one_of("form", form, FORMS)
        n, C = len(self.X), self.net.outputs
        y, tape = self._batch if self._samples == n else self._forward(slice(None))
        K = np.zeros((n * C, n * C), y.dtype)
        for layer, D, x in self._walk(np.broadcast_to(np.eye(C, dtype=y.dtype), (n, C, C)), tape):
            K += layer.gram(D, x, form, self.memory)
        return K

    def vjp(self, a: ArrayLike) -> Array:
        """J^T a by one back-propagation, of the shape of theta and 0 where frozen.

        Parameters
        ----------
        a : ndarray, of the shape of f
        """
        a = shaped_like("a", a, np.empty(self._shape), "the array of outputs f").reshape(len(self.X), 1, -1)
        g = np.zeros(self.theta.shape, np.result_type(self.X, self.theta, a))

        def add(part: slice, y: Array, tape: list) -> None:
            for layer, D, x in self._walk(a[part], tape):
                g[layer.part] += layer.grad(D, x).ravel()

        self._passes(add)
        return g

    def jvp(self, v: ArrayLike) -> Array:
        """J v by one forward pass, of the shape of f; entries of v that belong to frozen layers do not count.

        Parameters
        ----------
        v : ndarray, of the shape of theta
        """
        given = shaped_like("v", v, self.theta, "theta")
        v = np.zeros_like(given)
        for layer in self._trained:
            v[layer.part] = given[layer.part]

        def along(part: slice, y: Array, tape: list) -> Array:
            return self.chain.push(np.zeros_like(self.X[part]), v, self.theta, tape)

        return np.concatenate(self._passes(along)).reshape(self._shape)
