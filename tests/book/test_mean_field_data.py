"""The stored studies of part 4: all of their points, with what they were made, and some runs of each again."""

import numpy as np
import pytest

from nntk_lib import GaussNewton, Gradient, Smallest, Square
from nntk_lib.exceptions import ParameterError
from nntk_lib.features import refit
from nntk_lib.studies import mean_field
from nntk_lib.studies.runner import VERSIONS, key, lines, read

STORED = [study for study in mean_field.STUDIES if (mean_field.FOLDER / f"{study.name}.jsonl").exists()]
SMALL = {"n": 40, "m": 60, "d": 4, "checked": 300, "chosen": 100, "seed": 1}


def to_the_end(point: dict) -> dict:
    state = result = None
    while result is None:
        state, result = mean_field.advance(point, state)
    return result


def test_what_the_chapters_show_is_stored():
    names = ["step", "collapse", "scale", "activations", "width", "samples", "digits"]
    assert [study.name for study in STORED] == [f"mean-field-{name}" for name in names]


@pytest.mark.parametrize("study", STORED, ids=lambda study: study.name)
def test_study_is_complete(study):
    file = mean_field.FOLDER / f"{study.name}.jsonl"
    stored = read(file)
    assert sorted(stored) == sorted(key(point) for point in study.points)
    assert len(lines(file)) == len(stored) + sum("made" in line for line in lines(file)), "a run is there twice"
    assert file.stat().st_size < 300_000
    for line in lines(file):
        if "made" in line:
            assert {"date", "python", "cpu", "commit", *VERSIONS} <= set(line["made"])
    assert "made" in lines(file)[0]


@pytest.mark.parametrize("study", STORED, ids=lambda study: study.name)
def test_runs_end_as_they_say(study):
    for record in read(mean_field.FOLDER / f"{study.name}.jsonl").values():
        told, result = mean_field.setting(record["point"]), record["result"]
        curves = mean_field.curves(result)
        assert set(result) == {"steps", "end", "curves"}
        assert (np.diff(curves["step"]) > 0).all() and set(curves["step"][:-1]) <= set(mean_field.RECORDED)
        if result["end"] == "tol":
            assert curves["train"][-1] <= told["tol"] and curves["step"][-1] == result["steps"] <= told["cap"]
        elif result["end"] == "cap":
            assert result["steps"] == (0 if told["method"] == "random-features" else told["cap"])


SHORT = {
    "mean-field-step": (
        {"method": "random-features", "seed": 1},
        {"method": "gauss-newton", "alpha": 1.0, "floor": 1e-7, "seed": 2},
        {"method": "gauss-newton", "alpha": 100.0, "floor": 1e-7, "seed": 2},
        {"method": "gauss-newton", "alpha": 100.0, "floor": 1e-12, "seed": 2},
        {"method": "gradient-descent", "alpha": 5000.0, "seed": 1, "cap": 3000},
    ),
    "mean-field-collapse": (
        {"method": "gauss-newton", "alpha": 150.0, "floor": 1e-13, "seed": 1, "s": 0.001, "c": 1000.0},
        {"method": "gauss-newton", "alpha": 150.0, "floor": 1e-13, "seed": 1, "s": 0.01, "c": 100.0},
    ),
    "mean-field-scale": (
        {"method": "gauss-newton", "alpha": 100.0, "seed": 3, "s": 10.0},
        {"method": "gauss-newton", "alpha": 10.0, "seed": 3, "s": 0.01, "act": "silu"},
        {"method": "gradient-descent", "alpha": 15.0, "seed": 2, "s": 10.0, "cap": 3000},
        {"method": "gradient-descent", "alpha": 1500.0, "seed": 4, "s": 1.0, "act": "silu", "cap": 3000},
    ),
    "mean-field-activations": (
        {"method": "gauss-newton", "alpha": 300.0, "floor": 1e-7, "seed": 1, "act": "silu 1e6"},
        {"method": "gauss-newton", "alpha": 30.0, "floor": 1e-7, "seed": 4, "act": "silu", "s": 1.0},
    ),
    "mean-field-width": (
        {"method": "gauss-newton", "alpha": 400.0, "m": 300, "n": 2000, "seed": 2, "act": "silu", "s": 1.0},
        {
            "method": "gradient-descent",
            "alpha": 90.0,
            "m": 300,
            "n": 2000,
            "seed": 4,
            "act": "silu",
            "s": 1.0,
            "cap": 1000,
        },
    ),
    "mean-field-samples": (
        {"method": "random-features", "seed": 2, "s": 1.0, "act": "silu", "n": 200},
        {"method": "gauss-newton", "alpha": 40.0, "seed": 2, "s": 1.0, "act": "silu", "n": 200},
        {"method": "gradient-descent", "alpha": 2500.0, "seed": 3, "s": 1.0, "act": "relu", "n": 200, "cap": 3000},
    ),
}


