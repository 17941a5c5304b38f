r"""Labels that something small has made: a teacher network, ridge functions, one direction, a product of signs.

    teacher      y = (1/M) sum_i c_i sigma(w_i . x),
                 Arbel et al. (2023), Section 5.1
    ridges       y = sum_k sin(v_k . x + p_k) / sqrt(K/2)
    single index y = phi(theta . x) + noise,
                 Cayci (2024) (85)
    signs        y = sign(x_1 x_2)

The law (c, w, v, p, theta) is drawn from the seed ``task``, the samples and the noise from ``rng``.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..exceptions import Array, ParameterError, flag, function, generator, integer, one_of, positive, shaped_like
from ..networks.activations import Activation, get_activation
from .base import Data, unit_sphere


def teacher_student(
    n: int,
    d: int,
    width: int,
    rng: np.random.Generator | int,
    noise: float = 0.0,
    *,
    act: Activation | str = "tanh",
    bias: bool = False,
    scale: str = "std",
    task: np.random.Generator | int | None = None,
) -> Data:
    """Labels from a random network with standard normal inputs and weights, scaled, plus noise.

    The setting of Arbel et al. (2023) is ``teacher_student(500, 10, 5, rng, act="relu", scale="width")``; their
    released code has ``bias=True``, in the teacher and in the student.

    Parameters
    ----------
    n, d, width : int
        Samples, inputs, and neurons of the teacher.
    rng : Generator or int
    noise : float
        Standard deviation of the label noise.
    act : Activation or str
    bias : bool
        The teacher sees the constant 1 as one more input. It is not in X.
    scale : {"std", "width"}
        The clean labels are divided by their standard deviation over these n samples, or by the width: mean field.
    task : Generator or int, optional
        Seed of the teacher. Without it the teacher comes from `rng` too. A teacher scaled by "std" is the same for two
        sets of samples only up to a factor near 1: there, take both from one set with :meth:`Data.split`.

    Returns
    -------
    Data
        ``teacher`` has shape (width, 1 + d + bias), rows (c, w) with the scale in c: the parameters of the network
        ``Shallow(act, beta=1, bias=bias)`` whose outputs are the labels without noise.

    Raises
    ------
    ParameterError
        If a count is not a positive integer, the noise is negative, the activation or the scale is unknown, or all the
        labels are equal and cannot be scaled by their standard deviation.

    Examples
    --------
    >>> from nntk_lib.networks.shallow.spec import Shallow
    >>> data = teacher_student(
    ...     20, 3, 5, rng=0, act="relu", scale="width", task=7
    ... )
    >>> f = Shallow("relu", beta=1.0, bias=False).at(data.teacher, data.X).f
    >>> bool(abs(f - data.y).max() < 1e-15)
    True
    """
    n, d, width, act = integer("n", n), integer("d", d), integer("width", width), get_activation(act)
    rng, noise = generator("rng", rng), positive("noise", noise, allow_zero=True)
    one_of("scale", scale, ("std", "width"))
    bias = flag("bias", bias)
    X = rng.standard_normal((n, d))
    law = rng if task is None else generator("task", task)
    c, W = law.standard_normal(width), law.standard_normal((width, d + bias))
    clean = act.f((np.column_stack([X, np.ones(n)]) if bias else X) @ W.T) @ c
    divisor = clean.std() if scale == "std" else float(width)
    if not divisor > 0:
        raise ParameterError(f"The n = {n} labels are equal, so that scale='std' divides by 0. Use scale='width'.")
    teacher = np.column_stack([c * (width / divisor), W])
    return Data(X, clean / divisor + noise * rng.standard_normal(n), "teacher-student", teacher=teacher)


def ridges(
    n: int,
    d: int,
    rng: np.random.Generator | int,
    noise: float = 0.05,
    *,
    count: int = 8,
    task: np.random.Generator | int = 0,
) -> Data:
    """A sum of sine waves in random directions; the inputs have d scales, geometric between 1 and 1/10.

    Parameters
    ----------
    n, d : int
        Samples and inputs.
    rng : Generator or int
        Of the samples and the noise.
    noise : float
        Standard deviation of the label noise.
    count : int
        Number K of ridge functions. The sum has about unit variance.
    task : Generator or int
        Seed of the directions and phases.

    Returns
    -------
    Data
        ``teacher`` has shape (count, d): the directions.

    Raises
    ------
    ParameterError
        If a count is not a positive integer or the noise is negative.

    Examples
    --------
    >>> train, test = ridges(768, d=16, rng=0), ridges(1000, d=16, rng=1)
    >>> bool((train.teacher == test.teacher).all())
    True
    """
    n, d, count, rng = integer("n", n), integer("d", d), integer("count", count), generator("rng", rng)
    noise, law = positive("noise", noise, allow_zero=True), generator("task", task)
    V, phases = law.standard_normal((count, d)), law.uniform(0, 2 * np.pi, count)
    X = rng.standard_normal((n, d)) * np.geomspace(1, 0.1, d)
    clean = np.sin(X @ V.T + phases).sum(axis=1) / np.sqrt(count / 2)
    return Data(X, clean + noise * rng.standard_normal(n), "ridges", teacher=V)


def single_index(
    n: int,
    d: int,
    rng: np.random.Generator | int,
    link: Callable[[Array], Array] | None = None,
    noise: float = 0.1,
    *,
    task: np.random.Generator | int = 0,
) -> Data:
    """Single-index model on the unit sphere, y = phi(theta . x) + noise, Cayci (2024) (85).

    Parameters
    ----------
    n, d : int
        Samples and inputs.
    rng : Generator or int
        Of the samples and the noise.
    link : callable, optional
        The function phi of an array; tanh(3 z) if not given.
    noise : float
        Standard deviation of the label noise.
    task : Generator or int
        Seed of the direction theta, uniform on the sphere.

    Returns
    -------
    Data
        ``teacher`` has shape (d,): the direction theta.

    Raises
    ------
    ParameterError, ShapeError, NonFiniteError
        If a count is not a positive integer, the noise is negative, or the link does not give one finite number a
        sample.

    Examples
    --------
    >>> data = single_index(50, 4, rng=0, link=np.sin, noise=0.0)
    >>> bool(abs(data.y - np.sin(data.X @ data.teacher)).max() < 1e-15)
    True
    """
    n, d, rng, noise = integer("n", n), integer("d", d), generator("rng", rng), positive("noise", noise, True)
    if link is not None:
        function("link", link, "np.sin")
    theta = unit_sphere(1, d, generator("task", task))[0]
    X = unit_sphere(n, d, rng)
    z = X @ theta
    clean = np.tanh(3 * z) if link is None else shaped_like("link(z)", link(z), z, "z = X @ theta")
    return Data(X, clean + noise * rng.standard_normal(n), "single index", teacher=theta)


def signs(n: int, d: int, rng: np.random.Generator | int) -> Data:
    """Labels -1 and 1 on the unit sphere: the sign of x_1 x_2, which no linear function separates.

    Parameters
    ----------
    n, d : int
        Samples, and inputs, at least 2.
    rng : Generator or int

    Returns
    -------
    Data

    Raises
    ------
    ParameterError
        If n is not a positive integer or d is not an integer of at least 2.

    Examples
    --------
    >>> sorted(set(signs(40, d=5, rng=0).y.tolist()))
    [-1.0, 1.0]
    """
    X = unit_sphere(integer("n", n), integer("d", d, 2), generator("rng", rng))
    return Data(X, np.where(X[:, 0] * X[:, 1] < 0, -1.0, 1.0), "signs")


def sphere(n: int, d: int, rng: np.random.Generator | int, y: Array | None = None) -> Data:
    """Points on the unit sphere with labels that have nothing to do with them: there is nothing to learn, all to fit.

    Parameters
    ----------
    n, d : int
        Samples and inputs.
    rng : Generator or int
    y : ndarray, shape (n,), optional
        Labels; independent standard normal ones if not given. The points are the same in both cases.

    Returns
    -------
    Data

    Raises
    ------
    ParameterError, ShapeError, NonFiniteError
        If a count is not a positive integer, or y is not n finite numbers.

    Examples
    --------
    >>> sphere(12, 4, rng=0).X.shape
    (12, 4)
    """
    n, rng = integer("n", n), generator("rng", rng)
    X = unit_sphere(n, integer("d", d), rng)
    return Data(X, rng.standard_normal(n) if y is None else shaped_like("y", y, X[:, 0], "the points"), "sphere")
