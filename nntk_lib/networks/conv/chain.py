r"""What a layer is, and how layers are put together.

A layer maps the samples x, of shape (n, h, w, c), to y, sample by sample. With theta its parameters it has

    forward(x, theta)           -> y, tape  the map, and what its derivatives
                                            need to know about x,
    push(dx, v, theta, tape)    -> dy       (dy/dx) dx + (dy/dtheta) v,
    pull(D, theta, tape)        -> E        (dy/dx)^T D,
    grad(D, tape)               -> g        (dy/dtheta)^T D,
                                            summed over the samples,
    gram(D, tape, form, memory) -> K        (dy/dtheta)^T D of every sample,
                                            and their inner products.

D holds q signals a sample and has shape (n, q, shape of one y): the rows of the unit matrix where the Jacobian is
wanted sample by sample (q outputs), or one weighted sum of them (q = 1) for J^T a. So no layer knows the loss, its
neighbours, or how many outputs there are. A :class:`Chain` of layers is a layer, and so is a chain with a way around
it, :class:`Skip`; both only hand things on, and back-propagation is one walk through them.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np

from ...exceptions import Array

Shape = tuple[int, ...]


class Layer:
    """What the layers have in common. As it stands: a linear map without parameters, which is its own derivative."""

    size, trains = 0, False

    def out(self, shape: Shape) -> Shape:
        """The shape of one y for one x of this shape; raises where the layer cannot take such an x."""
        return shape

    def leaves(self) -> Iterator[Layer]:
        """The layers within this one, in the order in which they act."""
        yield self

    def push(self, dx: Array, v: Array, theta: Array, tape: Any) -> Array:
        return self.forward(dx, theta)[0]

    def walk(self, D: Array, theta: Array, tape: Any) -> Generator[tuple[Layer, Array, Any], None, Array]:
        """Back-propagate D, stopping at every layer that trains: yields (layer, D, tape), and returns what leaves."""
        if self.trains:
            yield self, D, tape
        return self.pull(D, theta, tape)


@dataclass(frozen=True)
class Chain(Layer):
    """Layers one after the other."""

    layers: tuple[Layer, ...]

    def out(self, shape):
        for layer in self.layers:
            shape = layer.out(shape)
        return shape

    def leaves(self):
        for layer in self.layers:
            yield from layer.leaves()

    def forward(self, x, theta):
        tapes = []
        for layer in self.layers:
            x, tape = layer.forward(x, theta)
            tapes.append(tape)
        return x, tapes

    def push(self, dx, v, theta, tapes):
        for layer, tape in zip(self.layers, tapes, strict=True):
            dx = layer.push(dx, v, theta, tape)
        return dx

    def walk(self, D, theta, tapes):
        for layer, tape in zip(reversed(self.layers), reversed(tapes), strict=True):
            D = yield from layer.walk(D, theta, tape)
        return D


@dataclass(frozen=True)
class Skip(Layer):
    """A residual block, y = x + s branch(x)."""

    s: float
    branch: Layer

    def out(self, shape):
        return self.branch.out(shape)

    def leaves(self):
        return self.branch.leaves()

    def forward(self, x, theta):
        y, tape = self.branch.forward(x, theta)
        return x + self.s * y, tape

    def push(self, dx, v, theta, tape):
        return dx + self.s * self.branch.push(dx, v, theta, tape)

    def walk(self, D, theta, tape):
        E = yield from self.branch.walk(self.s * D, theta, tape)
        return D + E


@dataclass(frozen=True)
class Weighted(Layer):
    """A layer with parameters: theta[start : start + size], an array of shape `shape`."""

    start: int = field(default=0, kw_only=True)
    trains: bool = field(default=True, kw_only=True)

    @property
    def size(self) -> int:
        return prod(self.shape)

    @property
    def part(self) -> slice:
        """Where the parameters of the layer are in theta."""
        return slice(self.start, self.start + self.size)

    def weights(self, theta: Array) -> Array:
        """The parameters of the layer, a view of theta."""
        return theta[self.part].reshape(self.shape)

    def draw(self, rng: np.random.Generator) -> Array:
        """Initial parameters: standard normal."""
        return rng.standard_normal(self.shape)
