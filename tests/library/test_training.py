"""The loop and its recorders, against loops by hand; flows against exact solutions and against the loop."""

import pickle

import numpy as np
import pytest

from nntk_lib import (
    AboveThreshold,
    Activation,
    Adam,
    Batches,
    Constant,
    Data,
    Deep,
    GainRatio,
    Gamma,
    GaussNewton,
    Gradient,
    LevenbergMarquardt,
    Momentum,
    Newton,
    Shallow,
    Square,
    circle,
    empirical_ntk,
    flow,
    limit_ntk,
    loss,
    newton_step,
    residual,
    train,
    trajectory,
)
from nntk_lib.exceptions import NonFiniteError, NotPositiveDefiniteError, ParameterError, ShapeError
from nntk_lib.methods import Step
from nntk_lib.networks import tanh
from nntk_lib.training import held_out, kernel_drift, movement, outputs, parameters, residual_path, residuals, updates

from .cases import EPS, problem, relative


@pytest.fixture(scope="module")
def setting():
    net, data = Shallow("tanh", beta=0.75, weight_std=2.0), circle(12, (1, 3))
    return net, data, net.init(2048, 2, rng=0)


def test_history_is_what_the_loop_did(setting):
    net, data, theta = setting
    before = theta.copy()
    record = {"moved": movement(theta), "updates": updates(theta), "r": residuals(data.y), "path": parameters}
    record |= {"drift": kernel_drift(net.at(theta, data.X)), "f": outputs, "test": held_out(circle(24, (1, 3)))}
    history = train(net, theta, data, Newton(0.3), 3, alpha=0.9, record=record)
    assert np.array_equal(theta, before)
    by_hand, path = theta, [theta]
    for k in range(3):
        step = newton_step(net, by_hand, data.X, data.y, 0.3)
        assert history.steps[k].slope == step.slope and history.steps[k].delta is None
        assert history["updates"][k + 1] == pytest.approx(0.9 * np.linalg.norm(step.delta, axis=1), rel=1e-9)
        by_hand = by_hand + 0.9 * step.delta
        path.append(by_hand)
    assert np.array_equal(history.theta, by_hand) and np.array_equal(history["path"], path)
    losses = [loss(residual(net, t, data.X, data.y)) for t in path]
    assert history.loss == pytest.approx(losses, rel=4 * EPS)
    np.testing.assert_allclose(history["moved"][-1], np.linalg.norm(by_hand - theta, axis=1))
    A0, A3 = (empirical_ntk(net, t, data.X) for t in (theta, by_hand))
    assert history["drift"][-1] == pytest.approx(np.linalg.norm(A3 - A0, 2) / np.linalg.norm(A0, 2))
    assert history["drift"][0] == 0 and (history["updates"][0] == 0).all()
    assert history.loss.shape == (4,) and history["r"].shape == (4, 12) and history["moved"].shape == (4, 2048)
    assert np.array_equal(history["r"], history["f"] - data.y)
    assert history["test"][0] == loss(residual(net, theta, circle(24, (1, 3)).X, circle(24, (1, 3)).y))
    for k, step in enumerate(history.steps):
        assert step.gain == pytest.approx((losses[k] - losses[k + 1]) / -step.model(0.9), rel=1e-9)
    with pytest.raises(ParameterError, match="'speed' was not recorded; there is moved, updates"):
        history["speed"]


def test_a_direction_may_be_a_function(setting):
    net, data, theta = setting

    def shrinking(at, loss, y, previous=None):
        return Newton(2 * np.linalg.norm(at.f - y))(at, loss, y)

    history = train(net, theta, data, shrinking, 2)
    assert history.steps[0].gamma == pytest.approx(2 * np.linalg.norm(residual(net, theta, data.X, data.y)))


def test_same_seed_same_bytes(setting):
    net, data, _ = setting
    runs = [train(net, net.init(300, 2, rng=5), data, Newton(2.0), 2, batches=Batches(6)) for _ in range(2)]
    assert runs[0].theta.tobytes() == runs[1].theta.tobytes()
    assert runs[0].loss.tobytes() == runs[1].loss.tobytes()


