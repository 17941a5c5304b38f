r"""Fully connected networks of any depth.

    a_0     = u(x),
    a_{l+1} = sqrt(a / m_{l+1}) sigma(z_l),  z_l = W_l a_l,  for l = 0 .. L - 1,
    f       = omega W_L a_L,

with L hidden layers of widths m_1 .. m_L, standard normal initial weights, and the *gain* a = 1 / E[sigma(z)^2], z
standard normal, which keeps the mean square of sigma at 1 from layer to layer. u(x) is the sample, with the constant 1
appended by ``bias=True``, and divided by the root of its number of coordinates by ``normalize_inputs=True``. The
papers' forms are cases of it, because 1 / sqrt(fan-in) may stand before or after the activation:

* Cayci (2024) (1) and Du et al. (2019): a_{l+1} = sqrt(a / m) sigma(W a_l), a_0 = x on the unit sphere, output c^T a_L
  times a factor that the paper calls alpha, here omega: ``bias=False, normalize_inputs=False, scale=omega``.
* The tangent-kernel parameterization x -> sqrt(a) sigma(W x / sqrt(fan-in)) in every layer, with the output
  W x / sqrt(fan-in): the defaults (``gain=1`` for plain sigma).

The tangent of such a network is in :mod:`nntk_lib.networks.deep_tangent`, its limit in :mod:`nntk_lib.limits.depth`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike

from ..exceptions import Array, ParameterError, ShapeError, finite_array, flag, generator, integer, one_of, positive
from ..linalg.caching import cached_property
from .activations import Activation, get_activation
from .deep_tangent import DeepTangent


def second_moment(act: Activation) -> float:
    """E[sigma(z)^2] for a standard normal z, by the trapezoidal rule.

    With sigma analytic in a strip of half-width s the error is of the size exp(-2 pi s / h + s^2 / 2) for the step h:
    below 1e-16 here. For ReLU the rule is exact too, by symmetry. Other activations with strip 0 get h = 1/64 and an
    error of the order of h^2.

    Examples
    --------
    >>> from nntk_lib.networks.activations import relu, tanh
    >>> round(second_moment(relu), 12), round(1 / second_moment(tanh), 3)
    (0.5, 2.536)
    """
    h = min(1 / 8, 2 * np.pi * act.strip / (40 + act.strip**2 / 2)) or 1 / 64
    z = h * np.arange(-int(12 / h), int(12 / h) + 1)
    return float(h / np.sqrt(2 * np.pi) * (act.f(z) ** 2 @ np.exp(-z * z / 2)))


@dataclass(frozen=True)
class Deep:
    """Specification of a fully connected network with any number of hidden layers.

    Attributes
    ----------
    act : Activation or str
    widths : tuple of int
        Hidden units, layer by layer. The empty tuple is the linear model f = omega W u(x).
    outputs : int
        Number C of outputs.
    bias : bool
        Append the constant 1 to every input. Hidden layers have no bias.
    frozen : tuple of int
        Layers that do not train: 0 is the first one, ``len(widths)`` the output layer. Steps keep the shape of theta.
    scale : float
        The output multiplier omega (Cayci's alpha).
    gain : float or "unit"
        The constant a; "unit" is 1 / E[sigma(z)^2].
    normalize_inputs : bool
        Divide the samples (with the constant 1) by the root of their number of coordinates. False is for samples on
        the unit sphere, as in Du et al. (2019) and Cayci (2024).
    origin : ndarray, optional
        Set by :meth:`centred`: parameters whose outputs are subtracted. It changes f and no derivative, and is left out
        when two specifications are compared.

    Raises
    ------
    ParameterError
        If a width or the number of outputs is not a positive integer, a frozen layer does not exist, all layers are
        frozen, or scale or gain are not positive and finite.

    Examples
    --------
    >>> net = Deep("tanh", widths=(32, 16), outputs=3)
    >>> theta = net.init(d=2, rng=0)
    >>> at = net.at(theta, [[0.0, 1.0], [0.5, 0.5]])
    >>> theta.shape, at.f.shape, at.gram().shape
    ((656,), (2, 3), (6, 6))
    """

    act: Activation | str = "tanh"
    widths: tuple[int, ...] = (64, 64)
    outputs: int = 1
    bias: bool = True
    frozen: tuple[int, ...] = ()
    scale: float = 1.0
    gain: float | str = "unit"
    normalize_inputs: bool = True
    origin: Array | None = field(default=None, repr=False, compare=False)

    def __post_init__(self):
        put = lambda name, value: object.__setattr__(self, name, value)
        put("act", get_activation(self.act))
        for name, hint in (("widths", "(64, 64)"), ("frozen", "(0,)")):
            try:
                put(name, tuple(getattr(self, name)))
            except TypeError:
                raise ParameterError(
                    f"{name} = {getattr(self, name)!r} must be a sequence of integers. Try {name}={hint}."
                ) from None
        put("widths", tuple(integer(f"widths[{l}]", m) for l, m in enumerate(self.widths)))
        put("frozen", tuple(sorted({integer(f"frozen[{k}]", l, 0) for k, l in enumerate(self.frozen)})))
        put("outputs", integer("outputs", self.outputs))
        put("scale", positive("scale", self.scale))
        for name in ("bias", "normalize_inputs"):
            put(name, flag(name, getattr(self, name)))
        depth = len(self.widths)
        if self.frozen and self.frozen[-1] > depth:
            raise ParameterError(
                f"frozen names layer {self.frozen[-1]}, but the layers are 0 to {depth}; the output layer is {depth}."
            )
        if len(self.frozen) > depth:
            raise ParameterError(f"frozen = {self.frozen} leaves no layer of 0 to {depth} to train. Leave one out.")
        if isinstance(self.gain, str):
            if self.gain != "unit":
                raise ParameterError(f"gain = {self.gain!r} is unknown. Use 'unit' or a positive number.")
        else:
            put("gain", positive("gain", self.gain))

    @cached_property
    def constant(self) -> float:
        """The number a: the gain, or 1 / E[sigma(z)^2] for "unit"."""
        return 1 / second_moment(self.act) if self.gain == "unit" else self.gain

    def shapes(self, d: int) -> list[tuple[int, int]]:
        """Shapes (fan-out, fan-in) of the weights W_0 .. W_L for samples with d inputs."""
        sizes = (integer("d", d) + self.bias, *self.widths, self.outputs)
        return list(zip(sizes[1:], sizes[:-1], strict=True))

    def size(self, d: int) -> int:
        """Number P of parameters for samples with d inputs, frozen ones included."""
        return sum(rows * columns for rows, columns in self.shapes(d))

    def layers(self, theta: Array, d: int) -> list[Array]:
        """The weights W_0 .. W_L as views of a vector of P parameters; raises `ShapeError` for another length."""
        if theta.shape != (self.size(d),):
            hidden = self.size(1) - self.shapes(1)[0][0] * (1 + self.bias)  # what does not depend on d
            fits, rest = divmod(theta.size - hidden, self.shapes(1)[0][0])
            made = f"; it is made for samples with {fits - self.bias} inputs" if fits > self.bias and not rest else ""
            raise ShapeError(
                f"theta has shape {theta.shape}{made}. For samples with {d} inputs the network has ({self.size(d)},) "
                f"parameters, layers of {self.shapes(d)}. Try net.init(d={d}, rng=0)."
            )
        out, start = [], 0
        for shape in self.shapes(d):
            stop = start + shape[0] * shape[1]
            out.append(theta[start:stop].reshape(shape))
            start = stop
        return out

    def init(self, d: int, rng: np.random.Generator | int, head: str = "normal") -> Array:
        """Random initial parameters: independent standard normal weights.

        Parameters
        ----------
        d : int
            Inputs, without the bias coordinate.
        rng : Generator or int
            The same generator state or seed gives the same bytes.
        head : {"normal", "signs"}
            Law of the output layer: "signs" are 1 or -1 with equal probability, Cayci (2024) (2).

        Returns
        -------
        ndarray, shape (P,)

        Raises
        ------
        ParameterError
            If d is not a positive integer, or the law is unknown.
        """
        one_of("head", head, ("normal", "signs"))
        theta = generator("rng", rng).standard_normal(self.size(d))
        if head == "signs":
            last = self.layers(theta, d)[-1]
            np.copysign(1.0, last, out=last)
        return theta

    def centred(self, theta: ArrayLike) -> Deep:
        """The same network with the outputs f(x; .) - f(x; theta), which are 0 at theta: Cayci (2024), Section 2.1.

        Pairs of last hidden units with the same input weights and opposite output weights would start at 0 as well, but
        then no derivative reaches the layers below.

        Examples
        --------
        >>> net = Deep("tanh", widths=(8, 8))
        >>> theta = net.init(d=1, rng=0)
        >>> net.centred(theta).at(theta, [[0.3]]).f
        array([0.])
        """
        return replace(self, origin=finite_array("theta", theta, 1).copy())

    def inputs(self, X: ArrayLike) -> Array:
        """u(x): the samples as the first layer sees them, shape (n, d + bias)."""
        X = finite_array("X", X, 2)
        U = np.column_stack([X, np.ones(len(X), X.dtype)]) if self.bias else X
        return U / np.sqrt(U.shape[1], dtype=U.dtype) if self.normalize_inputs else U

    def at(self, theta: ArrayLike, X: ArrayLike, memory: int | None = None) -> DeepTangent:
        """The tangent at theta on the samples X, which are checked here.

        Parameters
        ----------
        theta : ndarray, shape (P,)
        X : ndarray, shape (n, d)
        memory : int, optional
            Bytes of temporaries of a Gram matrix (128 MiB if not given); the result changes by rounding only.

        Raises
        ------
        ShapeError, NonFiniteError, ParameterError
        """
        X, theta = finite_array("X", X, 2), finite_array("theta", theta, 1)
        self.layers(theta, X.shape[1])
        return DeepTangent(self, theta, X, memory if memory is None else integer("memory", memory))
