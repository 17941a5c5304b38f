"""Three cells as chapters of parts 3 to 5 write them: they run as they stand, and give what they gave when designed."""

from dataclasses import replace

import matplotlib
import numpy as np
import pytest

from nntk_lib import (
    Batches,
    Constant,
    Convex,
    Data,
    Deep,
    GaussNewton,
    Gradient,
    Logistic,
    Shallow,
    Smallest,
    Square,
    flow,
    silu,
    train,
)
from nntk_lib.book import style
from nntk_lib.data import ridges, signs

matplotlib.use("Agg")


def test_mini_batches_on_a_deep_network():
    import matplotlib.pyplot as plt

    data, test = ridges(768, d=16, rng=0), ridges(1000, d=16, rng=1)
    net = Deep("silu", widths=(96, 96))
    theta = net.init(d=16, rng=0)
    held = {"test": lambda theta, at: Square().value(net.at(theta, test.X).f, test.y)}
    ggn = GaussNewton(Constant(0.3 / 64))  # Cai's alpha = 0.3, lambda = 1, batches of 64
    runs = {
        "gram-gauss-newton": train(net, theta, data, ggn, epochs=20, batches=Batches(64), record=held),
        "gradient-descent": train(net, theta, data, Gradient(), epochs=20, alpha=0.5, batches=Batches(64), record=held),
    }
    for name, run in runs.items():
        plt.semilogy(run.loss, **style(name))
        plt.semilogy(run["test"], **style(name, linestyle=":", label=None))
    plt.close("all")
    second, first = runs.values()
    assert second.loss[-1] < 0.05 < 0.2 < first.loss[-1] and second["test"][-1] < 0.5 * first["test"][-1]


def test_a_flow_with_adaptive_damping_on_a_general_loss():
    data = signs(40, d=5, rng=0)  # labels -1, 1
    loss = Logistic(ridge=0.1)  # strongly convex
    net = Shallow("tanh", beta=0.5, trains="inner", outputs="mirrored")
    theta, times = net.init(m=400, d=5, rng=0), np.linspace(0, 12, 25)
    dampings = {"adaptive": Convex(r=1.0), "constant": Constant(0.1, 0.9), "gradient flow": Constant(1.0, 0.0)}
    paths = {name: flow(net, theta, data, GaussNewton(rule), times, loss) for name, rule in dampings.items()}
    at = {name: path.loss[[8, 24]] for name, path in paths.items()}  # t = 4 and 12, the sketch's own numbers
    assert at["adaptive"] == pytest.approx([0.3123, 0.3118], abs=1e-4)
    assert at["constant"] == pytest.approx([0.551, 0.463], abs=1e-3)
    assert at["gradient flow"] == pytest.approx([0.668, 0.627], abs=1e-3)


def teacher(n, rng):
    """The sketch's teacher: five SiLU units on the unit sphere."""
    weights = np.random.default_rng(7)
    U, v = weights.standard_normal((5, 10)), weights.standard_normal(5)
    X = np.random.default_rng(rng).standard_normal((n, 10))
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    return Data(X, silu(10.0).f(X @ U.T) @ v / 5, "teacher")


def test_mean_field_the_step_size_decides():
    data, test = teacher(100, rng=0), teacher(500, rng=1)
    net = Shallow(silu(10.0), beta=1.0, bias=False)
    theta = net.init(m=1000, d=10, rng=0)
    gauss_newton = GaussNewton(Smallest(alpha=1.0, floor=1e-7), metric="identity")  # Arbel (5)
    outer = replace(net, trains="outer")
    risk = lambda w: Square().value(net.at(w, test.X).f, test.y)
    found = {}
    for alpha in (0.1, 10.0):
        run = train(net, theta, data, gauss_newton, epochs=300, alpha=alpha, stop=lambda value: value < 1e-6)
        refit = run.theta + GaussNewton(Constant(1e-14))(outer.at(run.theta, data.X), Square(), data.y).delta
        found[alpha] = len(run.steps), risk(run.theta), risk(refit)
    # the sketch: 300 steps, 7.4e-3, 7.5e-4 and 49 steps, 5.7e-4, 5.5e-4
    assert found[0.1] == pytest.approx((300, 7.4e-3, 7.5e-4), rel=0.02)
    assert found[10.0] == pytest.approx((49, 5.7e-4, 5.5e-4), rel=0.02)
