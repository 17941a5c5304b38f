r"""What the hidden layers have learned: their directions against a teacher's, and what they are worth with a new head.

A network is linear in its output layer, f = Phi V^T, with the features Phi of the last hidden layer. Two numbers say
whether the features have been learned (Arbel et al. 2023, Section 5):

    weighted cosine distance    2 sum_i p_i (1 - max_j cos(w_i, w*_j)),
                                p_i = |w_i|^2 / sum_k |w_k|^2,          (9)

from the directions w of the neurons to those of a teacher, w*; and the loss on new samples after V has been fitted
again, by least squares on the training samples with everything else frozen, (8). The second fits the training data
whatever the features are, if they are as many as the samples; off them it shows what they are worth.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike

from .exceptions import (
    Array,
    ParameterError,
    ShapeError,
    SingularSystemError,
    finite_array,
    flag,
    no_overflow,
    positive,
)
from .networks.base import Network
from .networks.deep import Deep
from .networks.shallow.spec import Shallow


def weighted_cosine_distance(W: ArrayLike, teacher: ArrayLike, chord: bool = False) -> float:
    """How far the directions of neurons are from the nearest ones of a teacher, weighted by |w|^2; Arbel et al. (9).

    Parameters
    ----------
    W : ndarray, shape (m, d)
        Input weights of the neurons, without the bias: :func:`hidden_weights`. Zero rows have weight zero.
    teacher : ndarray, shape (M, d)
        Input weights of the teacher's neurons, without the bias.
    chord : bool
        Use the distance sqrt(2 (1 - cos)) on the unit sphere in place of its square, 2 (1 - cos), which is printed in
        the paper: what the released code of the paper computes.

    Returns
    -------
    float
        Between 0 and 4, or between 0 and 2 for the chord; 0 if every neuron has the direction of a neuron of the
        teacher.

    Raises
    ------
    ShapeError, NonFiniteError
    ParameterError
        If all of W is zero, or a row of the teacher is.

    Examples
    --------
    >>> W, teacher = [[2.0, 0.0], [0.0, -1.0]], [[1.0, 0.0]]
    >>> round(weighted_cosine_distance(W, teacher), 12)
    0.4
    >>> round(weighted_cosine_distance(W, teacher, chord=True), 3)
    0.283
    """
    flag("chord", chord)
    W, teacher = finite_array("W", W, 2), finite_array("teacher", teacher, 2)
    if W.shape[1] != teacher.shape[1]:
        raise ShapeError(
            f"W has {W.shape[1]} inputs and the teacher {teacher.shape[1]}. Leave out biases and output weights."
        )
    norms, theirs = np.linalg.norm(W, axis=1), np.linalg.norm(teacher, axis=1)
    if not norms.any() or not theirs.all():
        raise ParameterError("W is zero, or a row of the teacher is: a zero vector has no direction. Leave it out.")
    p = (norms / norms.max()) ** 2
    unit, unit_teacher = W / np.where(norms == 0, 1, norms)[:, None], teacher / theirs[:, None]
    nearest = unit_teacher[(unit @ unit_teacher.T).argmax(axis=1)]
    square = ((unit - nearest) ** 2).sum(axis=1)  # 2 (1 - cos), with all its digits where it is small
    return float(p @ (np.sqrt(square) if chord else square) / p.sum())


def hidden_weights(net: Shallow, theta: ArrayLike) -> Array:
    """Input weights w of the neurons without the bias, shape (m, d), a view of theta.

    Raises
    ------
    ShapeError, NonFiniteError, ParameterError
        If theta is not an array of neurons, or the network is not shallow.
    """
    if not isinstance(net, Shallow):
        raise ParameterError(f"hidden_weights is for one hidden layer, got {type(net).__name__}. Use Shallow.")
    theta = finite_array("theta", theta, 2)
    if theta.shape[1] < 2 + net.bias:
        raise ShapeError(f"theta has {theta.shape[1]} parameters per neuron; at least {2 + net.bias} are needed.")
    return theta[:, 1:-1] if net.bias else theta[:, 1:]


def features(net: Network, theta: ArrayLike, X: ArrayLike) -> Array:
    """The features Phi of the last hidden layer, scaled so that the outputs are Phi V^T.

    Parameters
    ----------
    net : Shallow or Deep
    theta : ndarray
    X : ndarray, shape (n, d)

    Returns
    -------
    ndarray, shape (n, m)
        m^{-beta} sigma(X W^T) for a shallow network, with V = c; omega A_L for a deep one, with V = W_L (Deep's outputs
        are Phi V^T minus those at the origin, if it is centred).

    Raises
    ------
    ShapeError, NonFiniteError
    ParameterError
        If the network is neither shallow nor deep.

    Examples
    --------
    >>> net, X = Shallow("tanh"), [[0.1], [0.2]]
    >>> theta = net.init(m=10, d=1, rng=0)
    >>> f = features(net, theta, X) @ theta[:, 0]
    >>> bool(abs(f - net.at(theta, X).f).max() < 1e-15)
    True
    """
    if isinstance(net, Shallow):
        at = net.at(theta, X)
        return net.act.f(at.inputs @ at.theta[:, 1:].T) * at.scale
    if isinstance(net, Deep):
        return net.scale * net.at(theta, X).inputs[-1]
    raise ParameterError(f"The features of {type(net).__name__} are not known. Use Shallow or Deep.")


@dataclass(frozen=True, eq=False)
class Refit:
    """A network with a new output layer.

    Attributes
    ----------
    theta : ndarray
        The parameters; all but the output layer as they were.
    rank : int
        Number of singular values of the features that were used.
    singular : ndarray
        Singular values of the features, descending.
    residual : float
        Root mean square of the residuals on the samples of the fit.
    """

    theta: Array = field(repr=False)
    rank: int
    singular: Array = field(repr=False)
    residual: float


def refit(
    net: Network, theta: ArrayLike, X: ArrayLike, y: ArrayLike, *, ridge: float = 0.0, cut: float = 1e-5
) -> Refit:
    """Fit the output layer again by linear least squares, all else frozen; Arbel et al. (8).

    The solution of least norm of min |Phi V^T - y|^2 + ridge |V|^2 in the span of the singular vectors of Phi whose
    singular values are more than `cut` times the largest one. From random hidden weights it is the random-features
    method. The cut is relative, so that the scale of the features does not matter; 1e-5 is that of the paper, whose
    kernel of features is cut at 1e-10.

    Parameters
    ----------
    net : Shallow or Deep
    theta : ndarray
    X, y : ndarray
        Training samples; y of the shape of the outputs.
    ridge : float
        Penalty, at least 0, in the units of |Phi|^2.
    cut : float
        In [0, 1). With 0 all singular values must be usable.

    Returns
    -------
    Refit

    Raises
    ------
    ShapeError, NonFiniteError
    ParameterError
        If ridge or cut are out of range, or the network is neither shallow nor deep.
    SingularSystemError
        If the features are all zero, or `ridge` and `cut` are both 0 and the features are dependent to rounding.

    Examples
    --------
    >>> net, X = Shallow("tanh"), np.linspace(-1, 1, 20)[:, None]
    >>> new = refit(net, net.init(m=50, d=1, rng=0), X, np.sin(3 * X[:, 0]))
    >>> new.rank < 20, new.residual < 1e-3
    (True, True)
    """
    ridge, cut = positive("ridge", ridge, allow_zero=True), positive("cut", cut, allow_zero=True)
    if cut >= 1:
        raise ParameterError(f"cut = {cut:g} must be less than 1, the fraction of the largest singular value itself.")
    Phi, at = features(net, theta, X), net.at(theta, X)
    y = finite_array("y", y, at.f.ndim)
    if y.shape != at.f.shape:
        raise ShapeError(f"y has shape {y.shape}, but the outputs have {at.f.shape}; they must agree.")
    target = y.reshape(len(y), -1)
    if getattr(net, "origin", None) is not None:
        target = target + replace(net, origin=None).at(net.origin, at.X).f.reshape(target.shape)
    Phi = no_overflow("The features", Phi)
    right, s, left = np.linalg.svd(Phi.T, full_matrices=False)  # of a tall matrix: 0.6 of the time
    if s[0] == 0:
        raise SingularSystemError("The features are all zero on these samples. Take other parameters theta.")
    rank = int((s > cut * s[0]).sum())
    if ridge == 0 and s[rank - 1] <= max(Phi.shape) * np.finfo(float).eps * s[0]:
        raise SingularSystemError(
            f"The features have singular values down to {s[rank - 1] / s[0]:.1e} of the largest, which is rounding. "
            "Give a cut, such as 1e-5, or a ridge."
        )
    used = s[:rank]
    # s / (s^2 + ridge), without squaring small numbers
    V = right[:, :rank] @ ((left[:rank] @ target) / (used + ridge / used)[:, None])
    new = at.theta.copy()
    if isinstance(net, Shallow):
        new[:, 0] = V[:, 0]
    else:
        net.layers(new, at.X.shape[1])[-1][...] = V.T
    return Refit(new, rank, s, float(np.sqrt(((Phi @ V - target) ** 2).mean())))
