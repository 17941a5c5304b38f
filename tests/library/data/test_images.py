import numpy as np
import pytest
from scipy.ndimage import rotate as slow_rotate

from nntk_lib.data import digits, rotated_digits
from nntk_lib.data.images import TRAIN, originals, rotate
from nntk_lib.exceptions import ParameterError

EPS = np.finfo(float).eps


@pytest.mark.parametrize("size", [8, 7])
def test_rotations_are_those_of_scipy(size):
    rng = np.random.default_rng(size)
    images, angles = rng.random((40, size, size)), np.r_[rng.uniform(-180, 180, 33), 0, 45, 90, -90, 135, 180, -180]
    expected = [
        slow_rotate(i, a, reshape=False, order=1, mode="grid-constant") for i, a in zip(images, angles, strict=True)
    ]
    assert np.abs(rotate(images, np.deg2rad(angles)) - expected).max() <= 32 * size * EPS


def test_quarter_turns_lose_nothing():
    image = np.random.default_rng(0).random((1, 8, 8))
    assert np.array_equal(rotate(image, np.zeros(1)), image)
    for k in range(1, 4):
        turned = rotate(image, np.array([k * np.pi / 2]))[0]
        assert np.abs(turned - np.rot90(image[0], k)).max() <= 32 * 8 * EPS


def test_rotated_digits_are_images_with_their_angles():
    data = rotated_digits(4200, rng=0)
    assert data.X.shape == (4200, 8, 8, 1) and data.y.shape == data.t.shape == (4200,)
    assert np.abs(data.y).max() <= 1 and np.abs(data.t - np.deg2rad(45) * data.y).max() <= 2 * EPS
    assert data.y.var() == pytest.approx(1 / 3, rel=5 / np.sqrt(4200))
    assert np.abs(data.X.mean(axis=0)).max() < 5 / np.sqrt(1400) and (data.X**2).mean() == pytest.approx(1, rel=0.05)
    assert np.array_equal(rotated_digits(5, 0, largest=10.0).y, rotated_digits(5, 0).y)


def test_training_and_test_images_come_from_other_digits_with_one_scale():
    upright = 1e-9  # degrees: practically not turned
    train, test = rotated_digits(TRAIN, 0, largest=upright), rotated_digits(397, 0, "test", largest=upright)
    images, _ = originals()
    assert len(np.unique(train.X.round(6).reshape(TRAIN, -1), axis=0)) == len(np.unique(images[:TRAIN], axis=0))
    seen = {x.round(6).tobytes() for x in train.X + 0.0}
    twice = {i.tobytes() for i in images[:TRAIN]} & {i.tobytes() for i in images[TRAIN:]}
    assert sum(x.round(6).tobytes() in seen for x in test.X + 0.0) <= len(twice)
    assert np.abs(train.X.mean(axis=0)).max() < 1e-6 < np.abs(test.X.mean(axis=0)).max()


def test_digits_have_ten_classes_and_do_not_repeat():
    data = digits()
    assert data.X.shape == (1797, 8, 8, 1) and data.y.shape == (1797, 10)
    assert np.array_equal(data.y.sum(axis=1), np.ones(1797)) and data.y.sum(axis=0).min() >= 170
    assert np.abs(data.X.mean(axis=0)).max() <= 64 * EPS and (data.X**2).mean() == pytest.approx(1, rel=64 * EPS)
    assert np.array_equal(digits(40, 1).X, digits(90, 1).X[:40])


def test_bad_input_is_named():
    with pytest.raises(ParameterError, match="n = 1798 must be at most 1797"):
        digits(1798)
    with pytest.raises(ParameterError, match="n = 0"):
        digits(0)
    with pytest.raises(ParameterError, match="part = 'valid' is unknown; use 'train' or 'test'"):
        rotated_digits(5, 0, "valid")
    for wrong in (0, -45, 181, np.inf):
        with pytest.raises(ParameterError, match="largest"):
            rotated_digits(5, 0, largest=wrong)
