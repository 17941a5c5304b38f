"""Messages of directions, damping rules and routes."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np

import nntk_lib as nn
from nntk_lib import methods
from nntk_lib.exceptions import NotPositiveDefiniteError
from nntk_lib.methods.baselines import KFAC, Adam, Momentum
from nntk_lib.methods.damping import Spectrum
from nntk_lib.methods.spring import Spring

from .follow import code, number
from .problems import AT, DEEP, DEEP_AT, GGN, IMAGE_AT, KERNEL, NET, SQUARE, THETA, D, N, X, Y

FIT = {"net": NET, "theta": THETA, "X": X, "y": 3 * Y}
WIDE = FIT | {"theta": NET.init(300, D, rng=0)}
CG, SOLVE = methods.ConjugateGradients(), methods.Direct(indefinite="solve")
CUT = DEEP.init(D, rng=0)
DEEP.layers(CUT, D)[-1][...] = 0
THREE = nn.Deep("tanh", (5, 4), outputs=3)
CLASSES, LABELS = THREE.at(THREE.init(D, rng=1), X), np.arange(N) % 3
TWICE = NET.at(THETA, np.vstack([X, X[:1]]))
MANY = np.append(Y, 0.3)
TALL = NET.at(NET.init(1, D, rng=0), X)


def largest(at):
    return np.linalg.eigvalsh(at.gram() / at.f.size)[-1]


def wider(said):
    """A network of the width that the message says, at the same gamma; "about" is up to a half."""
    m = int(3 / 2 * number(said, "a width of about ([^ ]*) at"))
    return nn.newton_step(NET, NET.init(m, D, rng=0), X, 3 * Y, 0.3).is_descent


def named(route):
    try:
        nn.newton_step(**FIT, gamma=0.01, route=route)
    except NotPositiveDefiniteError as error:
        return error.neuron is not None
    return False


def met(said):
    """The gamma of conjugate gradients' message, and safe_gamma, both suffice; route=Direct() names the neuron."""
    enough = number(said, "Any gamma > ([^ ;]*)")
    return (
        nn.newton_step(**FIT, gamma=1.001 * enough).is_descent
        and nn.newton_step(**FIT, gamma=1.001 * enough, route=CG).is_descent
        and nn.newton_step(**FIT, gamma=nn.safe_gamma(**FIT) * 1.001, route=CG).is_descent
        and named(methods.Direct())
    )


def far(at=1.0):
    """A network whose outputs are finite, and whose derivatives are not."""
    net = nn.Shallow(nn.Activation("steep", steep, (np.inf, np.inf, np.inf), 1.0))
    return net.at(THETA * at, X)


def steep(z):
    yield z
    yield np.where(np.abs(z) > 1e3, np.inf, 1.0)
    yield 0 * z


def step(direction, at=AT, y=Y, loss=SQUARE, previous=None):
    return direction(at, loss, y, previous)