@pytest.mark.parametrize("epochs", [0, 1, 5])
@pytest.mark.parametrize(
    "direction, each", [(Gradient(), 2), (Newton(2.0), 3), (Newton(AboveThreshold()), 4), (GaussNewton(Gamma(1.0)), 3)]
)
def test_the_network_is_evaluated_once_a_step_and_once_more(epochs, direction, each, monkeypatch):
    """The outputs K + 1 times for K steps; every pass of a direction beside that evaluates the activation anew."""
    monkeypatch.setenv("NNTK_THREADS", "1")
    count = 0

    def derivatives(z):
        nonlocal count
        count += z.size
        return tanh.derivatives(z)

    net = Shallow(Activation("counted", derivatives, tanh.sup, tanh.strip))
    data = Data(np.linspace(-1, 1, 8)[:, None], np.linspace(-1, 1, 8) ** 2, "parabola")
    train(net, net.init(500, 1, rng=0), data, direction, epochs)
    assert count == 500 * 8 * (epochs * each + 1)


def test_batches_cover_the_samples():
    for order in ("shuffled", "cyclic"):
        parts = Batches(4, order=order)(10, 0)
        assert [len(part) for part in parts] == [4, 4, 2] and sorted(np.concatenate(parts)) == list(range(10))
    assert [part.tolist() for part in Batches(5, order="cyclic")(10, 7)] == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]]
    fresh = Batches(4, order="fresh")(10, 3)
    assert [len(set(part)) for part in fresh] == [4, 4, 4]
    same, other = (np.concatenate(Batches(4)(50, epoch)) for epoch in (1, 2))
    assert np.array_equal(same, np.concatenate(Batches(4)(50, 1))) and not np.array_equal(same, other)
    for wrong in ({"size": 0}, {"size": 2.5}, {"size": 2, "rng": -1}, {"size": 2, "order": "random"}):
        with pytest.raises(ParameterError, match=list(wrong)[-1]):
            Batches(**wrong)
    with pytest.raises(ParameterError, match="size = 11 exceeds the 10 samples"):
        Batches(11)(10, 0)


def test_mini_batch_steps_are_steps_on_the_batch(setting):
    net, data, theta = setting
    history = train(net, theta, data, GaussNewton(Constant(0.01)), 2, batches=Batches(5, rng=3))
    by_hand = theta
    for epoch in range(2):
        for part in Batches(5, rng=3)(12, epoch):
            at = net.at(by_hand, data.X[part])
            by_hand = by_hand + GaussNewton(Constant(0.01))(at, Square(), data.y[part]).delta
    assert np.array_equal(history.theta, by_hand) and len(history.steps) == 6 and history.loss.shape == (3,)


def test_momentum_and_adam_keep_their_memory_between_steps_and_epochs():
    net, theta, X, y = problem(m=40, n=6)
    data = Data(X, y, "random")
    velocity, by_hand = np.zeros_like(theta), theta
    for epoch in range(3):
        for part in Batches(3)(6, epoch):
            at = net.at(by_hand, X[part])
            velocity = 0.9 * velocity + at.vjp(Square().gradient(at.f, y[part]))
            by_hand = by_hand - 0.05 * velocity
    run = train(net, theta, data, Momentum(0.05, 0.9), 3, batches=Batches(3))
    assert relative(run.theta, by_hand) <= 100 * EPS
    assert all(step.state is None for step in run.steps)
    assert train(net, theta, data, Adam(0.01), 3, batches=Batches(3)).loss[-1] < 2 * run.loss[0]


