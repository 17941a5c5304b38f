import numpy as np
import pytest

from nntk_lib.data import circle, frequency_errors, interval, teacher_student
from nntk_lib.exceptions import NonFiniteError, ParameterError, ShapeError

EPS = np.finfo(float).eps


@pytest.mark.parametrize("make", [circle, interval])
def test_frequency_amplitudes_are_recovered(make):
    data = make(40, (1, 4, 9), (1.0, 0.5, 0.25))
    assert np.abs(frequency_errors(data, data.y) - [1.0, 0.5, 0.25]).max() <= 40 * EPS
    assert frequency_errors(data, np.stack([data.y, 0 * data.y])).shape == (2, 3)


def test_circle_points_lie_on_the_circle():
    data = circle(9, (1,))
    assert np.abs((data.X**2).sum(axis=1) - 1).max() <= 4 * EPS
    assert np.abs(data.y - data.X[:, 0]).max() <= 4 * EPS


def test_bad_input_is_named():
    for make in (circle, interval):
        with pytest.raises(ParameterError, match="do not resolve frequency 7; use n > 14"):
            make(14, (1, 7))
        for wrong in ((0,), (1.5,), (), 3, ("1",)):
            with pytest.raises(ParameterError, match="positive integers"):
                make(14, wrong)
        with pytest.raises(ShapeError, match="2 amplitudes for 1 frequencies"):
            make(14, (1,), (1.0, 2.0))
        with pytest.raises(NonFiniteError, match="amplitudes"):
            make(14, (1,), (np.nan,))
    with pytest.raises(ParameterError, match="no frequencies"):
        frequency_errors(teacher_student(5, 1, 2, rng=0), np.ones(5))
    with pytest.raises(ShapeError, match="3 entries"):
        frequency_errors(circle(9, (1,)), np.ones(3))
    with pytest.raises(NonFiniteError, match="residual"):
        frequency_errors(circle(9, (1,)), np.full(9, np.nan))