LAST = step(Momentum())
CASES = {
    # damping rules
    "a rule that gives nothing": (
        lambda: step(methods.GaussNewton(lambda *_: (-1.0, 1.0))),
        lambda said: step(methods.GaussNewton(lambda *_: (0.0, 1.0))).is_descent,
    ),
    "no system": (
        lambda: nn.Constant(0.0, 0.0),
        lambda said: (
            step(methods.GaussNewton(code(said, "Use (.*), the"))).is_descent
            and step(methods.GaussNewton(nn.Constant(0.1, 0.0))).is_descent
        ),
    ),
    "a rule without the residual": (
        lambda: nn.ResidualNorm(0.1)(Spectrum(lambda: KERNEL), AT),
        lambda said: nn.ResidualNorm(0.1)(Spectrum(lambda: KERNEL, residual=1.0), AT)[0] > 0,
    ),
    "a residual of zero": (
        lambda: step(methods.GaussNewton(nn.ResidualNorm(0.1)), y=AT.f),
        lambda said: not step(methods.GaussNewton(nn.ResidualNorm(0.1, floor=1e-6)), y=AT.f).delta.any(),
    ),
    "rho": (
        lambda: nn.Convex(rho=2.0),
        lambda said: [nn.Convex(rho=r)(None, None) for r in (0.0, 1.0)] == [(0, 1), (1, 0)],
    ),
    "lam and rho": (
        lambda: nn.Convex(lam=1.0, rho=0.5),
        lambda said: nn.Convex(lam=1.0)(None, None) == nn.Convex(rho=0.5)(None, None),
    ),
    "gain ratio": (
        lambda: nn.GainRatio(low=0.8, high=0.7),
        lambda said: (
            nn.GainRatio(*map(float, re.search(r"are (.*), (.*), (.*) and (.*)\.$", said).groups())) == nn.GainRatio()
        ),
    ),
    "tau": (
        lambda: nn.AboveThreshold(1.0),
        lambda said: step(nn.Newton(nn.AboveThreshold(number(said, r"Try (.*)\.$")))).is_descent,
    ),
    "a rule for Newton": (
        lambda: step(methods.GaussNewton(nn.AboveThreshold())),
        lambda said: step(methods.GaussNewton(nn.Smallest(1.0, 1e-6))).is_descent,
    ),
    "nothing is left to fit": (
        lambda: step(nn.Newton(nn.AboveThreshold()), y=AT.f),
        lambda said: not step(nn.Newton(nn.AboveThreshold(floor=0.1)), y=AT.f).delta.any(),
    ),
    "a bound of Lemma 20": (
        lambda: nn.safe_gamma(nn.Shallow("relu"), THETA, X, Y, "bound"),
        lambda said: nn.safe_gamma(nn.Shallow("relu"), THETA, X, Y, code(said, "method=('eigenvalues')")) >= 0,
    ),
    "a bound that overflows": (
        lambda: nn.safe_gamma(NET, THETA, X, 1e308 * Y, "bound"),
        lambda said: nn.safe_gamma(NET, THETA, X, Y, "bound") > 0,
    ),
    "blocks that overflow": (
        lambda: nn.safe_gamma(NET, THETA, 1e155 * X, Y),
        lambda said: nn.safe_gamma(NET, THETA, X, Y) > 0,
    ),
    # Newton
    "a route": (
        lambda: nn.Newton(1.0, "cg"),
        lambda said: all(nn.Newton(1.0, route) for route in code(said.replace(" or ", ", "))),
    ),
    "a gamma that is too small": (
        lambda: nn.newton_step(**WIDE, gamma=0.3),
        lambda said: (
            nn.newton_step(**WIDE, gamma=1.001 * number(said, "Any gamma > ([^ ]*) suffices")).is_descent
            and wider(said)
            and nn.newton_step(**WIDE, gamma=code(said, r"; (safe_gamma\(.*\)) finds", **WIDE)).min_eig > 0
            and np.isfinite(nn.newton_step(**WIDE, gamma=0.3, route=code(said, r"route=(.*\)) takes")).delta).all()
        ),
    ),
    "Newton of a deep network": (
        lambda: step(nn.Newton(1.0), DEEP_AT),
        lambda said: step(nn.Newton(20.0)).is_descent and step(GGN, DEEP_AT).is_descent,
    ),
    "conjugate gradients that do not converge": (
        lambda: nn.newton_step(**FIT, gamma=20.0, route=methods.ConjugateGradients(limit=1)),
        lambda said: (
            nn.newton_step(**FIT, gamma=20.0, route=code(said, r"route=(Direct\(\))")).is_descent
            and nn.newton_step(**FIT, gamma=20.0, route=methods.ConjugateGradients(rtol=0.5, limit=3)).is_descent
            and nn.newton_step(**FIT, gamma=1e12, route=methods.ConjugateGradients(limit=2)).is_descent
        ),
    ),
    "conjugate gradients that overflow": (
        lambda: nn.newton_step(NET, THETA, X, 1e200 * Y, 1e190, CG),
        lambda said: (
            nn.newton_step(NET, THETA, X, Y, 20.0, CG).is_descent
            and np.isfinite(
                nn.newton_step(NET, THETA, X, 1e200 * Y, 1e203, code(said, r"route=(Direct\(\))")).delta
            ).all()
        ),
    ),
    "conjugate gradients that meet an indefinite block": (lambda: nn.newton_step(**FIT, gamma=0.01, route=CG), met),
    # Gauss-Newton
    "a number for a rule": (
        lambda: nn.GaussNewton(0.1),
        lambda said: (
            step(nn.GaussNewton(code(said, r"rule: (Constant\(a\)) for", a=0.1))).is_descent
            and step(nn.GaussNewton(code(said, r", (Gamma\(gamma\)) for", gamma=0.1))).is_descent
        ),
    ),
    "a damping below rounding": (
        lambda: step(nn.GaussNewton(nn.Constant(1e-300)), TWICE, MANY),
        lambda said: (
            step(
                nn.GaussNewton(
                    code(said, r": (Constant\(a\))\.$", a=2 * (N + 1) * np.finfo(float).eps * largest(TWICE))
                ),
                TWICE,
                MANY,
            ).is_descent
        ),
    ),
    "no damping, and more outputs than parameters": (
        lambda: step(nn.GaussNewton(side="dual"), TALL),
        lambda said: step(nn.GaussNewton(side=code(said, "side=('primal')")), TALL).is_descent,
    ),
    "no damping in parameter space": (
        lambda: step(nn.GaussNewton(side="primal"), TWICE, MANY),
        lambda said: (
            step(nn.GaussNewton(side="primal"), AT).is_descent
            and step(nn.GaussNewton(nn.Constant(1e-6), side="primal"), TWICE, MANY).is_descent
        ),
    ),
    "derivatives that overflow": (
        lambda: step(GGN, far(1e4)),
        lambda said: step(GGN, far()).is_descent,
    ),
    "a solve that overflows": (
        lambda: step(nn.GaussNewton(nn.Constant(1e-8)), y=np.full(N, 1e300), loss=nn.Square("sum")),
        lambda said: (
            step(nn.GaussNewton(nn.Constant(1e-8)), y=np.ones(N), loss=nn.Square("sum")).is_descent
            and step(nn.GaussNewton(nn.Constant(1e300)), y=np.full(N, 1e300), loss=nn.Square("sum")).is_descent
        ),
    ),
    "least gain": (
        lambda: nn.LevenbergMarquardt(least=1.0),
        lambda said: nn.LevenbergMarquardt(least=0.5).least == 0.5,
    ),
    # rivals
    "a momentum of 1": (
        lambda: Momentum(momentum=1.0),
        lambda said: Momentum(momentum=number(said, "are (.*) to")).momentum == 0.9,
    ),
    "a gradient that overflows": (
        lambda: step(nn.Gradient(), y=1e200 * Y),
        lambda said: step(nn.Gradient(), y=Y).is_descent,
    ),
    "a state that is lost": (
        lambda: step(Momentum(), previous=replace(LAST, state=None)),
        lambda said: step(Momentum(), previous=LAST).state.count == 2,
    ),
    "a step of another network": (
        lambda: step(Momentum(), NET.at(NET.init(8, D, rng=0), X), previous=LAST),
        lambda said: (
            step(Momentum(), NET.at(NET.init(8, D, rng=0), X), previous=code(said, r"previous=(None)")).is_descent
        ),
    ),
    "K-FAC of images": (
        lambda: step(KFAC(), IMAGE_AT, np.ones(3)),
        lambda said: step(KFAC(), DEEP_AT).is_descent and step(Adam(), IMAGE_AT, np.ones(3)).is_descent,
    ),
    "a layer that is cut off": (
        lambda: step(KFAC(), DEEP.at(CUT, X)),
        lambda said: (
            step(KFAC(), DEEP_AT).is_descent and step(KFAC(), replace(DEEP, frozen=(0, 1)).at(CUT, X)).is_descent
        ),
    ),
    "K-FAC with little damping": (
        lambda: step(KFAC(damping=1e-40), CLASSES, LABELS, nn.CrossEntropy()),
        lambda said: step(KFAC(damping=1e-2), CLASSES, LABELS, nn.CrossEntropy()).is_descent,
    ),
    "a rule of SPRING": (lambda: Spring(1e-3), lambda said: step(Spring(code(said))).is_descent),
    "SPRING that diverges": (
        lambda: step(Spring(nn.Constant(1e-8), momentum=0.9), y=1e10 * Y, previous=diverged()),
        lambda said: (
            np.isfinite(step(Spring(nn.Constant(0.1), momentum=0.9)).delta).all()
            and np.isfinite(step(Spring(nn.Constant(0.1), momentum=0.0), previous=diverged()).delta).all()
        ),
    ),
}


def diverged():
    """A step so long that its successor is not finite."""
    first = step(Spring(nn.Constant(0.1)))
    return replace(first, state=replace(first.state, first=np.full(THETA.shape, 1e308)))
