"""The measurements behind the chapter on speed: they cover the suite, and agree with themselves."""

from __future__ import annotations

import statistics
import sys

import pytest
from sources import ROOT

from nntk_lib.studies import speed

ROUNDING = 1e-3  # four significant digits are stored


@pytest.fixture(scope="module")
def cases():
    folder = str(ROOT / "tests" / "benchmarks")
    sys.path.insert(0, folder)
    try:
        import cases
    finally:
        sys.path.remove(folder)
    return cases.all_cases()


def test_covers_the_suite(cases):
    wanted = {(case.name, method): case.trials() for case in cases for method in case.methods}
    found = {(row["case"], row["method"]): row for row in speed.records()}
    assert set(found) == set(wanted), "the suite changed: run make bench again"
    for case in cases:
        trials = list(case.trials())
        for method in case.methods:
            repetitions = sum(name == method for name, _ in trials)
            assert len(found[case.name, method]["seconds"]) == repetitions


def test_medians_are_those_of_the_repetitions():
    for row in speed.records():
        assert row["median"] == pytest.approx(statistics.median(row["seconds"]), rel=ROUNDING)
        assert row["spread"] == pytest.approx([min(row["seconds"]), max(row["seconds"])], rel=ROUNDING)
        assert 0 < row["base_mb"] <= row["memory_mb"]


def test_exact_methods_agree():
    """Direct solves of one definite system of condition below 1e4; the step itself is checked in tests/library."""
    exact = ("numpy-dense", "torch-cholesky", "jax-dense", "torch-dense", "jax-structured")
    errors = [row["error"] for row in speed.records() if row["method"] in exact]
    assert errors and max(errors) < 1e-11


def test_says_where_it_comes_from():
    where = speed.environment()
    assert {"cpu", "cores", "versions", "groups"} <= set(where)
    assert set(where["groups"]) == {row["group"] for row in speed.records()}
    assert speed.FILE.stat().st_size < 400_000