def test_rejected_steps_leave_everything_where_it_was(setting):
    net, data, theta = setting
    history = train(net, theta, data, Gradient(), 3, accept=lambda step: False)
    assert np.array_equal(history.theta, theta) and len(set(history.loss)) == 1 and len(history.steps) == 3
    wild = LevenbergMarquardt(GainRatio(start=1e-14))
    data = Data(data.X, 30 * data.y, "steep")
    history = train(net, net.init(30, 2, rng=1), data, wild, 80)
    assert (np.diff(history.loss) <= 0).all() and history.loss[-1] < 0.2 * history.loss[0]
    rejected = [step.gain <= 0 for step in history.steps]
    assert any(rejected) and [bool(d == 0) for d in np.diff(history.loss)] == rejected
    dampings = np.array([step.a for step in history.steps])
    assert (dampings[1:][np.array(rejected[:-1])] > dampings[:-1][np.array(rejected[:-1])]).all()
    batched = train(net, net.init(30, 2, rng=1), data, wild, 10, batches=Batches(6))
    assert all(step.gain is not None for step in batched.steps) and batched.loss[-1] < batched.loss[0]


def test_a_run_stops_when_told(setting):
    net, data, theta = setting
    history = train(net, theta, data, Newton(0.3), 50, stop=lambda value: value < 0.1)
    assert history.loss[-1] < 0.1 <= history.loss[-2] and len(history.steps) == len(history.loss) - 1 < 50


@pytest.mark.parametrize(
    "direction, method, options",
    [
        (Newton(0.3), "newton", {"gamma": 0.3}),
        (GaussNewton(Gamma(0.3)), "gauss-newton", {"gamma": 0.3}),
        (Gradient(1.0), "gradient-descent", {"eta": 1.0}),
    ],
)
def test_wide_networks_follow_the_limit(setting, direction, method, options):
    net, data, _ = setting
    A = limit_ntk(net, data.X)
    path = trajectory(A, data.y, 4, method, **options)
    gaps, record = [], {"r": residuals(data.y)}
    for m in (2**9, 2**15):
        runs = [train(net, net.init(m, 2, rng=s), data, direction, 4, record=record)["r"] for s in range(3)]
        gaps.append(np.mean([np.linalg.norm(run - path.residual) for run in runs]))
    # Theorem 7: rate m^{-1/4} at beta = 3/4; 64 times the width should divide the gap by 2.83
    assert 1.9 < gaps[0] / gaps[1] < 6


def test_progress_bar_appears(setting, capsys):
    net, data, theta = setting
    train(net, theta, data, Gradient(), 2, progress=True)
    assert "training" in capsys.readouterr().err


def test_a_failed_run_keeps_its_history(setting):
    net, data, theta = setting
    with pytest.raises(NonFiniteError, match=r"diverged at step \d+.*Reduce") as caught:
        train(net, theta, data, Gradient(1e60), 1000, record={"f": outputs})
    history = caught.value.history
    assert len(history.loss) >= 1 and history["f"].shape == (len(history.loss), 12)
    with pytest.raises(NotPositiveDefiniteError) as caught:
        train(net, net.init(64, 2, rng=0), data, Newton(0.05), 5)
    assert caught.value.history.loss.shape == (1,) and caught.value.history.steps == []


def test_a_path_of_residuals_ends_where_a_block_is_indefinite(setting):
    """It is what `train` records, with NaN for the steps that were not taken."""
    net, data, theta = setting
    whole = train(net, theta, data, Newton(1.0), 4, record={"r": residuals(data.y)})["r"]
    np.testing.assert_array_equal(residual_path(net, theta, data, Newton(1.0), 4), whole)
    path = residual_path(net, theta, data, Newton(1e-6), 4)
    np.testing.assert_array_equal(path[0], whole[0])
    assert np.isnan(path[1:]).all() and path.shape == whole.shape


def test_bad_input_is_named(setting):
    net, data, theta = setting
    for wrong, message in (
        ({"epochs": -1}, "epochs = -1"),
        ({"epochs": 2.5}, "epochs = 2.5"),
        ({"alpha": 0}, "alpha"),
        ({"data": (data.X, data.y)}, "tuple without X and y. Try Data"),
    ):
        with pytest.raises(ParameterError, match=message):
            train(**{"net": net, "theta": theta, "data": data, "direction": Gradient(), "epochs": 1, **wrong})
    with pytest.raises(ShapeError, match="one target a sample"):
        train(net, theta, SimpleData(data.X, data.y[:3]), Gradient(), 1)


