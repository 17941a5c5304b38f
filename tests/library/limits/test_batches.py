import numpy as np
import pytest

from nntk_lib import Batches, Constant, Deep, Square, train
from nntk_lib.data import Data
from nntk_lib.exceptions import ParameterError, ShapeError
from nntk_lib.limits import batch_path
from nntk_lib.methods import Spring

from ..cases import EPS


@pytest.mark.parametrize("order", ["cyclic", "shuffled", "fresh"])
@pytest.mark.parametrize("damping, momentum", [(0.0, 0.0), (0.3, 0.0), (0.3, 0.8)])
def test_it_is_the_training_of_a_linear_model(order, damping, momentum):
    rng = np.random.default_rng(0)
    data = Data(rng.standard_normal((6, 9)), rng.standard_normal(6), "linear")
    net, batches = Deep("tanh", widths=()), Batches(2, 3, order)
    theta = net.init(9, rng=1)
    at, loss = net.at(theta, data.X), Square("sum")
    run = train(net, theta, data, Spring(Constant(damping), momentum), 7, loss=loss, batches=batches)
    sizes = np.sqrt(run.loss / run.loss[0])
    path = batch_path(at.gram(), at.f - data.y, batches, 7, damping, momentum)
    np.testing.assert_allclose(path, sizes, rtol=0, atol=1000 * EPS)
    assert np.abs(path - 1).max() > 0.1  # it moves


def test_it_stops_where_it_is_told_to():
    K, r = np.diag([1.0, 2.0, 3.0]), np.ones(3)
    whole = batch_path(K, r, Batches(3), 9, damping=1.0)
    ended = batch_path(K, r, Batches(3), 9, damping=1.0, stop=lambda size: size < 0.2)
    np.testing.assert_allclose(whole[1], np.linalg.norm([1 / 2, 1 / 3, 1 / 4]) / np.sqrt(3), rtol=10 * EPS)
    assert len(whole) == 10 and np.array_equal(ended, whole[: 1 + np.argmax(whole < 0.2)])


@pytest.mark.parametrize(
    "change, error",
    [
        ({"K": np.ones((3, 2))}, ShapeError),
        ({"r": np.ones(2)}, ShapeError),
        ({"r": np.zeros(3)}, ParameterError),
        ({"damping": -1.0}, ParameterError),
        ({"momentum": 1.0}, ParameterError),
        ({"epochs": -1}, ParameterError),
    ],
)
def test_bad_input_is_named(change, error):
    given = {"K": np.eye(3), "r": np.ones(3), "batches": Batches(1), "epochs": 2} | change
    with pytest.raises(error):
        batch_path(**given)
