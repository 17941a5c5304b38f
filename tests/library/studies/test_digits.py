"""The study of digits, on the small images of scikit-learn."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from nntk_lib.studies.mean_field import COLUMNS
from nntk_lib.studies.mean_field import digits as study


@pytest.fixture(scope="module")
def data():
    X, label = load_digits(return_X_y=True)
    X, label = np.tile(X / 16, (2, 1)), np.tile(label, 2)
    return study.labelled(X, label)


def run(data, **more):
    told, state, result = study.DIGITS | {"m": 120, "n": 12, "seed": 1} | more, None, None
    while result is None:
        state, result = study.steps(told, data, state)
    return state, result


def test_the_labels_are_those_of_a_softmax(data):
    assert data.y.shape == (len(data.X), 10) and (data.y > 0).all()
    np.testing.assert_allclose(data.y.sum(axis=1), 1, rtol=1e-12)


def test_the_student_is_in_the_mean_field_scaling(data):
    """Outputs and step against the formulas with 1/m, written out."""
    told = study.DIGITS | {"m": 120, "n": 12, "seed": 1, "method": "gauss-newton", "alpha": 2.0, "cap": 1}
    known, _, _ = study.parts(told, data)
    net, d, m = study.student(120), known.X.shape[1], 120
    U = np.hstack([known.X, np.ones((12, 1))])
    rng = np.random.default_rng(0)
    theta = rng.standard_normal(net.init(d, rng=0).shape)
    W, V = net.layers(theta, d)
    np.testing.assert_allclose(net.at(theta, known.X).f, np.maximum(U @ W.T, 0) @ V.T / m, rtol=1e-12)
    S = np.maximum(U @ net.layers(study.begun(told, d), d)[0].T, 0) / m  # the Jacobian in the output weights
    K = S @ S.T
    damping = max(np.linalg.eigvalsh(K)[0], told["floor"])
    new = 2.0 * S.T @ np.linalg.solve(K + damping * np.eye(12), known.y / 12)
    state, _ = run(data, method="gauss-newton", alpha=2.0, cap=1)
    np.testing.assert_allclose(net.layers(state.theta, d)[1], new.T, rtol=1e-6, atol=1e-9 * abs(new).max())


def test_runs_end_as_they_say(data):
    _, newton = run(data, method="gauss-newton", alpha=1.2, cap=200)
    assert newton["end"] == "tol" and newton["curves"][-1][1] <= 1e-6
    _, descent = run(data, method="gradient-descent", alpha=60.0, cap=30)
    losses = [row[COLUMNS.index("train")] for row in descent["curves"]]
    assert descent["end"] == "cap" and losses == sorted(losses, reverse=True)
    _, lost = run(data, method="gradient-descent", alpha=1e6, cap=200)
    assert lost["end"] == "lost"
    _, features = run(data, method="random-features")
    assert features["steps"] == 0 and len(features["curves"]) == 1


def test_training_sets_are_nested(data):
    few, more = (study.parts(study.DIGITS | {"n": n, "seed": 3}, data)[0] for n in (5, 9))
    assert (more.X[:5] == few.X).all()
    _, valid, test = study.parts(study.DIGITS | {"n": 5, "seed": 3}, data)
    assert len(valid.X) == study.DIGITS["chosen"]
    assert len(test.X) == len(data.X) - study.DIGITS["pool"] - study.DIGITS["chosen"]


def test_the_chapter_s_digits():
    data = study.small_digits()
    assert data.X.shape == (1797, 64) and data.X.min() == 0 and data.X.max() == 1
    assert [len(part.X) for part in study.parts(study.SMALL_DIGITS | {"seed": 1}, data)] == [30, 300, 697]


def test_points_are_new():
    assert len({tuple(sorted(p.items())) for p in study.points()}) == len(study.points()) == 37
