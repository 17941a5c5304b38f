import os
from pathlib import Path

import numpy as np
import pytest

from nntk_lib.data import california, diabetes
from nntk_lib.data.tables import california_table
from nntk_lib.exceptions import ParameterError

EPS = np.finfo(float).eps
ROOT = Path(__file__).parents[3]


def original() -> Path | None:
    """Where scikit-learn's own file of the whole table lies, if it lies anywhere: it is never downloaded here."""
    for folder in (os.environ.get("SCIKIT_LEARN_DATA"), ROOT.parent / "shared/data/scikit_learn_data"):
        if folder and (Path(folder) / "cal_housing_py3.pkz").exists():
            return Path(folder)
    return None


def test_the_thousand_rows_are_those_of_the_real_loader():
    folder = original()
    if folder is None:
        pytest.skip(
            "NOT CHECKED: california.csv against scikit-learn's whole table. Its file cal_housing_py3.pkz is not in "
            "$SCIKIT_LEARN_DATA or in ../shared/data/scikit_learn_data."
        )
    from sklearn.datasets import fetch_california_housing

    table = fetch_california_housing(data_home=folder, download_if_missing=False)
    rows = np.random.default_rng(0).choice(20640, 1000, replace=False)
    X, y = california_table()
    assert np.array_equal(X, table.data[rows]) and np.array_equal(y, table.target[rows])


def test_the_file_says_where_it_is_from_and_is_small():
    path = ROOT / "nntk_lib/data/california.csv"
    text = path.read_text("utf-8")
    assert "Pace" in text and "1990 U.S. Census" in text and "default_rng(0)" in text
    assert path.stat().st_size < 60_000
    X, y = california_table()
    assert X.shape == (1000, 8) and y.shape == (1000,) and len(np.unique(X, axis=0)) == 1000
    assert 0.1 < y.min() and y.max() == 5.00001
    assert 32 < X[:, 6].min() and X[:, 6].max() < 42 and -125 < X[:, 7].min() and X[:, 7].max() < -114


@pytest.mark.parametrize("make, n, d", [(diabetes, 442, 10), (california, 1000, 8)])
def test_tables_are_standardized(make, n, d):
    data = make()
    assert data.X.shape == (n, d) and (data.X**2).sum(axis=1).mean() == pytest.approx(1, rel=n * EPS)
    assert np.abs(data.X.mean(axis=0)).max() <= n * EPS
    assert data.y.mean() == pytest.approx(0, abs=n * EPS) and data.y.std() == pytest.approx(1)
    assert make(50).X.shape == (50, d)
    for wrong in (1, n + 1, 2.5, -3, True, "5"):
        with pytest.raises(ParameterError, match="n = "):
            make(wrong)


def test_diabetes_is_standardized_over_what_is_kept_and_california_over_the_whole_file():
    assert diabetes(50).y.mean() == pytest.approx(0, abs=50 * EPS)
    assert np.array_equal(california(50).X, california().X[:50]) and np.array_equal(
        california(50).y, california().y[:50]
    )


def test_clipping_is_asked_for():
    plain, clipped = california(), california(clip=4)
    moved = plain.X != clipped.X
    assert moved.sum() == 39 and np.abs(clipped.X[moved]).min() == pytest.approx(4 / 8**0.5)
    assert np.array_equal(np.sign(plain.X), np.sign(clipped.X)) and np.array_equal(plain.y, clipped.y)
    assert (clipped.X**2).sum(axis=1).max() < 5 < 62 < (plain.X**2).sum(axis=1).max() < 63
    for wrong in (0, -4, np.inf, "4"):
        with pytest.raises(ParameterError, match="clip"):
            california(clip=wrong)


def test_the_cached_table_cannot_be_spoiled_by_a_caller():
    data = california()
    data.X[:] = data.y[:] = 0
    assert california().X.std() > 0
