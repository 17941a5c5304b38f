r"""Residual convolutional networks on images, as a chain of layers.

With units u(x) = sqrt(a) sigma(a' norm(x) + b') of normalization and activation, and convolutions of 3 x 3 pixels,

    x_0  = conv(X),
    x   <- x + s conv(u(conv(u(x)))),    s = 1 / sqrt(number of blocks),
                                         block after block,
    x   <- conv(pool(x))                 from one stage to the next,
                                         with other channels,
    f    = W mean(u(x)) / sqrt(channels),

He et al. (2016), in the order of their identity mappings. All weights start standard normal and are divided by the root
of their fan-in, so that J J^T itself has a limit as the channels grow. Normalization is by groups of channels (Wu and
He 2018), or switched off: then it is s that keeps the signal of the order of 1 at any depth, as in Fixup (Zhang et al.
2019). Both keep an output a function of its own sample, which Cai et al. (2019) need; batch normalization does not.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from math import prod
from numbers import Integral
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ...exceptions import Array, ParameterError, ShapeError, flag, generator, integer
from ..activations import Activation, get_activation
from ..deep import second_moment
from .chain import Chain, Layer, Shape, Skip, Weighted
from .gram import chosen, gram_cost
from .layers import Act, Affine, Conv, Dense, Mean, Norm, Pool


class LayerCost(NamedTuple):
    """One layer in the plan of a Gram matrix: its sizes, the multiplications of both forms, the form that is taken."""

    layer: str
    places: int
    ins: int
    outs: int
    folded: int
    ghost: int
    form: str


@dataclass(frozen=True)
class Residual:
    """Specification of a residual convolutional network on images of shape (h, w, c).

    With channels (k_1, ..., k_S), B blocks a stage and C outputs it has ::

        P = 9 c k_1 + sum_i 18 B k_i^2 + sum_{i>1} 9 k_{i-1} k_i + k_S C
            (+ sum_i 4 B k_i + 2 k_S if affine)

    parameters, of any image size.

    Attributes
    ----------
    act : Activation or str
    channels : tuple of int
        Channels, stage by stage.
    blocks : int
        Residual blocks in every stage, of two convolutions each.
    outputs : int
        Number C of outputs.
    groups : int, None or "batch"
        Groups of channels that are normalized together; None for no normalization. "batch" is batch normalization: f,
        vjp and jvp are those of the whole batch, and there is no Gram matrix sample by sample.
    affine : bool
        Follow each normalization by a trained factor and shift for every channel.
    pool : int
        Side of the squares of pixels that are averaged between two stages.
    frozen : tuple of int
        Layers with parameters that do not train: indices into ``layers(theta, shape)``, 0 the first convolution. Steps
        keep the shape of theta.

    Raises
    ------
    ParameterError
        If a number of channels, blocks, outputs or groups is not a positive integer, the groups do not divide the
        channels, the activation is unknown, a frozen layer does not exist, or all layers are frozen.

    Examples
    --------
    >>> net = Residual("silu", channels=(8, 16), blocks=1, outputs=3)
    >>> theta = net.init(shape=(8, 8, 1), rng=0)
    >>> at = net.at(theta, np.ones((2, 8, 8, 1)))
    >>> theta.shape, at.f.shape, at.gram().shape
    ((7160,), (2, 3), (6, 6))
    """

    act: Activation | str = "silu"
    channels: tuple[int, ...] = (16,)
    blocks: int = 1
    outputs: int = 1
    groups: int | str | None = 4
    affine: bool = True
    pool: int = 2
    frozen: tuple[int, ...] = ()

    def __post_init__(self):
        put = lambda name, value: object.__setattr__(self, name, value)
        put("act", get_activation(self.act))
        for name, least, hint in (("channels", 1, "(16,)"), ("frozen", 0, "(0,)")):
            try:
                value = tuple(getattr(self, name))
            except TypeError:
                raise ParameterError(
                    f"{name} = {getattr(self, name)!r} must be a sequence of integers. Try {name}={hint}."
                ) from None
            put(name, tuple(integer(f"{name}[{i}]", k, least) for i, k in enumerate(value)))
        put("frozen", tuple(sorted(set(self.frozen))))
        for name in ("blocks", "outputs", "pool"):
            put(name, integer(name, getattr(self, name)))
        put("affine", flag("affine", self.affine))
        if not self.channels:
            raise ParameterError("channels = () has no stage. Try channels=(16,).")
        if self.groups is not None and not (isinstance(self.groups, str) and self.groups == "batch"):
            if not isinstance(self.groups, Integral):
                raise ParameterError(f"groups = {self.groups!r} must be a positive integer, None or 'batch'.")
            put("groups", integer("groups", self.groups))
            if bad := [k for k in self.channels if k % self.groups]:
                raise ParameterError(
                    f"{bad[0]} channels do not divide into groups = {self.groups}. Take groups that divide all of "
                    f"channels = {self.channels}, here {int(np.gcd.reduce(self.channels))} or one of its divisors."
                )
        count = len(self._weighted((1, 1, 1)))
        if self.frozen and self.frozen[-1] >= count:
            raise ParameterError(f"frozen names layer {self.frozen[-1]}, but the layers are 0 to {count - 1}.")
        if len(self.frozen) == count:
            raise ParameterError(f"frozen leaves no layer of 0 to {count - 1} to train. Leave one out.")

    def chain(self, shape: Shape) -> Chain:
        """The layers of the network for images of shape (h, w, c), each with its place in theta."""
        gain, end, count = 1 / second_moment(self.act), 0, 0

        def placed(layer: Weighted) -> Weighted:
            nonlocal end, count
            layer = replace(layer, start=end, trains=count not in self.frozen)
            end, count = end + layer.size, count + 1
            return layer

        def unit(k: int) -> list[Layer]:
            norm = [] if self.groups is None else [Norm(self.groups), *([placed(Affine(k))] if self.affine else [])]
            return [*norm, Act(self.act, gain)]

        def stage(k: int) -> list[Layer]:
            branch = lambda: Chain((*unit(k), placed(Conv(k, k)), *unit(k), placed(Conv(k, k))))
            return [Skip((self.blocks * len(self.channels)) ** -0.5, branch()) for _ in range(self.blocks)]

        first, last = self.channels[0], self.channels[-1]
        layers = [placed(Conv(shape[-1], first)), *stage(first)]
        for before, k in pairwise(self.channels):
            layers += [Pool(self.pool), placed(Conv(before, k)), *stage(k)]
        return Chain((*layers, *unit(last), Mean(), placed(Dense(last, self.outputs))))

    def _weighted(self, shape: Shape) -> list[Weighted]:
        """The layers with parameters, in the order of theta; whether the images fit is not asked."""
        return [layer for layer in self.chain(shape).leaves() if layer.size]

    def size(self, shape: Shape) -> int:
        """Number P of parameters for images of shape (h, w, c), frozen ones included."""
        return sum(layer.size for layer in self._weighted(shape))

    def layers(self, theta: Array, shape: Shape) -> list[Array]:
        """The parameters layer by layer, as views of theta.

        Returns
        -------
        list of ndarray
            A convolution has the shape (channels out, 9 channels in), with the 9 pixels row by row and the channels of
            a pixel together; an affine layer (2, channels); the last one, dense, (C, channels).

        Raises
        ------
        ShapeError
            If theta is not a vector of P entries.
        """
        weighted = self._weighted(shape)
        size = sum(layer.size for layer in weighted)
        if np.shape(theta) != (size,):
            raise ShapeError(
                f"theta has shape {np.shape(theta)}, but for images of shape {tuple(shape)} the network has ({size},) "
                f"parameters. Try net.init(shape={tuple(shape)}, rng=0)."
            )
        return [layer.weights(theta) for layer in weighted]

    def init(self, shape: Shape, rng: np.random.Generator | int) -> Array:
        """Random initial parameters: standard normal weights, factors 1 and shifts 0 after a normalization.

        Parameters
        ----------
        shape : tuple of int
            Height, width and channels (h, w, c) of an image.
        rng : Generator or int
            The same generator state or seed gives the same bytes.

        Returns
        -------
        ndarray, shape (P,)

        Raises
        ------
        ShapeError, ParameterError
            If the images cannot be pooled, or `shape` is not three positive integers.
        """
        rng = generator("rng", rng)
        self.check(shape)
        return np.concatenate([layer.draw(rng).ravel() for layer in self._weighted(shape)])

    def check(self, shape: Shape) -> Chain:
        """The chain of layers for images of this shape, after every layer has agreed to what it is given."""
        if np.shape(shape) != (3,):
            raise ShapeError(f"shape = {shape!r} must be the height, width and channels (h, w, c) of an image.")
        chain = self.chain(tuple(integer(f"shape[{i}]", k) for i, k in enumerate(shape)))
        chain.out(tuple(shape))
        return chain

    def plan(self, shape: Shape, n: int) -> list[LayerCost]:
        """What the Gram matrix of n images costs, layer by layer, as ``form="auto"`` computes it.

        Returns
        -------
        list of LayerCost
            Of the convolutions and the dense layer that train, in the order of theta. Affine layers are left out: their
            gradients have two numbers a channel, and are formed.

        Examples
        --------
        >>> net = Residual(channels=(64, 128), blocks=1, groups=None)
        >>> [row.form for row in net.plan((8, 8, 3), n=128)]
        ['folded', 'folded', 'folded', 'folded', 'folded', 'folded', 'ghost']
        """
        rows, shape = [], tuple(shape)
        for layer in self.check(shape).leaves():
            shape = layer.out(shape)
            if isinstance(layer, Dense) and layer.trains:
                sizes = prod(shape[:-1]), layer.fan_in, layer.outs
                counts = n, self.outputs, *sizes
                rows.append(LayerCost(type(layer).__name__, *sizes, *gram_cost(*counts), chosen(*counts)))
        return rows

    def at(self, theta: ArrayLike, X: ArrayLike, memory: int | None = None):
        """Outputs and tangent space at theta on the images X.

        Parameters
        ----------
        theta : ndarray, shape (P,)
        X : ndarray, shape (n, h, w, c)
        memory : int, optional
            Bytes of temporaries (128 MiB if not given), see :class:`ResidualTangent`; results change by rounding only.

        Returns
        -------
        ResidualTangent

        Raises
        ------
        ShapeError, NonFiniteError, ParameterError
        """
        from .tangent import ResidualTangent  # which imports this module

        return ResidualTangent(self, theta, X, memory)
