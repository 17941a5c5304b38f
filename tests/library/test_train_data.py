import numpy as np
import pytest

from nntk_lib import (
    NonFiniteError,
    ParameterError,
    Shallow,
    ShapeError,
    circle,
    diabetes,
    empirical_ntk,
    frequency_errors,
    gauss_newton_step,
    gradient_step,
    init,
    interval,
    limit_ntk,
    loss,
    newton_step,
    residual,
    teacher_student,
    train,
    trajectory,
)


@pytest.fixture(scope="module")
def setting():
    net, data = Shallow("tanh", beta=0.75, weight_std=2.0), circle(12, (1, 3))
    return net, data, init(net, 2048, 2, rng=0)


def test_history_is_what_the_loop_did(setting):
    net, data, theta = setting
    before = theta.copy()
    history = train(net, theta, data.X, data.y, newton_step, 3, alpha=0.9, kernel_drift=True, gamma=0.3)
    assert np.array_equal(theta, before)
    by_hand = theta
    for k in range(3):
        step = newton_step(net, by_hand, data.X, data.y, 0.3)
        assert history.steps[k].slope == step.slope and history.steps[k].delta is None
        by_hand = by_hand + 0.9 * step.delta
    assert np.array_equal(history.theta, by_hand)
    assert history.loss[-1] == loss(residual(net, by_hand, data.X, data.y))
    np.testing.assert_allclose(history.movement[-1], np.linalg.norm(by_hand - theta, axis=1))
    A0, A3 = (empirical_ntk(net, t, data.X) for t in (theta, by_hand))
    assert history.kernel_drift[-1] == pytest.approx(np.linalg.norm(A3 - A0, 2) / np.linalg.norm(A0, 2))
    assert history.loss.shape == (4,) and history.residual.shape == (4, 12) and history.movement.shape == (4, 2048)


def test_same_seed_same_bytes(setting):
    net, data, _ = setting
    runs = [train(net, init(net, 300, 2, rng=5), data.X, data.y, newton_step, 2, gamma=2.0) for _ in range(2)]
    assert runs[0].theta.tobytes() == runs[1].theta.tobytes()


@pytest.mark.parametrize(
    "step, method, options",
    [
        (newton_step, "newton", {"gamma": 0.3}),
        (gauss_newton_step, "gauss-newton", {"gamma": 0.3}),
        (gradient_step, "gradient-descent", {"eta": 1.0}),
    ],
)
def test_wide_networks_follow_the_limit(setting, step, method, options):
    net, data, _ = setting
    A = limit_ntk(net, data.X)
    path = trajectory(A, data.y, 4, method, **options)
    gaps = []
    for m in (2**9, 2**15):
        runs = [train(net, init(net, m, 2, rng=s), data.X, data.y, step, 4, **options) for s in range(3)]
        gaps.append(np.mean([np.linalg.norm(run.residual - path.residual) for run in runs]))
    # Theorem 7: rate m^{-1/4} at beta = 3/4; 64 times the width should divide the gap by 2.83
    assert 1.9 < gaps[0] / gaps[1] < 6


def test_progress_bar_appears(setting, capsys):
    net, data, theta = setting
    train(net, theta, data.X, data.y, gradient_step, 2, progress=True)
    assert "training" in capsys.readouterr().err


def test_divergence_is_named(setting):
    net, data, theta = setting
    with pytest.raises(NonFiniteError, match=r"diverged at step \d+.*Reduce"):
        train(net, theta, data.X, data.y, gradient_step, 1000, eta=1e60)
    with pytest.raises(ParameterError, match="steps = -1"):
        train(net, theta, data.X, data.y, gradient_step, -1)
    with pytest.raises(ParameterError, match="alpha"):
        train(net, theta, data.X, data.y, gradient_step, 1, alpha=0)


@pytest.mark.parametrize("make", [circle, interval])
def test_frequency_amplitudes_are_recovered(make):
    data = make(40, (1, 4, 9), (1.0, 0.5, 0.25))
    np.testing.assert_allclose(frequency_errors(data, data.y), [1.0, 0.5, 0.25], atol=1e-12)
    np.testing.assert_allclose(frequency_errors(data, np.stack([data.y, 0 * data.y])).shape, (2, 3))


def test_circle_points_lie_on_the_circle():
    data = circle(9, (1,))
    np.testing.assert_allclose((data.X**2).sum(axis=1), 1)
    np.testing.assert_allclose(data.y, data.X[:, 0], atol=1e-15)


def test_teacher_student_statistics():
    data = teacher_student(500, 3, 4, rng=0, noise=0.1)
    clean = teacher_student(500, 3, 4, rng=0)
    assert clean.y.std() == pytest.approx(1) and (data.y - clean.y).std() == pytest.approx(0.1, rel=5 / np.sqrt(1000))
    assert np.array_equal(data.X, teacher_student(500, 3, 4, rng=0).X)


def test_diabetes_is_standardized():
    data = diabetes()
    assert data.X.shape == (442, 10) and (data.X**2).sum(axis=1).mean() == pytest.approx(1)
    assert data.y.mean() == pytest.approx(0, abs=1e-12) and data.y.std() == pytest.approx(1)
    assert diabetes(50).X.shape == (50, 10)


def test_bad_input_is_named():
    with pytest.raises(ParameterError, match="do not resolve frequency 7; use n > 14"):
        circle(14, (1, 7))
    with pytest.raises(ParameterError, match="do not resolve"):
        interval(14, (7,))
    with pytest.raises(ParameterError, match="positive integers"):
        circle(14, (0,))
    with pytest.raises(ShapeError, match="2 amplitudes for 1 frequencies"):
        circle(14, (1,), (1.0, 2.0))
    with pytest.raises(ParameterError, match="no frequencies"):
        frequency_errors(teacher_student(5, 1, 2, rng=0), np.ones(5))
    with pytest.raises(ShapeError, match="3 entries"):
        frequency_errors(circle(9, (1,)), np.ones(3))
    with pytest.raises(ParameterError, match="n = 1000"):
        diabetes(1000)