class SimpleData:
    """Anything with X and y is a data set."""

    def __init__(self, X, y):
        self.X, self.y = X, y


def test_any_data_and_a_pickled_history(setting):
    net, data, theta = setting
    history = train(net, theta, SimpleData(data.X, data.y), Newton(0.5), 2, record={"f": outputs})
    again = pickle.loads(pickle.dumps(history))
    assert np.array_equal(again.theta, history.theta) and np.array_equal(again["f"], history["f"])


# Flows


def test_a_linear_model_flows_as_its_exact_solution():
    """Only c trains: the kernel is constant, and r(t) = exp(-t s K / n) r(0) for the gradient flow."""
    net, theta, X, y = problem(m=50, n=5, seed=4)
    net = Shallow("tanh", trains="outer")
    at, times, record = net.at(theta, X), np.linspace(0, 5, 6), {"r": residuals(y)}
    lam, Q = np.linalg.eigh(at.kernel_scale * at.gram() / 5)
    exact = np.array([Q @ (np.exp(-t * lam) * (Q.T @ (at.f - y))) for t in times])
    path = flow(net, theta, Data(X, y, "random"), Gradient(), times, record=record)
    assert np.abs(path["r"] - exact).max() <= 1e-6
    assert path.loss == pytest.approx([loss(r) for r in exact], rel=1e-5)
    undamped = flow(net, theta, Data(X, y, "random"), GaussNewton(), times, record=record)
    assert np.abs(undamped["r"] - np.exp(-times)[:, None] * (at.f - y)).max() <= 1e-6
    assert len(path.steps) == 6 and path.times.tolist() == times.tolist()


def test_eulers_method_is_training(setting):
    net, data, theta = setting
    for direction in (Gradient(0.5), Newton(0.5), GaussNewton(Gamma(0.5))):
        path = flow(net, theta, data, direction, [0, 0.5, 1.0, 1.5], method="euler", record={"f": outputs})
        run = train(net, theta, data, direction, 3, alpha=0.5, record={"f": outputs})
        assert np.array_equal(path.theta, run.theta) and np.array_equal(path["f"], run["f"])
        finer = [flow(net, theta, data, direction, np.linspace(0, 1, K + 1), method="euler").theta for K in (8, 16, 32)]
        exact = flow(net, theta, data, direction, [0, 1], method="DOP853").theta
        errors = [np.linalg.norm(theta - exact) for theta in finer]
        assert np.log2(np.divide(errors[:-1], errors[1:])) == pytest.approx([1, 1], abs=0.15)  # of order one


def test_a_method_for_stiff_flows_comes_to_the_same(setting):
    net, data, theta = setting
    ends = {
        method: flow(net, theta, data, Gradient(), [0, 20], method=method, record={"f": outputs})["f"]
        for method in ("LSODA", "DOP853")
    }
    assert relative(ends["LSODA"], ends["DOP853"]) <= 1e-6


def test_an_event_ends_a_flow(setting):
    net, data, theta = setting
    start = loss(residual(net, theta, data.X, data.y))
    for method in ("RK45", "LSODA", "euler"):
        path = flow(
            net,
            theta,
            data,
            Gradient(),
            np.linspace(0, 20, 41),
            method=method,
            event=lambda theta, at: Square().value(at.f, data.y) - start / 2,
        )
        assert 1 < len(path.loss) < 41 and path.loss[-1] > start / 2 and len(path.times) == len(path.loss)


