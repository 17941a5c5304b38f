"""Messages of networks, losses, limits at any width, and features."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np

import nntk_lib as nn
from nntk_lib import features, limits, networks, verbs
from nntk_lib.limits.filters import Tikhonov
from nntk_lib.losses import sandwich, times

from .follow import code, number, quiet, same
from .problems import (
    AT,
    DEEP,
    DEEP_AT,
    FILTERS,
    GGN,
    IMAGE_AT,
    IMAGES,
    KERNEL,
    NET,
    PIXELS,
    SQUARE,
    THETA,
    WEIGHTS,
    XQ,
    D,
    N,
    X,
    Y,
)

CLASSES, LABELS = np.random.default_rng(1).standard_normal((N, 3)), np.arange(N) % 3
SHORT = networks.Activation("z^2", lambda z: iter((z * z, 2 * z)), (np.inf, np.inf, 2.0), 1.0)
TEN = np.concatenate([PIXELS] * 10)
POOLED = nn.Residual("tanh", channels=(2, 2), groups=None)


def linked(said):
    """`at.cross` with what the message gives is J J^T of the two points."""
    rows = [np.stack([at.vjp(e) for e in np.eye(at.f.size)]) for at in (DEEP_AT, DEEP.at(WEIGHTS, XQ))]
    return same(code(said, at=DEEP_AT, Xq=XQ), rows[0] @ rows[1].T)


def regular(net, x):
    return np.linalg.eigvalsh(limits.limit_ntk(net, x))[0] > 0


def warned(net, x):
    return limits.limit_ntk(net, x)


RELU, OPPOSITE = nn.Shallow("relu", bias=False), np.array([[1.0, 0.2], [-1.0, -0.2], [0.3, 1.0], [-0.3, -1.0]])
FAR = np.array([[1e8], [1e8 + 1], [1e8 + 3]])
SIGMOID = nn.Shallow("sigmoid", bias=False)
REPEATED = np.vstack([X, X[:1]])
DEPENDENT = limits.limit_ntk(NET, X) @ np.diag([1.0] * (N - 1) + [0.0])


def rank_one():
    return np.ones((3, 3))


CASES = {
    "a network": (
        lambda: verbs.forward("tanh", THETA, X),
        lambda said: verbs.forward(code(said), THETA, X).shape == (N,),
    ),
    "a tangent": (
        lambda: GGN(None, SQUARE, Y),
        lambda said: GGN(code(said, net=NET, theta=THETA, X=X), SQUARE, Y).is_descent,
    ),
    "a shallow network": (
        lambda: limits.limit_ntk(DEEP, X),
        lambda said: limits.limit_ntk(code(said), X).shape == (N, N),
    ),
    "a deep network": (
        lambda: limits.deep_limit_ntk(NET, X),
        lambda said: limits.deep_limit_ntk(code(said), X).shape == (N, N),
    ),
    # activations and shallow networks
    "unknown activation": (
        lambda: nn.Shallow("gelu"),
        lambda said: (
            all(nn.Shallow(name).act.name for name in re.search("one of (.*), or", said)[1].split(", "))
            and nn.Shallow(networks.silu(2.0)).act.name == "silu(2)"
        ),
    ),
    "a derivative that is missing": (
        lambda: SHORT.d2f(np.ones(2)),
        lambda said: (
            networks.monomial(2).d2f(np.ones(2))[0] == 2.0
            and replace(SHORT, derivatives=lambda z: iter((z * z, 2 * z, 2 + 0 * z))).d2f(np.ones(2))[0] == 2.0
        ),
    ),
    "outside assumption A1": (
        lambda: nn.newton_step(nn.Shallow("relu"), THETA, X, Y, 50.0),
        lambda said: quiet(lambda: nn.newton_step(nn.Shallow("tanh"), THETA, X, Y, 50.0)).is_descent,
    ),
    "beta": (
        lambda: nn.Shallow("tanh", beta=0.3),
        lambda said: all(nn.Shallow("tanh", beta=beta).beta == beta for beta in (0.5, 1.0, 0.75)),
    ),
    "odd pairs": (
        lambda: nn.Shallow("tanh", outputs="mirrored").init(3, 2, rng=0),
        lambda said: len(nn.Shallow("tanh", outputs="mirrored").init(int(number(said, r"Use (\d+)")), 2, rng=0)) == 4,
    ),
    "theta of other samples": (
        lambda: NET.at(THETA, X[:, :1]),
        lambda said: (
            NET.at(NET.init(20, d=code(said, r"d=(X\.shape\[1\]),", X=X[:, :1]), rng=0), X[:, :1]).f.shape == (N,)
        ),
    ),
    "output weights": (
        lambda: AT.vjp(np.ones(3)),
        lambda said: AT.vjp(np.ones(code(said, r"expected (\(.*\)):"))).shape == THETA.shape,
    ),
    "tangents of two points": (
        lambda: AT.cross(NET.at(2 * THETA, XQ)),
        lambda said: AT.cross(code(said, r": (.*) for each", net=NET, theta=THETA, X=XQ)).shape == (N, 3),
    ),
    # deep networks
    "widths": (
        lambda: nn.Deep("tanh", 64),
        lambda said: nn.Deep("tanh", code(said, r"Try widths=(.*)\.$")).widths == (64, 64),
    ),
    "a frozen layer that is not": (
        lambda: nn.Deep("tanh", (4, 3), frozen=(3,)),
        lambda said: nn.Deep("tanh", (4, 3), frozen=(int(number(said, r"0 to (\d)")),)).frozen == (2,),
    ),
    "all layers frozen": (
        lambda: nn.Deep("tanh", (4, 3), frozen=(0, 1, 2)),
        lambda said: nn.Deep("tanh", (4, 3), frozen=(0, 1)).frozen == (0, 1),
    ),
    "gain": (
        lambda: nn.Deep("tanh", (4, 3), gain="two"),
        lambda said: (
            nn.Deep("tanh", (4, 3), gain=code(said, "Use ('unit')")).gain == "unit" and nn.Deep(gain=2.0).gain == 2
        ),
    ),
    "theta of another size": (
        lambda: DEEP.at(WEIGHTS[:-1], X),
        lambda said: DEEP.at(code(said, net=DEEP), X).f.shape == (N,),
    ),
    "a tangent of another network": (lambda: DEEP_AT.cross(AT), linked),
    "a tangent at other parameters": (lambda: DEEP_AT.cross(DEEP.at(2 * WEIGHTS, XQ)), linked),
    "memory of a deep network": (
        lambda: DEEP.at(WEIGHTS, X, memory=1).gram(),
        lambda said: same(DEEP.at(WEIGHTS, X, memory=int(number(said, r"memory=(\d+)"))).gram(), DEEP_AT.gram()),
    ),
    # images
    "channels": (
        lambda: nn.Residual(channels=16),
        lambda said: nn.Residual(channels=code(said, r"Try channels=(.*)\.$")).channels == (16,),
    ),
    "no channels": (
        lambda: nn.Residual(channels=()),
        lambda said: nn.Residual(channels=code(said, r"Try channels=(.*)\.$")).channels == (16,),
    ),
    "groups of no kind": (
        lambda: nn.Residual(groups=2.5),
        lambda said: [nn.Residual(groups=g).groups for g in (2, None, "batch")] == [2, None, "batch"],
    ),
    "groups that do not divide": (
        lambda: nn.Residual(channels=(16, 6)),
        lambda said: nn.Residual(channels=(16, 6), groups=int(number(said, r"here (\d+) or"))).groups == 2,
    ),
    "a frozen layer of images": (
        lambda: nn.Residual(frozen=(20,)),
        lambda said: nn.Residual(frozen=(int(number(said, r"0 to (\d+)")),)).frozen[0] > 0,
    ),
    "all layers of images frozen": (
        lambda: nn.Residual(frozen=range(7)),
        lambda said: len(nn.Residual(frozen=range(int(number(said, r"0 to (\d+)")))).frozen) == 6,
    ),
    "theta of images": (
        lambda: IMAGES.at(FILTERS[:-1], PIXELS),
        lambda said: IMAGES.at(code(said, net=IMAGES), PIXELS).f.shape == (3,),
    ),
    "a shape of images": (
        lambda: IMAGES.init((4, 4), rng=0),
        lambda said: IMAGES.init((4, 4, 1), rng=0).size == FILTERS.size,
    ),
    "images without channels": (
        lambda: IMAGES.at(FILTERS, PIXELS[..., 0]),
        lambda said: same(IMAGES.at(FILTERS, code(said, r"channel: (.*)\.$", X=PIXELS[..., 0])).f, IMAGE_AT.f),
    ),
    "images that cannot be pooled": (
        lambda: POOLED.init((3, 4, 1), rng=0),
        lambda said: (
            POOLED.init((2, 4, 1), rng=0).size == POOLED.init((4, 4, 1), rng=0).size
            and replace(POOLED, pool=1).init((3, 4, 1), rng=0).size > 0
        ),
    ),
    "one number in a group": (
        lambda: nn.Residual(channels=(4,), groups=4).init((1, 1, 1), 0),
        lambda said: (
            nn.Residual(channels=(4,), groups=2).init((1, 1, 1), 0).size > 0
            and nn.Residual(channels=(4, 4), groups=4, pool=1).init((2, 2, 1), 0).size > 0
        ),
    ),
    "pooled to one number": (
        lambda: nn.Residual(channels=(4, 4), groups=4).init((2, 2, 1), 0),
        lambda said: nn.Residual(channels=(4, 4), groups=4, pool=1).init((2, 2, 1), 0).size > 0,
    ),
    "memory of one image": (
        lambda: IMAGES.at(FILTERS, PIXELS, memory=100).f,
        lambda said: same(IMAGES.at(FILTERS, PIXELS, memory=int(number(said, r"memory=(\d+)"))).f, IMAGE_AT.f),
    ),
    "memory of a Gram matrix": (
        lambda: IMAGES.at(FILTERS, TEN, memory=8000).gram(),
        lambda said: (
            same(
                IMAGES.at(FILTERS, TEN, memory=4 * int(number(said, r"needs (\d+) bytes"))).gram(),
                IMAGES.at(FILTERS, TEN).gram(),
            )
            and IMAGES.at(FILTERS, TEN[:3], memory=8000).gram().shape == (3, 3)
        ),
    ),
    "a Gram matrix of batch normalization": (
        lambda: (
            nn.Residual("tanh", channels=(4,), groups="batch")
            .at(nn.Residual(channels=(4,)).init((4, 4, 1), 0), PIXELS)
            .gram()
        ),
        lambda said: (
            all(
                (net := nn.Residual("tanh", channels=(4,), groups=g)).at(net.init((4, 4, 1), 0), PIXELS).gram().shape
                == (3, 3)
                for g in (4, None)
            )
            and nn.jacobian(
                nn.Residual("tanh", channels=(4,), groups="batch"),
                nn.Residual(channels=(4,)).init((4, 4, 1), 0),
                PIXELS,
            ).shape[0]
            == 3
        ),
    ),
    # losses
    "no loss": (lambda: GGN(AT, "square", Y), lambda said: GGN(AT, code(said), Y).is_descent),
    "a factor and other outputs": (
        lambda: times(np.ones(3), np.ones((6, 1))),
        lambda said: times(np.ones(3), np.ones((6, 1)).reshape(3, 2)).shape == (3, 2),
    ),
    "a factor and another matrix": (
        lambda: sandwich(np.ones(3), np.ones((2, 2))),
        lambda said: sandwich(np.ones(3), np.ones((3, 3))).shape == (3, 3),
    ),
    "outputs of three axes": (
        lambda: SQUARE.value(np.ones((2, 2, 2)), Y),
        lambda said: SQUARE.value(np.ones((2, 2)), np.ones((2, 2))) == 0,
    ),
    "outputs that overflow": (
        lambda: SQUARE.value(np.full(N, np.inf), Y),
        lambda said: np.isfinite(SQUARE.value(NET.at(THETA / 2, X).f, Y)),
    ),
    "a wrong sample beyond all curvature": (
        lambda: nn.GaussNewton(nn.Constant(1.0))(
            DEEP.at(1e4 * WEIGHTS, X), nn.Logistic(), -np.sign(DEEP.at(1e4 * WEIGHTS, X).f)
        ),
        lambda said: all(
            nn.GaussNewton(nn.Constant(1.0), **options)(at, loss, -np.sign(at.f)).is_descent
            for at in [DEEP.at(1e4 * WEIGHTS, X)]
            for options, loss in (({"metric": "identity"}, nn.Logistic()), ({}, nn.Logistic(ridge=0.1)))
        ),
    ),
    "one output for classes": (
        lambda: nn.CrossEntropy().value(AT.f, LABELS),
        lambda said: nn.CrossEntropy().value(CLASSES, LABELS) > 0 and nn.Logistic().value(AT.f, np.sign(Y)) > 0,
    ),
    "targets of no kind": (
        lambda: nn.CrossEntropy().value(CLASSES, np.ones((N, 2))),
        lambda said: nn.CrossEntropy().value(CLASSES, LABELS) == nn.CrossEntropy().value(CLASSES, np.eye(3)[LABELS]),
    ),
    "no probabilities": (
        lambda: nn.CrossEntropy().value(CLASSES, np.ones((N, 3))),
        lambda said: (
            nn.CrossEntropy().value(CLASSES, np.ones((N, 3)) / code(said, r"by (y\.sum.*), or", y=np.ones((N, 3)))) > 0
        ),
    ),
    "a class from 1 on": (
        lambda: nn.CrossEntropy().value(CLASSES, LABELS + 1),
        lambda said: nn.CrossEntropy().value(CLASSES, np.unique(LABELS + 1, return_inverse=True)[1]) > 0,
    ),
    "targets of one column": (
        lambda: SQUARE.value(AT.f, Y[:, None]),
        lambda said: (
            SQUARE.value(AT.f, Y[:, None][..., 0]) == SQUARE.value(AT.f, Y)
            and SQUARE.value((net := nn.Deep("tanh", (4,), outputs=2)).at(net.init(2, rng=0), X).f, np.stack([Y, Y], 1))
            > 0
        ),
    ),
    "weights": (lambda: nn.WeightedSquare([-1.0, 1.0]), lambda said: nn.WeightedSquare([0.0, 1.0]).weights.max() == 1),
    "weights of other samples": (
        lambda: nn.WeightedSquare(np.ones(3)).value(AT.f, Y),
        lambda said: nn.WeightedSquare(np.ones(N)).value(AT.f, Y) > 0,
    ),
    "labels 0 and 1": (
        lambda: nn.Logistic().value(AT.f, (Y > 0).astype(float)),
        lambda said: (
            nn.Logistic().value(AT.f, code(said.replace("2 y", "2 * y"), r"Pass (.*)\.$", y=(Y > 0).astype(float)))
            == nn.Logistic().value(AT.f, np.sign(Y))
        ),
    ),
    "labels of another kind": (
        lambda: nn.Logistic().value(AT.f, 1.0 + LABELS % 2),
        lambda said: nn.Logistic().value(AT.f, np.where(LABELS % 2, 1.0, -1.0)) > 0,
    ),
    # kernels in the limit
    "samples twice": (lambda: limits.limit_ntk(NET, REPEATED), lambda said: regular(NET, REPEATED[:-1])),
    "samples on a line": (
        lambda: limits.limit_ntk(RELU, [[1.0], [2.0]]),
        lambda said: regular(
            replace(RELU, **code(f"{{'bias': {said.split('bias=')[1][:4]}}}", "(.*)")), [[1.0], [2.0]]
        ),
    ),
    "samples far from the origin": (
        lambda: limits.limit_ntk(nn.Shallow("relu"), FAR),
        lambda said: regular(nn.Shallow("relu"), FAR - FAR.mean()),
    ),
    "two pairs of opposite samples": (
        lambda: limits.limit_ntk(SIGMOID, OPPOSITE),
        lambda said: regular(replace(SIGMOID, bias=True), OPPOSITE) and regular(SIGMOID, OPPOSITE[[0, 2, 3]]),
    ),
    "opposite samples that do no harm": (
        lambda: warned(SIGMOID, OPPOSITE[:2]),
        lambda said: regular(SIGMOID, OPPOSITE[[0, 2]]),
    ),
    "no gamma for a singular kernel": (
        lambda: limits.nntk(rank_one(), 0.0),
        lambda said: np.isfinite(limits.nntk(rank_one(), 1e-3)).all(),
    ),
    "a kernel of samples that are too near": (
        lambda: limits.nntk(limits.limit_ntk(NET, np.linspace(0, 1e-3, 12)[:, None]), 0.0),
        lambda said: all(
            same(limits.nntk(limits.limit_ntk(net, x), 0.0), np.eye(len(x)))
            for net, x in (
                (NET, np.linspace(0, 1e-3, 3)[:, None]),
                (NET, np.linspace(-2, 2, 5)[:, None]),
                (nn.Shallow("tanh", weight_std=20.0), np.linspace(0, 1, 12)[:, None]),
            )
        ),
    ),
    "quadrature": (
        lambda: limits.limit_ntk(NET, 1e4 * X),
        lambda said: all(
            np.isfinite(limits.limit_ntk(net, x)).all()
            for net, x in (
                (NET, X),
                (nn.Shallow("tanh", weight_std=1e-4), 1e4 * X),
                (nn.Shallow("erf"), 1e4 * X),
                (nn.Shallow("relu"), 1e4 * X),
                (nn.Shallow("sine"), 1e4 * X),
            )
        ),
    ),
    "a kernel that overflows": (
        lambda: limits.limit_ntk(nn.Shallow("erf"), 1e160 * X),
        lambda said: regular(nn.Shallow("erf"), X),
    ),
    "angles": (lambda: limits.angles(X, XQ[:, :1]), lambda said: limits.angles(X, XQ).shape == (N, 3)),
    "new points": (
        lambda: limits.limit_ntk(NET, X, XQ[:, :1]),
        lambda said: limits.limit_ntk(NET, X, XQ).shape == (3, N),
    ),
    "new points of a deep network": (
        lambda: limits.deep_limit_ntk(DEEP, X, XQ[:, :1]),
        lambda said: limits.deep_limit_ntk(DEEP, X, XQ).shape == (3, N),
    ),
    "an angle for every pair": (
        lambda: limits.dual_activation(networks.tanh, np.ones(2), np.ones(3), np.ones((3, 2))),
        lambda said: (
            limits.dual_activation(networks.tanh, np.ones(2), np.ones(3), np.ones(code(said, r"expected (\(.*\)):")))[
                0
            ].shape
            == (2, 2, 3)
        ),
    ),
    "variances": (
        lambda: limits.dual_activation(networks.tanh, -np.ones(1), np.ones(1), np.ones((1, 1))),
        lambda said: np.isfinite(
            limits.dual_activation(networks.tanh, (-np.ones(1)) ** 2, np.ones(1), np.ones((1, 1)))[0]
        ).all(),
    ),
    "an activation": (
        lambda: limits.dual_activation("tanh", np.ones(1), np.ones(1), np.ones((1, 1))),
        lambda said: (
            limits.dual_activation(code(said, "Try (tanh) of"), np.ones(1), np.ones(1), np.ones((1, 1)))[0].shape
            == (2, 1, 1)
        ),
    ),
    "rows of other samples": (
        lambda: limits.interpolant(KERNEL, Y, KERNEL[:2, :3]),
        lambda said: limits.interpolant(KERNEL, Y, KERNEL[:2]).shape == (2,),
    ),
    "an unstable step": (
        lambda: limits.trajectory(KERNEL, Y, 2, "gradient-descent", eta=100.0),
        lambda said: (
            np.diff(
                limits.trajectory(KERNEL, Y, 20, "gradient-descent", eta=0.999 * number(said, r"< (.*)\.$")).loss
            ).max()
            < 0
        ),
    ),
    "an unknown filter": (
        lambda: limits.mode_factor([1.0], "adam"),
        lambda said: (
            all(
                np.isfinite(limits.mode_factor([1.0], name, gamma=0.1, eta=0.5)).all()
                for name in re.search("one of (.*), or a", said)[1].split(", ")
            )
            and limits.mode_factor([1.0], Tikhonov(0.1)).size == 1
        ),
    ),
    "a filter without its parameter": (
        lambda: limits.mode_factor([1.0], "newton"),
        lambda said: limits.mode_factor([1.0], "newton", **{re.search(r"pass (\w+)=", said)[1]: 0.1}).size == 1,
    ),
    "a filter of steps": (
        lambda: limits.Iterated("newton", 2),
        lambda said: limits.Iterated(code(said, r"such as (.*)\.$"), 2).factor([1.0]) < 0.01,
    ),
    "batches": (
        lambda: limits.batch_path(KERNEL, Y, 8, 1),
        lambda said: limits.batch_path(np.eye(8), np.ones(8), code(said), 1)[-1] == 0,
    ),
    "a batch of repeated samples": (
        lambda: limits.batch_path(np.ones((4, 4)), np.ones(4), nn.Batches(2), 1),
        lambda said: (
            limits.batch_path(np.ones((4, 4)), np.ones(4), nn.Batches(2), 1, damping=0.1)[-1] < 1
            and limits.batch_path(np.eye(4), np.ones(4), nn.Batches(2), 1)[-1] == 0
        ),
    ),
    "a rule to stop": (
        lambda: limits.batch_path(KERNEL, Y, nn.Batches(2), 5, stop=1e-3),
        lambda said: limits.batch_path(KERNEL, Y, nn.Batches(N), 5, stop=code(said)).shape == (2,),
    ),
    "a path from a fit": (
        lambda: limits.batch_path(KERNEL, 0 * Y, nn.Batches(2), 1),
        lambda said: limits.batch_path(KERNEL, Y, nn.Batches(2), 1).shape == (2,),
    ),
    # features
    "features of images": (
        lambda: features.features(IMAGES, FILTERS, PIXELS),
        lambda said: (
            features.features(NET, THETA, X).shape == (N, 20) and features.features(DEEP, WEIGHTS, X).shape == (N, 3)
        ),
    ),
    "a teacher with more inputs": (
        lambda: features.weighted_cosine_distance(THETA, X),
        lambda said: features.weighted_cosine_distance(features.hidden_weights(NET, THETA), X) >= 0,
    ),
    "a teacher of zeros": (
        lambda: features.weighted_cosine_distance(X, np.vstack([XQ, 0 * XQ[:1]])),
        lambda said: features.weighted_cosine_distance(X, XQ) >= 0,
    ),
    "hidden weights of a deep network": (
        lambda: features.hidden_weights(DEEP, WEIGHTS),
        lambda said: features.hidden_weights(NET, THETA).shape == (20, D),
    ),
    "too few parameters of a neuron": (
        lambda: features.hidden_weights(NET, THETA[:, :2]),
        lambda said: features.hidden_weights(NET, THETA[:, : int(number(said, r"least (\d) are"))]).shape == (20, 1),
    ),
    "a cut of 1": (
        lambda: features.refit(NET, THETA, X, Y, cut=1.0),
        lambda said: features.refit(NET, THETA, X, Y, cut=0.5).rank >= 1,
    ),
    "targets of a refit": (
        lambda: features.refit(NET, THETA, X, Y[:3]),
        lambda said: features.refit(NET, THETA, X, Y).residual < 1,
    ),
    "features that are zero": (
        lambda: features.refit(NET, 0 * THETA, X, Y),
        lambda said: features.refit(NET, NET.init(20, D, rng=3), X, Y).rank >= 1,
    ),
    "features that depend": (
        lambda: features.refit(NET, np.vstack([THETA[:2]] * 2), X, Y, cut=0.0),
        lambda said: (
            features.refit(NET, np.vstack([THETA[:2]] * 2), X, Y, cut=code(said, "such as (.*), or")).rank == 2
            and features.refit(NET, np.vstack([THETA[:2]] * 2), X, Y, cut=0.0, ridge=1e-6).residual < 1
        ),
    ),
}
