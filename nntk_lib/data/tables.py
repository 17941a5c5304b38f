r"""Two real tables, standardized: patients with diabetes, and districts of California.

A column x becomes (x - mean) / (standard deviation sqrt(d)), so that a sample has squared norm 1 on average; labels get
mean 0 and variance 1. Nothing is left out, and nothing is clipped unless asked for.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files

import numpy as np

from ..exceptions import Array, ParameterError, integer, positive
from .base import Data


def _standardized(X: Array, y: Array) -> tuple[Array, Array]:
    return (X - X.mean(axis=0)) / X.std(axis=0), (y - y.mean()) / y.std()


def _rows(n: int | None, available: int) -> int:
    if n is not None and not 2 <= integer("n", n) <= available:
        raise ParameterError(f"n = {n} must lie between 2 and {available}.")
    return available if n is None else int(n)


def diabetes(n: int | None = None) -> Data:
    """The diabetes data of Efron et al. (2004): 442 patients, 10 measurements, disease progression after a year.

    The columns are standardized and divided by sqrt(10), so that a sample has squared norm 1 on average; the labels are
    standardized; both over the n patients that are kept. The table ships with scikit-learn.

    Parameters
    ----------
    n : int, optional
        Keep the first n patients (the order in the file is arbitrary).

    Returns
    -------
    Data
        X of shape (442, 10) or (n, 10).

    Raises
    ------
    ParameterError
        If n is not an integer between 2 and 442.
    """
    from sklearn.datasets import load_diabetes

    X, y = load_diabetes(return_X_y=True)
    n = _rows(n, len(y))
    X, y = _standardized(X[:n], y[:n])
    return Data(X / np.sqrt(X.shape[1]), y, "diabetes")


@lru_cache(1)
def california_table() -> tuple[Array, Array]:
    """The 1,000 rows as they are in scikit-learn's table, to the last bit.

    The file keeps the counts of the census; rooms, bedrooms and inhabitants become averages per household here.

    Returns
    -------
    X : ndarray, shape (1000, 8)
        MedInc, HouseAge, AveRooms, AveBedrms, Population, AveOccup, Latitude, Longitude.
    y : ndarray, shape (1000,)
        Median house value in units of 100,000 dollars; 5.00001 stands for everything above.
    """
    lines = files(__package__).joinpath("california.csv").read_text("utf-8").splitlines()
    table = np.array([line.split(",") for line in lines if line[:1].isdigit()], float)
    income, age, rooms, bedrooms, population, households, latitude, longitude, value = table.T
    averages = [column / households for column in (rooms, bedrooms, population)]
    X = np.column_stack([income, age, *averages[:2], population, averages[2], latitude, longitude])
    return X, value / 100_000


def california(n: int | None = None, clip: float | None = None) -> Data:
    """California Housing: median house value of districts in the 1990 U.S. Census, from 8 numbers about each.

    A sample of 1,000 of the 20,640 districts of Pace and Barry (1997), kept in the library. Columns and labels are
    standardized over all 1,000 rows, whatever n, and the columns divided by sqrt(8). Averages per household have long
    tails: up to 17 standard deviations.

    Parameters
    ----------
    n : int, optional
        Keep the first n rows (their order is random).
    clip : float, optional
        Set standardized features beyond so many standard deviations to that many. With 4 it changes 39 of the 8,000
        numbers, and the squared norms are at most 5 instead of 63.

    Returns
    -------
    Data
        X of shape (1000, 8) or (n, 8).

    Raises
    ------
    ParameterError
        If n is not an integer between 2 and 1,000, or `clip` is not positive.

    Notes
    -----
    R. K. Pace, R. Barry (1997): Sparse spatial autoregressions, Statistics and Probability Letters 33, 291-297.

    Examples
    --------
    >>> train, test = california(500, clip=4).split(400)
    >>> train.X.shape, test.X.shape
    ((400, 8), (100, 8))
    """
    X, y = california_table()
    n = _rows(n, len(y))
    X, y = _standardized(X, y)
    if clip is not None:
        X = np.clip(X, -positive("clip", clip), clip)
    return Data(X[:n] / np.sqrt(X.shape[1]), y[:n], "california")
