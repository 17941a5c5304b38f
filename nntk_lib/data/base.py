"""What a data set is, and the checks that every generator shares."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike

from ..exceptions import Array, ParameterError, ShapeError, finite_array, integer


@dataclass(frozen=True, eq=False)
class Data:
    """Samples of a regression problem.

    Attributes
    ----------
    X : ndarray, axis 0 the samples
        Shape (n, d), or (n, height, width, channels) for images.
    y : ndarray, shape (n,), or (n, C) for C outputs
    name : str
    t : ndarray, shape (n,), or None
        Position along the circle (radians) or the interval; the angle of a rotated image (radians).
    frequencies : tuple of int
        Frequencies present in the target, if it has any.
    teacher : ndarray or None
        The parameters of what made the labels, where they are known; the generator says their shape.

    Examples
    --------
    >>> import numpy as np
    >>> data = Data(np.zeros((5, 2)), np.arange(5.0), "five")
    >>> train, test = data.split(3)
    >>> train.y.tolist(), test.y.tolist()
    ([0.0, 1.0, 2.0], [3.0, 4.0])
    """

    X: Array = field(repr=False)
    y: Array = field(repr=False)
    name: str
    t: Array | None = field(default=None, repr=False)
    frequencies: tuple[int, ...] = ()
    teacher: Array | None = field(default=None, repr=False)

    def __post_init__(self):
        object.__setattr__(self, "X", _given("X", self.X))
        object.__setattr__(self, "y", _given("y", self.y))
        if len(self.X) != len(self.y):
            raise ShapeError(f"X has {len(self.X)} samples and y {len(self.y)} targets. Give one target a sample.")

    def split(self, n: int) -> tuple[Data, Data]:
        """The first n samples, and the rest; neither has frequencies any more, which need the whole grid.

        Raises
        ------
        ParameterError
            If n does not leave at least one sample on either side.
        """
        n = integer("n", n)
        if n >= len(self.y):
            raise ParameterError(f"n = {n} must be less than {len(self.y)}, the number of samples of {self.name!r}.")
        cut = lambda part: replace(
            self, X=self.X[part], y=self.y[part], t=None if self.t is None else self.t[part], frequencies=()
        )
        return cut(slice(n)), cut(slice(n, None))

    def flat(self) -> Data:
        """The same samples with X of shape (n, d): images as vectors, for networks without convolutions."""
        return replace(self, X=self.X.reshape(len(self.X), -1))


def _given(name: str, value: ArrayLike) -> Array:
    """An array as it was given, or made of what was given; raises `ShapeError`, `DataTypeError`, `NonFiniteError`."""
    checked = finite_array(name, value, None)
    return np.asarray(value) if isinstance(value, np.ndarray) else checked


def unit_sphere(n: int, d: int, rng: np.random.Generator) -> Array:
    """n points, independent and uniform on the unit sphere of R^d, shape (n, d)."""
    X = rng.standard_normal((n, d))
    return X / np.linalg.norm(X, axis=1, keepdims=True)


def rows_of(batch: Array, *arrays: Array) -> list[Array]:
    """The rows of a batch of several arrays, else `ParameterError`."""
    try:
        return [array[batch] for array in arrays]
    except (IndexError, TypeError):
        n = len(arrays[0])
        raise ParameterError(
            f"A batch is {batch!r}, which does not choose some of {n} samples. Give their numbers, such as "
            f"np.array([0, {n - 1}])."
        ) from None
