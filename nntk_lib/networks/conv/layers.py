r"""The layers of a convolutional network, a page of code each: the map, its derivative, its transpose, its Gram matrix.

What their methods mean is said in :mod:`.chain`. Signals D have one axis more than the samples x: (n, q, h, w, c).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from ...exceptions import Array, ParameterError, ShapeError
from ...linalg.streaming import ENTRIES, pieces
from ..activations import Activation
from .chain import Layer, Shape, Weighted
from .gram import product_gram

#: Added to the variance of a group, as in Wu and He (2018), so that a constant image has a normalized one: zero.
VARIANCE_FLOOR = 1e-5


@dataclass(frozen=True)
class Dense(Weighted):
    """y = W u / sqrt(fan-in) at every place, u being what the place sees of x; a dense layer sees x from one place."""

    ins: int
    outs: int

    @property
    def fan_in(self) -> int:
        return self.ins

    @property
    def shape(self) -> Shape:
        return self.outs, self.fan_in

    def out(self, shape):
        return *shape[:-1], self.outs

    def unfold(self, x: Array) -> Array:
        """What every place sees, shape (n, places, fan-in)."""
        return x[:, None]

    def apply(self, x: Array, W: Array) -> Array:
        """W u / sqrt(fan-in), a few samples at a time: what the places see is larger than x."""
        y = np.empty((len(x), *x.shape[1:-1], len(W)), np.result_type(x, W))
        for part in pieces(len(x), max(1, ENTRIES // (prod(x.shape[1:-1]) * W.shape[1]))):
            y[part] = (self.unfold(x[part]) @ W.T).reshape(y[part].shape)
        y *= self.fan_in**-0.5
        return y

    def forward(self, x, theta):
        return self.apply(x, self.weights(theta)), x

    def push(self, dx, v, theta, x):
        return self.apply(dx, self.weights(theta)) + self.apply(x, self.weights(v))

    def pull(self, D, theta, x):
        return D @ self.weights(theta) * self.fan_in**-0.5

    def grad(self, D, x):
        g, D = np.zeros(self.shape, np.result_type(D, x)), D.reshape(len(x), -1, self.outs)
        for part in pieces(len(x), max(1, ENTRIES // (D.shape[1] * self.fan_in))):
            g += D[part].reshape(-1, self.outs).T @ self.unfold(x[part]).reshape(-1, self.fan_in)
        return g * self.fan_in**-0.5

    def gram(self, D, x, form, memory):
        D = D.reshape(*D.shape[:2], -1, self.outs)
        return product_gram(x, D, self.unfold, self.fan_in, form, memory) / self.fan_in


@dataclass(frozen=True)
class Conv(Dense):
    """A 3 x 3 convolution with zeros around the image: a place sees the 9 pixels around it, in all channels."""

    @property
    def fan_in(self) -> int:
        return 9 * self.ins

    def unfold(self, x):
        n, h, w, c = x.shape
        framed = np.zeros((n, h + 2, w + 2, c), x.dtype)
        framed[:, 1:-1, 1:-1] = x
        windows = np.lib.stride_tricks.sliding_window_view(framed, (3, 3), axis=(1, 2))
        return windows.transpose(0, 1, 2, 4, 5, 3).reshape(n, h * w, 9 * c)

    def pull(self, D, theta, x):
        """The same convolution, of the signals, with the kernel turned by half a turn and ins and outs exchanged."""
        W = self.weights(theta).reshape(self.outs, 3, 3, self.ins)
        turned = W[:, ::-1, ::-1].transpose(3, 1, 2, 0).reshape(self.ins, 9 * self.outs)
        flat = D.reshape(-1, *D.shape[2:])
        return self.apply(flat, turned).reshape(*D.shape[:-1], self.ins)


@dataclass(frozen=True)
class Act(Layer):
    """y = sqrt(a) sigma(x), entry by entry; a = 1 / E[sigma(z)^2] keeps the mean square at 1."""

    act: Activation
    gain: float

    def forward(self, x, theta):
        y, slope = self.act.rows(x, 1)
        y *= self.gain**0.5
        slope *= self.gain**0.5
        return y, slope

    def push(self, dx, v, theta, slope):
        return slope * dx

    def pull(self, D, theta, slope):
        return slope[:, None] * D


@dataclass(frozen=True)
class Norm(Layer):
    """y = (x - mean) / sqrt(variance + floor), over the places and the channels of a group: Wu and He (2018) (1).

    The derivative dy = (dx - mean(dx) - y mean(y dx)) / sqrt(variance + floor) is symmetric: push and pull are one
    formula. With ``groups="batch"`` the means are those of a channel, over the samples too: Ioffe and Szegedy (2015).
    Then pull is right for one signal, the weighted sum over the batch, and wrong for signals of single samples, which
    get mixed.
    """

    groups: int | str

    def out(self, shape):
        if self.groups != "batch" and prod(shape) <= self.groups:
            raise ParameterError(
                f"groups = {self.groups} leaves one number in a group, in images of {shape[0]} x {shape[1]} pixels "
                f"with {shape[2]} channels: its normalized value is always 0. Use fewer groups, or pool less."
            )
        return shape

    def split(self, x: Array) -> Array:
        """The array with axes (samples, signals, places, channels)."""
        return x.reshape(len(x), -1, prod(x.shape[-3:-1]), x.shape[-1])

    def mean(self, x: Array) -> Array:
        """The mean over the places and over the group, for every channel of the group."""
        x = x.mean(2, keepdims=True)
        if self.groups == "batch":
            return x.mean(0, keepdims=True)
        groups = x.reshape(*x.shape[:-1], self.groups, -1)
        return np.broadcast_to(groups.mean(-1, keepdims=True), groups.shape).reshape(x.shape)

    def forward(self, x, theta):
        y = self.split(x)
        y = y - self.mean(y)
        factor = (self.mean(y * y) + VARIANCE_FLOOR) ** -0.5
        y *= factor
        return y.reshape(x.shape), (y, factor)

    def derivative(self, dx: Array, tape: tuple[Array, Array]) -> Array:
        (y, factor), d = tape, self.split(dx)
        d = d - self.mean(d)
        d -= y * self.mean(y * d)
        d *= factor
        return d.reshape(dx.shape)

    def push(self, dx, v, theta, tape):
        return self.derivative(dx, tape)

    def pull(self, D, theta, tape):
        return self.derivative(D, tape)


@dataclass(frozen=True)
class Affine(Weighted):
    """y = a x + b with two numbers a, b a channel, which start at 1 and 0: what follows a normalization."""

    channels: int

    @property
    def shape(self) -> Shape:
        return 2, self.channels

    def draw(self, rng):
        return np.stack([np.ones(self.channels), np.zeros(self.channels)])

    def forward(self, x, theta):
        a, b = self.weights(theta)
        return a * x + b, x

    def push(self, dx, v, theta, x):
        (a, _), (da, db) = self.weights(theta), self.weights(v)
        return a * dx + (da * x + db)

    def pull(self, D, theta, x):
        return self.weights(theta)[0] * D

    def rows(self, D: Array, x: Array) -> Array:
        """The gradient of every signal, shape (n, q, 2, channels)."""
        return np.stack([np.einsum("nqhwc,nhwc->nqc", D, x), D.sum((2, 3))], axis=2)

    def grad(self, D, x):
        return self.rows(D, x).sum((0, 1))

    def gram(self, D, x, form, memory):
        G = self.rows(D, x).reshape(-1, self.size)
        return G @ G.T


@dataclass(frozen=True)
class Pool(Layer):
    """Means over squares of k x k pixels."""

    k: int

    def out(self, shape):
        h, w, c = shape
        if h % self.k or w % self.k:
            raise ShapeError(
                f"Images of {h} x {w} pixels do not divide into squares of {self.k} x {self.k}. Crop or pad X so that "
                f"its height and width are multiples of {self.k} before every pooling, or use another pool."
            )
        return h // self.k, w // self.k, c

    def forward(self, x, theta):
        n, h, w, c = x.shape
        return x.reshape(n, h // self.k, self.k, w // self.k, self.k, c).mean((2, 4)), None

    def pull(self, D, theta, tape):
        return D.repeat(self.k, axis=2).repeat(self.k, axis=3) / self.k**2


@dataclass(frozen=True)
class Mean(Layer):
    """The mean over the image, channel by channel: (n, h, w, c) to (n, c)."""

    def out(self, shape):
        return shape[-1:]

    def forward(self, x, theta):
        return x.mean((1, 2)), x.shape[1:3]

    def pull(self, D, theta, size):
        h, w = size
        return np.broadcast_to(D[:, :, None, None] / (h * w), (*D.shape[:2], h, w, D.shape[-1]))