def test_an_event_stops_a_gauss_newton_flow_where_its_jacobian_vanishes():
    """f = v tanh(u) started on the stable manifold of its singular point: J vanishes at a finite time."""

    class Blow:
        kernel_scale = 1.0

        def __init__(self, theta, X):
            self.theta, self.X = np.asarray(theta, float), X
            self.f = np.array([self.theta[1] * np.tanh(self.theta[0])])
            self.J = np.array([self.theta[1] / np.cosh(self.theta[0]) ** 2, np.tanh(self.theta[0])])

        def gram(self):
            return self.J[None] @ self.J[:, None]

        def vjp(self, a):
            return self.J * np.asarray(a)[0]

        def jvp(self, v):
            return np.array([self.J @ v])

    class Net:
        def at(self, theta, X, memory=None):
            return Blow(theta, X)

    u, f0 = 0.7, np.sinh(0.7) * np.tanh(0.7)
    data, times = Data(np.zeros((1, 1)), np.array([-5.0]), "one"), np.linspace(0, 2, 401)
    path = flow(Net(), np.array([u, np.sinh(u)]), data, GaussNewton(), times, event=lambda _, at: at.J @ at.J - 1e-3)
    assert abs(path.times[-1] - np.log((f0 + 5) / 5)) <= 0.01  # f(t) = y + (f0 - y) exp(-t) reaches 0 there
    assert path.loss == pytest.approx(0.5 * ((f0 + 5) * np.exp(-path.times)) ** 2, rel=1e-6)


def test_a_flow_that_explodes_keeps_its_history(setting):
    net, data, _ = setting
    theta = np.full((2, 4), 2.0)

    def explosive(at, loss, y, previous=None):
        return Step("explosive", at.theta**2, 1.0)  # theta(t) = 1 / (1/2 - t)

    with pytest.raises(NonFiniteError, match=r"cannot be continued beyond t = 0\.\d+: .*explode") as caught:
        flow(net, theta, data, explosive, np.linspace(0, 1, 20), record={"theta": parameters})
    history = caught.value.history
    assert len(history.loss) == len(history.times) == 10 and history.times[-1] == 9 / 19
    assert history["theta"][:, 0, 0] == pytest.approx(1 / (0.5 - history.times), rel=1e-6)


def test_flows_name_bad_input(setting):
    net, data, theta = setting
    for times in ([0.0], [0, 1, 1], [1, 0]):
        with pytest.raises(ParameterError, match="times must increase"):
            flow(net, theta, data, Gradient(), times)
    with pytest.raises(ParameterError, match="method = 'rk4' is unknown"):
        flow(net, theta, data, Gradient(), [0, 1], method="rk4")
    with pytest.raises(NonFiniteError, match="Euler's method overflows"):
        flow(net, theta, data, Gradient(1e160), np.arange(50.0), method="euler")


def test_deep_networks_train_and_flow():
    net, rng = Deep("tanh", widths=(6, 5), outputs=2), np.random.default_rng(0)
    data = Data(rng.standard_normal((7, 3)), rng.standard_normal((7, 2)), "random")
    theta = net.init(d=3, rng=0)
    run = train(net, theta, data, GaussNewton(Constant(1e-3)), 30)
    assert run.loss[-1] < 1e-2 * run.loss[0]
    path = flow(net, theta, data, GaussNewton(Constant(1e-3)), [0, 1, 2], Square())
    assert (np.diff(path.loss) < 0).all()


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
def test_whatever_ends_a_run_it_keeps_its_history(setting, error):
    net, data, theta = setting
    seen = []

    def hurt(theta, at):
        seen.append(at.f)
        if len(seen) == 3:
            raise error

    for run in (train, flow):
        seen.clear()
        until = 5 if run is train else np.linspace(0, 1, 6)
        with pytest.raises(error) as found:
            run(net, theta, data, Gradient(), until, record={"f": outputs, "hurt": hurt})
        assert len(found.value.history.loss) == 3 and len(found.value.history["f"]) >= 2


def test_a_step_of_another_shape_is_not_broadcast(setting):
    net, data, theta = setting
    for shape in ((1, theta.shape[1]), (theta.shape[1],), (1,)):
        with pytest.raises(ShapeError, match="delta"):
            train(net, theta, data, lambda at, loss, y, previous=None: Step("mine", np.ones(shape), -1.0), 1)  # noqa: B023
