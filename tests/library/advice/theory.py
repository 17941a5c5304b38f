"""Messages of the theory, of geometry, of training and of flows."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np

import nntk_lib as nn
from nntk_lib import geometry, methods, theory, training
from nntk_lib.methods.base import Step

from ..cases import FOLD, Surface
from .follow import code, number
from .problems import AT, DATA, DEEP, FILTERS, GGN, IMAGES, NET, ONE, PIXELS, THETA, WEIGHTS, D, N, X, Y

RUN = {"net": NET, "theta": THETA, "data": DATA}
LEMMA = {"net": NET, "X": X, "m": 10**4, "steps": 2, "residual": 2.0, "c_max": 2.0}
WIDTHS, FALLING = [10, 100, 1000], [2.0, 0.2, 0.021]
ERRORS = [1e-1, 1e-2, 1e-4, 1e-8]
INNER = replace(NET, trains="inner")


# Outputs (max(a, 1/2), b, 0): beyond a = 1/2 nothing depends on a.
EDGE = Surface(
    lambda q: np.array([max(q[0], 0.5), q[1], 0.0]),
    lambda q, v: np.array([v[0] * (q[0] > 0.5), v[1], 0.0]),
    lambda q, v, w: np.zeros(3),
)


def folded(net, end, velocity=(-1.0, 0.2)):
    return geometry.geodesic(net, [1.0, 0.0], np.empty((0, 1)), list(velocity), [0.0, end])


def explosive(at, loss, y, previous=None):
    return Step("explosive", at.theta**2, 1.0)  # theta(t) = 1 / (1/2 - t)


def exploding(times, direction=explosive, **options):
    theta = np.full((2, 4), 2.0)
    return nn.flow(NET, theta, DATA, direction, times, **options)


def damped(at, loss, y, previous=None):
    return Step("damped", at.theta**2 - 4 * at.theta, 1.0)


def best(**options):
    return geometry.best_function(NET, ONE, X, Y, **options)


def kept(net, theta, y, direction, epochs, **options):
    return training.train(net, theta, nn.Data(X, y, "kept"), direction, epochs, **options)


TWENTY = nn.Data(np.vstack([X] * 4)[:20], np.tile(Y, 4)[:20], "twenty")
CURVED = geometry.tangent_space(NET.at(ONE, X))
CASES = {
    # theory
    "alpha beyond 2": (
        lambda: theory.a_priori(**LEMMA, gamma=50.0, alpha=2.5),
        lambda said: theory.a_priori(**LEMMA, gamma=500.0, alpha=number(said, r"exceeds (\d):")).residual.size == 3,
    ),
    "condition (20) fails": (
        lambda: theory.a_priori(**LEMMA, gamma=0.01),
        lambda said: (
            theory.a_priori(**LEMMA, gamma=number(said, "would be gamma = ([^,]*),")).residual.size == 3
            and theory.a_priori(**LEMMA | {"m": int(number(said, "or m = ([^ ]*) "))}, gamma=0.01).residual.size == 3
        ),
    ),
    "both layers": (
        lambda: theory.jacobian_change(INNER, THETA, X),
        lambda said: theory.jacobian_change(NET, THETA, X) > 0,
    ),
    "a method for a gamma": (
        lambda: theory.path_error(NET, THETA, X, Y, 20.0, 1, method="newton"),
        lambda said: all(
            theory.path_error(NET, THETA, X, Y, 20.0, 1, method=method).norm().size == 2
            for method in (methods.Newton, methods.GaussNewton)
        ),
    ),
    "a part of a path": (
        lambda: theory.path_error(NET, THETA, X, Y, 20.0, 1).norm("all"),
        lambda said: all(
            theory.path_error(NET, THETA, X, Y, 20.0, 1).norm(part).size == 2
            for part in ["total", *re.search("one of (.*)[.]$", said)[1].split(", ")]
        ),
    ),
    "hits that are shares": (
        lambda: theory.proportion_interval(0.5, 10),
        lambda said: theory.proportion_interval(int((Y > 0).sum()), N).shape == (2,),
    ),
    "a level": (
        lambda: theory.proportion_interval(1, 2, level=1.0),
        lambda said: theory.proportion_interval(1, 2, level=0.9)[0] > 0,
    ),
    "hits of other trials": (
        lambda: theory.proportion_interval([1, 2], [3, 4, 5]),
        lambda said: theory.proportion_interval([1, 2], [3, 4]).shape == theory.proportion_interval([1, 2], 4).shape,
    ),
    "one seed": (
        lambda: theory.mean_interval([1.0]),
        lambda said: np.ptp(theory.mean_interval([1.0, 2.0])) > 0,
    ),
    "two widths": (
        lambda: theory.fit_rate(WIDTHS[:2], FALLING[:2]),
        lambda said: -1.1 < theory.fit_rate(WIDTHS, FALLING).exponent < -0.9,
    ),
    "an error of zero": (
        lambda: theory.fit_rate([*WIDTHS, 10**4], [*FALLING, 0.0]),
        lambda said: -1.1 < theory.fit_rate(WIDTHS, FALLING).exponent < -0.9,
    ),
    "a level of a rate": (
        lambda: theory.fit_rate(WIDTHS, FALLING, level=1.0),
        lambda said: theory.fit_rate(WIDTHS, FALLING, 0.5).level == 0.5,
    ),
    "two errors": (
        lambda: theory.convergence_order(ERRORS, below=1e-3),
        lambda said: abs(theory.convergence_order(ERRORS, below=0.05) - 2) < 1e-9,
    ),
    # geometry
    "no minimum yet": (
        lambda: best(steps=1),
        lambda said: best(steps=500, tol=1e-6).stationarity <= 1e-6 and best(steps=1, tol=10.0).steps == 0,
    ),
    "times of a geodesic": (
        lambda: geometry.geodesic(NET, ONE, X, 0.1 * ONE, [1.0, 2.0]),
        lambda said: len(geometry.geodesic(NET, ONE, X, 0.1 * ONE, code(said, r"such as (.*)\.$")).times) == 50,
    ),
    "an edge": (
        lambda: folded(EDGE, 1.0),
        lambda said: (
            folded(EDGE, 0.9 * number(said, "near t = ([^:]*):")).length > 0
            and folded(EDGE, 1.0, (1.0, 0.2)).length > 0
        ),
    ),
    "a fold": (
        lambda: folded(FOLD, 1.0),
        lambda said: folded(FOLD, 0.99 * number(said, "ends at t = ([^:]*):")).length > 0.9,
    ),
    "more parameters than the rank": (
        lambda: geometry.shortest_path(NET, THETA, 1.01 * THETA, X, 2),
        lambda said: (
            geometry.shortest_path(NET, ONE, 1.01 * ONE, X, 2).length > 0
            and geometry.shortest_path(
                NET, two := NET.init(2, 1, rng=0), 1.01 * two, np.linspace(-2, 2, 9)[:, None], 2
            ).length
            > 0
        ),
    ),
    "ends that do not train": (
        lambda: geometry.shortest_path(INNER, ONE, 1.01 * ONE, X, 2),
        lambda said: geometry.shortest_path(INNER, ONE, ONE * [1.0, 1.01, 1.01, 1.01], X, 2).length > 0,
    ),
    "no second derivatives": (
        lambda: geometry.tangent_space(IMAGES.at(FILTERS, PIXELS)).curvature(FILTERS, FILTERS),
        lambda said: (
            CURVED.curvature(ONE, ONE).shape == (N,)
            and geometry.tangent_space(DEEP.at(WEIGHTS, X)).curvature(WEIGHTS, WEIGHTS).shape == (N,)
        ),
    ),
    "no tangent space": (
        lambda: geometry.tangent_space(NET.at(0 * ONE, X)),
        lambda said: geometry.tangent_space(NET.at(NET.init(1, D, rng=5), X)).dimension > 0,
    ),
    # training
    "a large batch": (
        lambda: nn.Batches(20)(N, 0),
        lambda said: (
            len(nn.Batches(int(number(said, r"at most (\d+),")))(N, 0)) == 1
            and len(kept(NET, THETA, Y, GGN, 1, batches=None).steps) == 1
        ),
    ),
    "not recorded": (
        lambda: kept(NET, THETA, Y, GGN, 1)["f"],
        lambda said: kept(NET, THETA, Y, GGN, 1, record={"f": training.outputs})["f"].shape == (2, N),
    ),
    "parameters that overflow": (
        lambda: kept(NET, THETA, Y, nn.Gradient(1e200), 100),
        lambda said: all(
            np.diff(kept(NET, THETA, Y, direction, 5, alpha=alpha).loss).max() < 0
            for direction, alpha in ((nn.Gradient(1e200), 1e-201), (nn.Gradient(0.1), 1.0), (GGN, 1.0))
        ),
    ),
    "a loss that overflows": (
        lambda: kept(nn.Shallow("softplus"), THETA, Y, nn.Gradient(1e100), 100),
        lambda said: np.diff(kept(nn.Shallow("softplus"), THETA, Y, nn.Gradient(0.1), 5).loss).max() < 0,
    ),
    "batches of a run": (
        lambda: kept(NET, THETA, Y, GGN, 1, batches=64),
        lambda said: (
            len(
                training.train(
                    net := nn.Shallow("tanh"), net.init(20, 1, rng=0), nn.interval(100), GGN, 1, batches=code(said)
                ).steps
            )
            == 2
        ),
    ),
    "a batch of no samples of these": (
        lambda: kept(NET, THETA, Y, GGN, 1, batches=lambda n, epoch: [np.array([7])]),
        lambda said: (
            len(kept(NET, THETA, Y, GGN, 1, batches=lambda n, epoch: [code(said, r"such as (.*)\.$")]).steps) == 1
        ),
    ),
    "batches that are none": (
        lambda: kept(NET, THETA, Y, GGN, 1, batches=lambda n, epoch: 3),
        lambda said: (
            len(training.train(NET, THETA, TWENTY, GGN, 1, batches=lambda n, epoch: code(said, n=n)).steps) == 2
        ),
    ),
    "stop": (
        lambda: kept(NET, THETA, Y, GGN, 1, stop=1e-6),
        lambda said: len(kept(NET, THETA, Y, GGN, 1, stop=code(said)).loss) == 2,
    ),
    "accept": (
        lambda: kept(NET, THETA, Y, GGN, 1, accept=True),
        lambda said: len(kept(NET, THETA, Y, GGN, 1, accept=code(said)).loss) == 2,
    ),
    "a direction": (
        lambda: training.train(**RUN, direction="newton", epochs=1),
        lambda said: len(training.train(**RUN, direction=code(said), epochs=1).loss) == 2,
    ),
    "recorders": (
        lambda: kept(NET, THETA, Y, GGN, 1, record=["f"]),
        lambda said: kept(NET, THETA, Y, GGN, 1, record=code(said))["f"].shape == (2, N),
    ),
    "a recorder": (
        lambda: kept(NET, THETA, Y, GGN, 1, record={"f": "outputs"}),
        lambda said: kept(NET, THETA, Y, GGN, 1, record={"f": code(said)})["f"].shape == (2, N),
    ),
    "no step": (
        lambda: kept(NET, THETA, Y, lambda *_: THETA, 1),
        lambda said: (
            len(
                kept(
                    NET, THETA, Y, lambda *_: code(said, name="mine", delta=-0.01 * AT.vjp(AT.f - Y), slope=-1.0), 1
                ).loss
            )
            == 2
        ),
    ),
    # flows
    "times of a flow": (lambda: exploding([1.0, 0.0]), lambda said: len(exploding([0.0, 0.1]).loss) == 2),
    "a direction of a flow": (
        lambda: exploding([0.0, 0.1], "gradient"),
        lambda said: len(exploding([0.0, 0.1], code(said)).loss) == 2,
    ),
    "an event": (
        lambda: exploding([0.0, 0.1], event=0.5),
        lambda said: len(exploding([0.0, 0.1], event=code(said)).loss) == 2,
    ),
    "an explosion": (
        lambda: exploding([0.0, 0.25, 1.0]),
        lambda said: (
            len(exploding([0.0, 0.25, 1.0], event=lambda theta, at: 100 - np.abs(theta).max()).loss) == 2
            and len(exploding([0.0, 0.25, 1.0], damped).loss) == 3
        ),
    ),
    "Euler's overflow": (
        lambda: exploding(np.linspace(0, 60, 31), method="euler"),
        lambda said: len(exploding(np.linspace(0, 0.4, 31), method="euler").loss) == 31,
    ),
}
