r"""The rivals: momentum, Adam and K-FAC.

They move in parameter space at raw learning rates (no kernel scale), as everybody's code does. Their memory is the
state of the last step. With g_k = grad L(theta_k), momentum mu and rate eta,

    Momentum    v_k   = mu v_{k-1} + g_k,
                delta = -eta v_k,  or  -eta (g_k + mu v_k) in Nesterov's form,
    Adam        delta = -eta (m_k / (1 - b1^k))
                        / ((v_k / (1 - b2^k))^{1/2} + eps),

with m_k = b1 m_{k-1} + (1 - b1) g_k and v_k = b2 v_{k-1} + (1 - b2) g_k^2 (Kingma and Ba 2015).

K-FAC (Martens and Grosse 2015) replaces the block of J^T H J that belongs to the weights W of a layer by a Kronecker
product. A layer with inputs a_j and back-propagated outputs D_j, one column for an output c, has the block

    sum_j (D_j H_j D_j^T) (x) (a_j a_j^T)  ~  S (x) A,
    S = sum_j D_j H_j D_j^T,       A = (1/n) sum_j a_j a_j^T,

which is exact if the two factors do not vary together from sample to sample. The inverse of a Kronecker product is the
product of the inverses, and a damping that is to leave it one is shared between the factors, Section 6.3:

    delta_W = -(S + lambda^{1/2} / pi I)^{-1} (grad_W L)
               (A + pi lambda^{1/2} I)^{-1},
    pi^2    = (tr A / dim A) / (tr S / dim S).

S uses the exact Hessian of the loss and all outputs, where other codes draw labels: the step is deterministic.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from ..exceptions import Array, ParameterError, ShapeError, SingularSystemError, flag, positive
from ..linalg.streaming import one_blas_thread
from ..losses import Loss
from ..networks.base import Tangent
from .base import Step, finite_step, require_problem
from .gauss_newton import solve_definite


def share(name: str, value: float) -> float:
    """A factor of a running mean, in [0, 1)."""
    value = positive(name, value, allow_zero=True)
    if value >= 1:
        raise ParameterError(f"{name} = {value:g} must lie in [0, 1); the usual values are 0.9 to 0.999.")
    return value


def memory(method, at: Tangent, previous: Step | None, kind: type):
    """The state that the last step of the same method left, or None at the first step of a run."""
    if previous is None or previous.name != method.name:
        return None
    if not isinstance(previous.state, kind):
        raise ParameterError(
            f"The last {method.name} step has lost its state. Hand on as `previous` the step as it was returned."
        )
    if previous.state.shape != at.theta.shape:
        raise ShapeError(
            f"The last step was made for parameters of shape {previous.state.shape}, theta has {at.theta.shape}. "
            "Start a new run with previous=None."
        )
    return previous.state


@dataclass(frozen=True, eq=False)
class Moments:
    """What momentum and Adam remember: the number of steps, the running mean of gradients, and of their squares.

    Attributes
    ----------
    count : int
    first : ndarray of the shape of theta
    second : ndarray of the shape of theta, or None
    """

    count: int
    first: Array = field(repr=False)
    second: Array | None = field(default=None, repr=False)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of theta."""
        return self.first.shape


@dataclass(frozen=True)
class Momentum:
    """Gradient steps with momentum; with batches the usual stochastic gradient descent.

    Attributes
    ----------
    rate : float
        Raw learning rate, multiplied by the step size alpha of ``train``.
    momentum : float
        In [0, 1); 0 is the plain gradient step.
    nesterov : bool
        Nesterov's form, in the variables of the common implementations.
    """

    rate: float = 1.0
    momentum: float = 0.9
    nesterov: bool = False
    name: str = "momentum"

    def __post_init__(self):
        object.__setattr__(self, "rate", positive("rate", self.rate))
        object.__setattr__(self, "momentum", share("momentum", self.momentum))
        object.__setattr__(self, "nesterov", flag("nesterov", self.nesterov))

    def __call__(self, at: Tangent, loss: Loss, y: ArrayLike, previous: Step | None = None) -> Step:
        """The step; it need not be a direction of descent."""
        require_problem(at, loss)
        last, g = memory(self, at, previous, Moments), at.vjp(loss.gradient(at.f, y))
        v = g if last is None else self.momentum * last.first + g
        delta = -self.rate * (g + self.momentum * v if self.nesterov else v)
        state = Moments(1 + (last.count if last else 0), v)
        return finite_step(Step(self.name, delta, float(np.vdot(g, delta)), state=state))


@dataclass(frozen=True)
class Adam:
    """Adam with bias correction.

    Attributes
    ----------
    rate : float
        Raw learning rate, multiplied by the step size alpha of ``train``.
    b1, b2 : float
        Factors of the running means of the gradient and of its square, in [0, 1).
    eps : float
        Added to the root of the mean square.
    """

    rate: float = 1e-3
    b1: float = 0.9
    b2: float = 0.999
    eps: float = 1e-8
    name: str = "adam"

    def __post_init__(self):
        for name, check in (("rate", positive), ("b1", share), ("b2", share), ("eps", positive)):
            object.__setattr__(self, name, check(name, getattr(self, name)))

    def __call__(self, at: Tangent, loss: Loss, y: ArrayLike, previous: Step | None = None) -> Step:
        """The step; it need not be a direction of descent. Where the gradient has always been 0, so is the step."""
        require_problem(at, loss)
        last, g = memory(self, at, previous, Moments), at.vjp(loss.gradient(at.f, y))
        last = last or Moments(0, np.zeros_like(g), np.zeros_like(g))
        k = last.count + 1
        m, v = self.b1 * last.first + (1 - self.b1) * g, self.b2 * last.second + (1 - self.b2) * g * g
        delta = -self.rate * (m / (1 - self.b1**k)) / (np.sqrt(v / (1 - self.b2**k)) + self.eps)
        return finite_step(Step(self.name, delta, float(np.vdot(g, delta)), state=Moments(k, m, v)))


