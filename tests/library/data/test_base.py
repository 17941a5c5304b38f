import inspect
import pickle

import numpy as np
import pytest

from nntk_lib import data as room
from nntk_lib.data import Data, circle, digits, ridges, rotated_digits, signs, single_index, sphere, teacher_student
from nntk_lib.exceptions import ParameterError

RANDOM = {
    "ridges": lambda rng: ridges(30, 4, rng),
    "signs": lambda rng: signs(30, 4, rng),
    "single index": lambda rng: single_index(30, 4, rng),
    "sphere": lambda rng: sphere(30, 4, rng),
    "teacher": lambda rng: teacher_student(30, 4, 3, rng, noise=0.1),
    "rotated digits": lambda rng: rotated_digits(30, rng),
    "digits": lambda rng: digits(30, rng),
}


@pytest.mark.parametrize("name", RANDOM)
def test_same_seed_same_bytes(name):
    make = RANDOM[name]
    one, two, other = make(3), make(np.random.default_rng(3)), make(4)
    assert one.X.tobytes() == two.X.tobytes() and one.y.tobytes() == two.y.tobytes()
    assert one.X.tobytes() != other.X.tobytes()
    assert len(one.X) == len(one.y) == 30 and np.isfinite(one.X).all() and np.isfinite(one.y).all()
    again = pickle.loads(pickle.dumps(one))
    assert again.X.tobytes() == one.X.tobytes() and again.name == one.name


@pytest.mark.parametrize("name", RANDOM)
@pytest.mark.parametrize("rng", [None, -1, 0.5, "0", True], ids=repr)
def test_what_cannot_be_repeated_is_refused(name, rng):
    with pytest.raises(ParameterError, match=r"rng = .* must be an integer, 0 or more"):
        RANDOM[name](rng)


@pytest.mark.parametrize("count", [0, -1, 2.5, True, np.nan, None, "7"], ids=repr)
def test_counts_are_positive_integers(count):
    for make in (
        lambda: ridges(count, 3, 0),
        lambda: ridges(3, count, 0),
        lambda: ridges(3, 3, 0, count=count),
        lambda: signs(count, 3, 0),
        lambda: signs(3, count, 0),
        lambda: single_index(count, 3, 0),
        lambda: single_index(3, count, 0),
        lambda: sphere(count, 3, 0),
        lambda: sphere(3, count, 0),
        lambda: teacher_student(count, 3, 3, 0),
        lambda: teacher_student(3, count, 3, 0),
        lambda: teacher_student(3, 3, count, 0),
        lambda: rotated_digits(count, 0),
        lambda: circle(count, (1,)),
        lambda: circle(9, (count,)),
        lambda: sphere(9, 2, 0).split(count),
    ):
        with pytest.raises(ParameterError):
            make()
    assert ridges(np.int64(3), 2.0, 0).X.shape == (3, 2)  # integers of any type


def test_split_and_flat():
    data = rotated_digits(10, 0)
    first, rest = data.split(7)
    assert first.X.shape == (7, 8, 8, 1) and rest.y.shape == rest.t.shape == (3,)
    assert np.array_equal(np.concatenate([first.X, rest.X]), data.X) and first.name == data.name
    assert data.flat().X.shape == (10, 64) and np.array_equal(data.flat().X.reshape(data.X.shape), data.X)
    assert circle(9, (1,)).split(4)[0].frequencies == ()
    with pytest.raises(ParameterError, match="n = 10 must be less than 10"):
        data.split(10)


def test_every_public_name_has_a_docstring():
    for name in room.__all__:
        assert inspect.getdoc(getattr(room, name)), name
    assert Data(np.zeros((2, 1)), np.zeros(2), "none").teacher is None