@pytest.mark.parametrize(("name", "point"), [(name, point) for name in SHORT for point in SHORT[name]])
def test_three_steps_again(name, point):
    """The first rows of a stored run, at its own size."""
    stored = read(mean_field.FOLDER / f"{name}.jsonl")[key(point)]["result"]["curves"]
    again = to_the_end({**point, "cap": 3})["curves"]
    assert [row[0] for row in again] == ([0] if point["method"] == "random-features" else [1, 3])
    for new, old in zip(again, stored, strict=False):
        new, old = (np.array([np.nan if value is None else value for value in row]) for row in (new, old))
        np.testing.assert_allclose(new[:9], old[:9], rtol=5e-3)
        # an eigenvalue that is 0 to rounding has no digits
        np.testing.assert_allclose(new[9], old[9], rtol=5e-3, atol=1e-10)


@pytest.mark.parametrize("act", ["relu", "silu"])
def test_step_is_the_library_s(act):
    told = mean_field.setting({**SMALL, "method": "gauss-newton", "alpha": 7.0, "act": act, "s": 0.5, "c": 0.7})
    given = mean_field.problem(told)
    theta = mean_field.start(told) + 0.1 * np.random.default_rng(0).standard_normal((60, 6))
    at, there = mean_field.one_pass(given.net, theta, given.train.X, True), given.net.at(theta, given.train.X)
    np.testing.assert_allclose(at.f, there.f, atol=1e-15)
    np.testing.assert_allclose(at.gram, there.gram(), rtol=1e-12, atol=1e-17)
    for floor in (1e-7, 1e-3):
        delta, smallest = mean_field.gauss_newton(at, given.train.y, 7.0, floor)
        step = GaussNewton(Smallest(1.0, floor), metric="identity")(there, Square(), given.train.y)
        np.testing.assert_allclose(delta, 7 * step.delta, rtol=1e-7, atol=1e-9 * np.abs(delta).max())
        assert max(smallest, floor) == pytest.approx(step.a, rel=1e-9)
    for kept in (True, False):  # a pass of descent keeps no derivatives, and computes them again
        at = mean_field.one_pass(given.net, theta, given.train.X, kept)
        np.testing.assert_allclose(at.f, there.f, atol=1e-15)
        delta = mean_field.gradient_descent(at, given.train.y, 60.0)
        np.testing.assert_allclose(delta, Gradient(1.0)(there, Square(), given.train.y).delta, atol=1e-15)


def test_row_of_the_curves():
    told = mean_field.setting({**SMALL, "method": "random-features"})
    given, theta = mean_field.problem(told), mean_field.start(told)
    row = dict(zip(mean_field.COLUMNS, to_the_end({**SMALL, "method": "random-features"})["curves"][0], strict=True))
    new = refit(given.net, theta, given.train.X, given.train.y).theta
    for part in ("valid", "test"):
        data = getattr(given, part)
        assert row[part] == pytest.approx(0.5 * np.mean(data.y**2), rel=1e-3)
        loss = 0.5 * np.mean((given.net.at(new, data.X).f - data.y) ** 2)
        assert row[f"refit_{part}"] == pytest.approx(loss, rel=1e-3)
    assert row["c"] == 0 and row["w"] == pytest.approx(1e-3, rel=0.1) and row["smallest"] is None


