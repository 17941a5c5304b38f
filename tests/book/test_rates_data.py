"""The table behind the chapter on finite width: it covers what its script says, and a line of it comes out again."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from nntk_lib.studies import rates

# Sums over 512 neurons and norms carry rounding errors of about 1e-14; the smallest part in the table is above 1e-6.
RELATIVE, ABSOLUTE = 1e-8, 1e-12


@pytest.fixture(scope="module")
def table():
    return np.genfromtxt(rates.FILE, delimiter=",", names=True, dtype=None, encoding="utf-8")


def test_covers_what_the_script_says(table):
    assert list(table.dtype.names) == rates.COLUMNS
    wanted = [(*case, rates.SEEDS[case[-1]]) for case in itertools.product(rates.PROTOCOLS, rates.BETAS, rates.SEEDS)]
    found = [tuple(row) for row in table[["protocol", "beta", "m", "seeds"]].tolist()]
    assert found == wanted
    assert max(rates.SEEDS) / min(rates.SEEDS) >= 1000, "three decades of widths"


def test_says_where_it_comes_from():
    lines = rates.FILE.read_text(encoding="utf-8").splitlines()
    comments = [line for line in lines if line.startswith("#")]
    assert any("nntk_lib " in line and "numpy " in line for line in comments)
    stated = [line for line in rates.provenance() if "nntk_lib " not in line]
    assert stated == [line for line in comments if "nntk_lib " not in line], "the script changed: run it again"
    assert rates.FILE.stat().st_size < 50_000


@pytest.mark.parametrize("protocol, beta", [("plain", 0.6), ("centred", 0.9), ("mirrored", 0.75)])
def test_a_line_comes_out_again(table, protocol, beta):
    m = min(rates.SEEDS)
    [stored] = table[(table["protocol"] == protocol) & (table["beta"] == beta) & (table["m"] == m)].tolist()
    again = rates.row(protocol, beta, m)
    assert stored[0] == again[0]
    np.testing.assert_allclose(np.array(again[1:], float), np.array(stored[1:], float), RELATIVE, ABSOLUTE)


def test_norms_obey_the_triangle_inequality(table):
    """Columns in the wrong order would not: means of largest norms, of a sum and of its terms."""
    rounding = 1 + 1e-9
    assert (table["rest"] <= rounding * (table["sampling"] + table["moving"])).all()
    assert (table["moving"] <= rounding * (table["curvature"] + table["drift"] + table["remainder"])).all()
    assert (table["total"] <= rounding * (table["start"] + table["rest"])).all()


def test_one_start_for_all_exponents(table):
    """The networks are the same for all beta: the start is m^{1/2 - beta} times a number of the width."""
    for protocol in ("plain", "centred"):
        rows = table[table["protocol"] == protocol]
        unscaled = (rows["start"] * rows["m"] ** (rows["beta"] - 0.5)).reshape(len(rates.BETAS), len(rates.SEEDS))
        np.testing.assert_allclose(unscaled, np.broadcast_to(unscaled[0], unscaled.shape), 1e-9)
    mirrored = table[table["protocol"] == "mirrored"]
    assert (mirrored["start"] <= np.sqrt(mirrored["m"]) * np.finfo(float).eps).all()
