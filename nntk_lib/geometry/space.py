r"""The manifold of functions: outputs f(theta) in R^N, N samples and outputs, as a surface with the metric of R^N.

With the Jacobian J of a network at theta and its singular values, J = Q diag(s) V^T,

    tangent space            range J,  with the orthonormal basis Q and the
                             projector Pi = Q Q^T, Cayci (21)
    metric                   <J v, J w>, the matrix J^T J in the parameters
    second fundamental form  II(v, w) = (I - Pi) D^2 f [v, w],
                             of parameter velocities v, w
    geodesics                theta'' = -J^+ D^2 f [theta', theta'],
                             J^+ = V diag(1/s) Q^T
    gradient of a loss L     Pi g,  g = dL/df, Cayci (26):
                             Gauss-Newton flow is f' = -Pi g
    Hessian of L             u . H u + g . II(u, u),  H = d^2 L/df^2,
                             for unit vectors u = J v of the tangent space

(Cayci 2024, Section 4). With fewer parameters than outputs, P < N, this is a surface of dimension P at most. Otherwise
it fills a neighbourhood of f as soon as J has rank N: then there is no normal direction, II = 0, and geodesics are
straight lines. A :class:`TangentSpace` says which it is, and by which tolerance the rank was decided. An output
multiplier omega (Cayci's alpha) belongs to the network: it scales the surface, so that Hessians are divided by omega^2.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from ..exceptions import Array, ParameterError, SingularSystemError, positive, shaped_like
from ..losses import Loss, times
from ..losses.base import require_loss
from ..networks.base import Tangent, require_tangent

EPS = np.finfo(float).eps


@dataclass(frozen=True, eq=False)
class TangentSpace:
    """The tangent space of the manifold of functions at a point; made by :func:`tangent_space`.

    Attributes
    ----------
    at : Tangent
    Q : ndarray, shape (N, r)
        Orthonormal basis of range J in output space; N = f.size, r the rank.
    s : ndarray, shape (r,)
        Singular values that are counted, descending.
    V : ndarray, shape (P, r)
        Orthonormal basis of range J^T in parameter space.
    left_out : float
        The largest singular value that is counted as zero, as a fraction of the largest one.
    rtol : float
        Singular values up to this fraction of the largest one count as zero.
    """

    at: Tangent = field(repr=False)
    Q: Array = field(repr=False)
    s: Array = field(repr=False)
    V: Array = field(repr=False)
    left_out: float
    rtol: float

    @property
    def dimension(self) -> int:
        """The rank r of J, which is the dimension of the manifold where it is constant."""
        return len(self.s)

    @property
    def is_open(self) -> bool:
        """Whether J has rank N: the manifold fills a neighbourhood of f, and has no normal directions."""
        return self.dimension == len(self.Q)

    @property
    def projector(self) -> Array:
        """The matrix Pi = Q Q^T, shape (N, N)."""
        return self.Q @ self.Q.T

    @property
    def metric(self) -> Array:
        """The matrix J^T J of the parameters, shape (P, P)."""
        return (self.V * self.s**2) @ self.V.T

    def project(self, u: ArrayLike) -> Array:
        """Pi u, the nearest tangent vector, of the shape of f; Cayci (21)."""
        u = shaped_like("u", u, self.at.f, "the array of outputs")
        return u.copy() if self.is_open else (self.Q @ (self.Q.T @ u.ravel())).reshape(u.shape)

    def normal(self, u: ArrayLike) -> Array:
        """(I - Pi) u, of the shape of f; exactly 0 where the manifold is open."""
        u = shaped_like("u", u, self.at.f, "the array of outputs")
        normal = u - self.project(u)
        return normal - (0 if self.is_open else self.project(normal))  # once more: the first has lost its last digits

    def pull(self, u: ArrayLike) -> Array:
        """J^+ u: the shortest parameter velocity whose output velocity is Pi u; of the shape of theta."""
        u = shaped_like("u", u, self.at.f, "the array of outputs")
        return self.lift(self.Q.T @ u.ravel())

    def horizontal(self, v: ArrayLike) -> Array:
        """V V^T v: the part of a parameter velocity that is orthogonal to the kernel of J; of the shape of theta."""
        v = shaped_like("v", v, self.at.theta, "theta")
        return (self.V @ (self.V.T @ v.ravel())).reshape(v.shape)

    def vertical(self, v: ArrayLike) -> Array:
        """v - V V^T v: the part of a parameter velocity in the kernel of J, which moves no output to first order."""
        v = shaped_like("v", v, self.at.theta, "theta")
        return v - self.horizontal(v)

    def lift(self, c: Array) -> Array:
        """The shortest parameter velocity with output velocity Q c, for coordinates c of shape (r,)."""
        return (self.V @ (c / self.s)).reshape(self.at.theta.shape)

    def curvature(self, v: ArrayLike, w: ArrayLike) -> Array:
        """The second fundamental form II(v, w) of two parameter velocities, of the shape of f.

        It is orthogonal to the tangent space and, where the rank is constant nearby, depends on J v and J w only;
        |II(v, v)| for a unit vector J v is the curvature in R^N of the geodesic that starts along it.
        """
        return self.normal(second_derivative(self.at, v, w))

    def acceleration(self, v: ArrayLike) -> Array:
        """-J^+ D^2 f [v, v], the parameter acceleration of the geodesic with velocity v; of the shape of theta."""
        return -self.pull(second_derivative(self.at, v, v))

    def gradient(self, loss: Loss, y: ArrayLike) -> Array:
        """Pi g, the gradient of the loss on the manifold, of the shape of f; Cayci (26)."""
        return self.project(loss.gradient(self.at.f, y))

    def hessian(self, loss: Loss, y: ArrayLike) -> Array:
        """The Hessian of the loss on the manifold in the basis Q, shape (r, r): Q^T H Q + (g . II(Q_i, Q_j))_ij.

        Its eigenvalues are those of Cayci's Theorem 22. At a stationary point of the loss they are the rates at which
        the flow f' = -Pi g converges; if all are positive the point is a local minimum.
        """
        shape, r = self.at.f.shape, self.dimension
        out = self.Q.T @ times(require_loss(loss).hessian(self.at.f, y), self.Q.reshape(*shape, r)).reshape(-1, r)
        if not self.is_open:
            g = self.normal(loss.gradient(self.at.f, y))
            E = [self.lift(e) for e in np.eye(r)]
            for i in range(r):
                for j in range(i + 1):
                    bent = float(np.vdot(g, second_derivative(self.at, E[i], E[j])))
                    out[i, j] += bent
                    out[j, i] += bent if j < i else 0.0
        return (out + out.T) / 2


def second_derivative(at: Tangent, v: Array, w: Array) -> Array:
    """D^2 f [v, w], or `ParameterError` where the network does not have it."""
    if not hasattr(at, "second"):
        raise ParameterError(
            f"{type(at).__name__} has no method `second`, and curvature needs second derivatives of the outputs. Use a "
            "network that has it, such as Shallow or Deep."
        )
    return at.second(v, w)


def jacobian_matrix(at: Tangent) -> Array:
    """J as a matrix (N, P), by rows or by columns, whatever is less; all zeros where a parameter does not train."""
    if require_tangent(at).f.size <= at.theta.size:
        return np.stack([at.vjp(e.reshape(at.f.shape)).ravel() for e in np.eye(at.f.size)])
    return np.stack([at.jvp(e.reshape(at.theta.shape)).ravel() for e in np.eye(at.theta.size)], axis=1)


def tangent_space(at: Tangent, rtol: float | None = None) -> TangentSpace:
    """The tangent space of the manifold of functions at a point, from the singular values of J.

    J is formed, N x P numbers: this is for small networks, or few samples.

    Parameters
    ----------
    at : Tangent
        ``net.at(theta, X)``.
    rtol : float, optional
        Singular values of J up to this fraction of the largest one count as zero; max(N, P) eps if not given.

    Raises
    ------
    ParameterError
        If rtol is not positive.
    SingularSystemError
        If J is 0, or not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from nntk_lib.networks.shallow.spec import Shallow
    >>> net = Shallow("tanh", bias=False)
    >>> X = np.linspace(-1, 1, 12).reshape(6, 2)
    >>> space = tangent_space(net.at(net.init(m=1, d=2, rng=0), X))
    >>> wider = tangent_space(net.at(net.init(m=5, d=2, rng=0), X))
    >>> space.dimension, space.is_open, wider.is_open
    (3, False, True)
    """
    J = jacobian_matrix(at)
    rtol = max(J.shape) * EPS if rtol is None else positive("rtol", rtol)
    if not np.isfinite(J).all() or not J.any():
        raise SingularSystemError(
            "J is 0 or not finite, so that there is no tangent space. Take other parameters theta."
        )
    Q, s, Vt = np.linalg.svd(J, full_matrices=False)
    Vt[:, ~J.any(axis=0)] = 0  # what does not train does not move, not even by rounding
    relative = s / s[0]
    r = int((relative > rtol).sum())
    return TangentSpace(at, Q[:, :r], s[:r], Vt[:r].T, float(relative[r]) if r < len(s) else 0.0, rtol)