def test_samples_are_nested_and_parts_share_a_teacher():
    few, many = (mean_field.problem(mean_field.setting({**SMALL, "n": n})) for n in (30, 40))
    assert (many.train.X[:30] == few.train.X).all() and (many.train.y[:30] == few.train.y).all()
    for part in (many.train, many.valid, many.test):
        f = many.net.at(part.teacher, part.X).f
        np.testing.assert_allclose(f, part.y, atol=1e-14)
        assert (part.teacher == many.train.teacher).all()
    assert not np.intersect1d(many.train.X, many.test.X).size and not np.intersect1d(many.valid.X, many.test.X).size


def test_pairs_of_neurons_start_at_zero():
    told = mean_field.setting({**SMALL, "s": 0.1, "c": 3.0})
    theta, given = mean_field.start(told), mean_field.problem(told)
    assert np.abs(given.net.at(theta, given.train.X).f).max() < 1e-14
    assert (np.abs(theta[:, 0]) == 3).all() and (theta[:30, 1:] == theta[30:, 1:]).all()


def test_a_run_in_pieces_is_the_same(monkeypatch):
    """Whatever is kept between two chunks is all that the next one needs."""
    point = {**SMALL, "method": "gauss-newton", "alpha": 4.0, "cap": 60}
    whole = to_the_end(point)
    assert whole["end"] == "cap" and [row[0] for row in whole["curves"]] == [1, 3, 10, 30, 60]
    monkeypatch.setattr("nntk_lib.studies.mean_field.run.CHUNK", 7)
    assert to_the_end(point) == whole


def test_a_lost_run_says_so():
    result = to_the_end({**SMALL, "method": "gradient-descent", "alpha": 1e5, "s": 1.0, "c": 1.0})
    assert result["end"] == "lost" and result["steps"] < 100


def test_runs_are_found_by_what_they_say():
    found = mean_field.runs("mean-field-step", method="gauss-newton", alpha=100.0, floor=1e-7)
    assert sorted(found) == list(mean_field.SEEDS)
    end = mean_field.last(found, "train")
    assert end.shape == (5,) and (end <= 1e-6).all() and (mean_field.after(found, "train", 10_000) == end).all()
    assert (mean_field.after(found, "train", 3) > mean_field.after(found, "train", 10)).all()
    with pytest.raises(ValueError, match="after 2 steps"):
        mean_field.after(found, "train", 2)
    with pytest.raises(ParameterError, match="two runs of seed 1"):
        mean_field.runs("mean-field-step", method="gauss-newton", alpha=100.0)
    assert mean_field.runs("mean-field-nothing") == {}


def test_ends_over_the_samples():
    sizes = mean_field.grids.SAMPLES
    for method, column in (("gradient-descent", "test"), ("random-features", "refit_test")):
        ends = mean_field.ends_over_samples(method, "relu", 1.0)
        assert ends.shape == (len(sizes), 5)
        told = {"method": method, "act": "relu", "s": 1.0, "n": 200}
        one = mean_field.runs("mean-field-samples", **told)[2]
        assert ends[sizes.index(200), 1] == mean_field.curves(one)[column][-1]


def test_errors_say_what_to_do():
    with pytest.raises(ParameterError, match="has no width"):
        mean_field.setting({"width": 3})
    with pytest.raises(ParameterError, match="Take fewer"):
        mean_field.problem(mean_field.setting({**SMALL, "n": 2001}))
    with pytest.raises(ParameterError, match="even"):
        mean_field.start(mean_field.setting({**SMALL, "m": 61, "c": 1.0}))
