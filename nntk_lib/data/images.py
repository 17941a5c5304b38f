r"""Images: the handwritten digits of scikit-learn, upright for classification and rotated for regression.

The 1,797 digits of 8 x 8 pixels (Alpaydin and Kaynak 1998) ship with scikit-learn. To predict the angle by which a
digit was turned is regression with real images: a stand-in for the ages of faces and of hands in Cai et al. (2019),
which cannot be shipped. Images have shape (n, 8, 8, 1), and zero mean at every pixel; one number divides them all, so
that the mean square of a pixel is 1 (for rotated ones over the training digits at all angles, not over the sample).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ..exceptions import Array, ParameterError, generator, integer, one_of, positive
from .base import Data

#: Digits whose rotations are for training; those of the others are for testing.
TRAIN = 1400


@lru_cache(1)
def originals() -> tuple[Array, Array]:
    """The digits with pixels in [0, 1], shape (1797, 8, 8), and their classes, in an order that is always the same."""
    from sklearn.datasets import load_digits

    images, classes = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(images))
    return images[order].reshape(-1, 8, 8) / 16, classes[order]


def rotate(images: Array, angles: Array) -> Array:
    """Images turned about their centres by as many angles, with bilinear interpolation and zeros outside.

    Parameters
    ----------
    images : ndarray, shape (n, s, s)
    angles : ndarray, shape (n,)
        Radians, counter-clockwise.

    Returns
    -------
    ndarray, shape (n, s, s)
    """
    n, size = images.shape[:2]
    framed = np.pad(images, ((0, 0), (1, 1), (1, 1)))
    grid = np.arange(size) - (size - 1) / 2
    cos, sin = np.cos(angles)[:, None, None], np.sin(angles)[:, None, None]
    # where the pixel (i, j) comes from, in the coordinates of the frame; beyond the frame there are zeros only
    places = cos * grid[:, None] + sin * grid, cos * grid - sin * grid[:, None]
    i, j = (np.clip(place + (size + 1) / 2, 0, size + 1) for place in places)
    i0, j0 = (np.minimum(place.astype(int), size) for place in (i, j))
    k = np.arange(n)[:, None, None]
    u, v = i - i0, j - j0
    low = (1 - v) * framed[k, i0, j0] + v * framed[k, i0, j0 + 1]
    high = (1 - v) * framed[k, i0 + 1, j0] + v * framed[k, i0 + 1, j0 + 1]
    return (1 - u) * low + u * high


def _scale(images: Array) -> tuple[Array, float]:
    mean = images.mean(axis=0)
    return mean, float(np.sqrt(((images - mean) ** 2).mean()))


@lru_cache(8)
def _rotated_scale(largest: float) -> tuple[Array, float]:
    """Mean image and standard deviation of the training digits, each at nine angles: the same for every sample."""
    images, _ = originals()
    angles = np.deg2rad(largest * (np.arange(9) - 4) / 4.5)  # midpoints of nine cells
    return _scale(np.concatenate([rotate(images[:TRAIN], np.full(TRAIN, a)) for a in angles]))


def rotated_digits(n: int, rng: np.random.Generator | int, part: str = "train", *, largest: float = 45.0) -> Data:
    """Handwritten digits turned by random angles; the label is the angle, uniform, with the largest one as its unit.

    Parameters
    ----------
    n : int
        Images. Up to 1,400 (397 for testing) no digit appears twice, up to twice that none appears three times, and so
        on.
    rng : Generator or int
        Of the choice of digits and of the angles.
    part : {"train", "test"}
        Rotations of 1,400 digits, or of the 397 others.
    largest : float
        Largest angle in degrees, at most 180.

    Returns
    -------
    Data
        X of shape (n, 8, 8, 1), y of shape (n,) in [-1, 1] with variance near 1/3, t the angles in radians.

    Raises
    ------
    ParameterError
        If n is not a positive integer, the part is unknown, or the angle is not in (0, 180].

    Examples
    --------
    >>> data = rotated_digits(10, rng=0)
    >>> data.X.shape, data.flat().X.shape
    ((10, 8, 8, 1), (10, 64))
    """
    n, rng = integer("n", n), generator("rng", rng)
    one_of("part", part, ("train", "test"))
    if positive("largest", largest) > 180:
        raise ParameterError(f"largest = {largest:g} must be at most 180 degrees.")
    images, _ = originals()
    images = images[:TRAIN] if part == "train" else images[TRAIN:]
    rounds = -(-n // len(images))
    chosen = np.concatenate([rng.permutation(len(images)) for _ in range(rounds)])[:n]
    y = rng.uniform(-1, 1, n)
    t = np.deg2rad(largest * y)
    mean, spread = _rotated_scale(float(largest))
    return Data(((rotate(images[chosen], t) - mean) / spread)[..., None], y, "rotated digits", t)


def digits(n: int | None = None, rng: np.random.Generator | int = 0) -> Data:
    """Handwritten digits upright, with their ten classes.

    Parameters
    ----------
    n : int, optional
        Images, at most 1,797; all of them if not given. Take training and test set from one call with
        :meth:`Data.split`.
    rng : Generator or int
        Of the choice and the order, without repetition.

    Returns
    -------
    Data
        X of shape (n, 8, 8, 1); y of shape (n, 10), the rows of the identity that belong to the classes.

    Raises
    ------
    ParameterError
        If n is not an integer between 1 and 1,797.

    Examples
    --------
    >>> train, test = digits(500).split(400)
    >>> train.y.shape, test.y.argmax(axis=1)[:3].shape
    ((400, 10), (3,))
    """
    images, classes = originals()
    n = len(images) if n is None else integer("n", n)
    if n > len(images):
        raise ParameterError(f"n = {n} must be at most {len(images)}, the number of digits.")
    mean, spread = _scale(images)
    chosen = generator("rng", rng).permutation(len(images))[:n]
    return Data(((images[chosen] - mean) / spread)[..., None], np.eye(10)[classes[chosen]], "digits")