@dataclass(frozen=True, eq=False)
class Factors:
    """What K-FAC remembers: the number of steps, the running means of A and S for every layer, and the velocity.

    Attributes
    ----------
    count : int
    inputs, outputs : list of ndarray
        A of shape (fan_in, fan_in) and S of shape (fan_out, fan_out), for the layers that train.
    velocity : ndarray of the shape of theta
    """

    count: int
    inputs: list[Array] = field(repr=False)
    outputs: list[Array] = field(repr=False)
    velocity: Array = field(repr=False)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of theta."""
        return self.velocity.shape


@dataclass(frozen=True)
class KFAC:
    """K-FAC for the fully connected layers of a :class:`~nntk_lib.networks.deep.Deep` network.

    Attributes
    ----------
    damping : float
        lambda above, in parameter space, shared between the factors.
    rate : float
        Raw learning rate, multiplied by the step size alpha of ``train``.
    momentum : float
        In [0, 1): delta_k = momentum delta_{k-1} + the step above.
    decay : float
        Factor of the running means of A and S after step k, min(1 - 1/k, decay); 0 forgets all but the present batch.

    Raises
    ------
    ParameterError
        If the network has no inputs and back-propagated outputs of dense layers.
    SingularSystemError
        If a layer is cut off from the outputs, as under an output layer of zeros.
    """

    damping: float = 1e-2
    rate: float = 1.0
    momentum: float = 0.0
    decay: float = 0.95
    name: str = "kfac"

    def __post_init__(self):
        for name, check in (("damping", positive), ("rate", positive), ("momentum", share), ("decay", share)):
            object.__setattr__(self, name, check(name, getattr(self, name)))

    def __call__(self, at: Tangent, loss: Loss, y: ArrayLike, previous: Step | None = None) -> Step:
        """The step, with the curvature of its own model: the Kronecker products, without the damping."""
        require_problem(at, loss)
        if not (hasattr(at, "inputs") and hasattr(at, "back")):
            raise ParameterError(
                f"K-FAC needs the inputs and back-propagated outputs of dense layers, which {type(at.net).__name__} "
                "does not give. Use Deep, or another method."
            )
        last, g = memory(self, at, previous, Factors), at.vjp(loss.gradient(at.f, y))
        R = loss.factor(at.f, y)[0]
        trained = [l for l in range(len(at.inputs)) if l not in getattr(at.net, "frozen", ())]
        k = 1 + (last.count if last else 0)
        keep = min(1 - 1 / k, self.decay)
        A, S = [], []
        for i, l in enumerate(trained):
            here = _factors(at.inputs[l], at.back[l], R)
            old = (last.inputs[i], last.outputs[i]) if last else here
            A.append(keep * old[0] + (1 - keep) * here[0])
            S.append(keep * old[1] + (1 - keep) * here[1])
        delta = np.zeros_like(g)
        layers, gradients = (at.net.layers(x, at.X.shape[1]) for x in (delta, g))
        with one_blas_thread():
            for i, l in enumerate(trained):
                layers[l][...] = -self.rate * self._solve(A[i], S[i], gradients[l], l)
        if last:
            delta += self.momentum * last.velocity
        curvature = sum(float(np.vdot(S[i] @ layers[l], layers[l] @ A[i])) for i, l in enumerate(trained))
        state = Factors(k, A, S, delta)
        return finite_step(Step(self.name, delta, float(np.vdot(g, delta)), curvature, self.damping, state=state))

    def _solve(self, A: Array, S: Array, G: Array, layer: int) -> Array:
        """(S + lambda^{1/2} / pi I)^{-1} G (A + pi lambda^{1/2} I)^{-1}."""
        means = np.trace(A) / len(A), np.trace(S) / len(S)
        if not min(means) > 0:
            raise SingularSystemError(
                f"Layer {layer} has a factor that is zero (mean eigenvalues {means[0]:.1e} of its inputs, "
                f"{means[1]:.1e} of its outputs): no signal reaches it, or none comes back. Start the output layer "
                "with nonzero weights, or freeze the layer."
            )
        pi, root = np.sqrt(means[0] / means[1]), np.sqrt(self.damping)
        try:
            half = solve_definite(S, G, root / pi, 1.0)
            return solve_definite(A, half.T, root * pi, 1.0).T
        except SingularSystemError as error:
            raise SingularSystemError(
                f"The factors of layer {layer}, with traces {np.trace(A):.1e} and {np.trace(S):.1e}, cannot be "
                f"inverted at damping = {self.damping:g}. Use more damping; if the loss was growing, a smaller rate."
            ) from error


def _factors(a: Array, back: Array, R: Array) -> tuple[Array, Array]:
    """A of shape (fan_in, fan_in) and S of shape (fan_out, fan_out) of one layer."""
    D = np.moveaxis(back, 0, -1)  # (n, fan_out, C)
    D = D * R.reshape(len(D), 1, -1) if R.ndim < 3 else D @ R
    rows = np.swapaxes(D, 1, 2).reshape(-1, D.shape[1])
    return a.T @ a / len(a), rows.T @ rows
