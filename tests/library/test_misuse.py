"""The whole public face, misused: every argument in turn is what it must not be, and what comes is a named error.

``python -m pytest tests/library/test_misuse.py -s -k summary`` prints how many calls and misuses there are.
"""

from __future__ import annotations

import warnings
from functools import cache, partial

import numpy as np
import pytest

import nntk_lib as nn
from nntk_lib import data, features, geometry, limits, losses, methods, networks, theory, training, verbs
from nntk_lib.exceptions import NNTKError
from nntk_lib.linalg import BlockDiagPlusLowRank
from nntk_lib.methods.gauss_newton import spectrum
from nntk_lib.methods.spring import Spring
from nntk_lib.theory import curvature_constant, jacobian_constant

RNG = np.random.default_rng(0)
N, D = 6, 2
X, XQ = RNG.standard_normal((N, D)), RNG.standard_normal((3, D))
Y = np.tanh(X @ [1.0, 2.0])
NET, DEEP = nn.Shallow("tanh"), nn.Deep("tanh", (4, 3))
THETA, WEIGHTS = NET.init(20, D, rng=0), DEEP.init(D, rng=0)
IMAGES, PIXELS = nn.Residual("tanh", channels=(2,), groups=2), RNG.standard_normal((3, 4, 4, 1))
FILTERS = IMAGES.init((4, 4, 1), rng=0)
V, W = RNG.standard_normal((2, *THETA.shape))
ONE = NET.init(1, D, rng=0)
DATA, KERNEL, LABELS = nn.Data(X, Y, "six"), limits.limit_ntk(NET, X), np.arange(N) % 3
F, SIGNS = RNG.standard_normal((N, 3)), np.sign(Y)
BLOCKS, FACTOR = np.stack([np.eye(2)] * 4), RNG.standard_normal((3, 4, 2))
WAVES = data.interval(20)
POINT = {"net": NET, "theta": THETA, "X": X}
FIT = POINT | {"y": Y}

# ---- what an argument is, by its name -------------------------------------------------------------------------

ARRAYS = "X Xq theta y A K rows g0 r v w a W teacher weights f u times lam start end residual b values errors m_values"
ARRAYS += " amplitudes gammas dampings widths_list blocks factor z blocks_a hits trials"
COUNTS = "m d n width steps epochs segments starts pool size outputs count q seed memory limit rng times_count task"
NUMBERS = "gamma alpha eta beta weight_std noise rtol atol tol ridge cut level scale tau floor low high up down rho"
NUMBERS += " momentum rate b1 b2 eps damping decay c c_max bound_residual slope by shift largest clip threshold below"
NUMBERS += " above radius"
FLAGS = "bias chord return_error progress nesterov adaptive affine normalize_inputs definite"
WORDS = "method metric side route_word indefinite precision order kernel reduction part head trains outputs_law form"
FUNCTIONS = "stop accept event link"
OBJECTS = "net data direction loss batches act route step at previous record damping_rule other frequencies"
OBJECTS += " widths channels frozen groups direction_kind gain shape reduction_object filter"
KINDS = {
    name: kind
    for kind, names in {
        "array": ARRAYS,
        "count": COUNTS,
        "number": NUMBERS,
        "flag": FLAGS,
        "word": WORDS,
        "function": FUNCTIONS,
        "object": OBJECTS,
    }.items()
    for name in names.split()
}
#: None is what these are if they are not given.
OPTIONAL = set(
    "Xq A rows g0 amplitudes memory stop accept event link batches record previous rho lam task clip radius".split()
)
#: Also right: a number less than 0, an infinite one, a real number of classes, every array of classes, one number
SIGNED, INFINITE = {"shift", "by"}, {"below"}


def arrays(right):
    """What an array must not be, made from the right one."""
    right = np.asarray(right)
    spoiled = right.astype(float).copy()
    spoiled.flat[-1] = np.nan
    wide = np.concatenate([right, right[..., -1:]], axis=-1)
    return {
        "wrong width": wide,
        "(n, 1)": right[..., None],
        "2.5": 2.5,
        "-1": -1,
        "NaN": spoiled,
        "None": None,
        "'x'": "x",
        "masked": np.ma.array(right, mask=np.arange(right.size).reshape(right.shape) == right.size - 1),
        "complex": right + 0j,
        "object": np.where(np.arange(right.size).reshape(right.shape) == 0, None, right.astype(object)),
        "text": right.astype(str),
        "ragged": [[1.0], [1.0, 2.0]],
        "empty": np.empty((0, *right.shape[1:])),
    }


COLUMN = np.ones((3, 1))
SCALARS = {"2.5": 2.5, "-1": -1, "NaN": float("nan"), "None": None, "'x'": "x", "(n, 1)": COLUMN}
WRONG = {
    "count": SCALARS | {"0.5": 0.5, "inf": float("inf"), "True": True, "1j": 1j},
    "number": {k: v for k, v in SCALARS.items() if k != "2.5"} | {"inf": float("inf"), "True": True, "1j": 1j},
    "flag": SCALARS | {"2": 2, "'no'": "no"},
    "word": SCALARS | {"[]": []},
    "function": {k: v for k, v in SCALARS.items() if k != "None"},
    "object": SCALARS,
}


def misuses(name, right, kind=None):
    """Wrong values of an argument, by what is wrong with them."""
    kind = kind or KINDS[name]
    wrong = dict(arrays(right) if kind == "array" else WRONG[kind])
    left_out = {"None"} if name in OPTIONAL else set()
    left_out |= {"-1"} if name in SIGNED else set()
    left_out |= {"inf"} if name in INFINITE else set()
    return {key: value for key, value in wrong.items() if key not in left_out}


# ---- right calls, their arguments by name; `kinds` where a name misleads; `right` what is right all the same --------


@cache
def calls():
    at, deep_at, image_at = NET.at(THETA, X), DEEP.at(WEIGHTS, X), IMAGES.at(FILTERS, PIXELS)
    square, ggn = losses.Square(), methods.GaussNewton(methods.Constant(0.1))
    matrix = verbs.hessian(**FIT)
    space, run = geometry.tangent_space(NET.at(ONE, X)), {"net": NET, "theta": THETA, "data": DATA, "direction": ggn}
    stored = BlockDiagPlusLowRank.from_arrays(BLOCKS, FACTOR)
    found = {}

    def call(function, kinds=None, right=(), **arguments):
        name = function.func.__name__ if isinstance(function, partial) else function.__name__
        owner = getattr(function, "__self__", None)
        label = f"{type(owner).__name__}.{name}" if owner is not None and not isinstance(owner, type) else name
        while label in found:
            label += "'"
        found[label] = function, arguments, kinds or {}, set(right)

    # networks
    call(
        nn.Shallow,
        act="tanh",
        beta=0.75,
        bias=True,
        weight_std=1.0,
        outputs="uniform",
        trains="both",
        kinds={"outputs": "word"},
    )
    call(
        nn.Deep,
        act="tanh",
        widths=(3,),
        outputs=1,
        bias=True,
        frozen=(0,),
        scale=1.0,
        gain=2.0,
        normalize_inputs=True,
        right={"gain 2.5"},
    )
    call(
        nn.Residual,
        act="tanh",
        channels=(2,),
        blocks=1,
        outputs=1,
        groups=2,
        affine=True,
        pool=2,
        frozen=(0,),
        kinds={"blocks": "count", "pool": "count"},
        right={"groups None"},
    )
    call(NET.init, m=4, d=2, rng=0)
    call(DEEP.init, d=2, rng=0, head="signs")
    call(IMAGES.init, shape=(4, 4, 1), rng=0)
    for net, theta, x in ((NET, THETA, X), (DEEP, WEIGHTS, X), (IMAGES, FILTERS, PIXELS)):
        call(net.at, theta=theta, X=x, memory=10**6)
    call(DEEP.centred, theta=WEIGHTS, right={"theta wrong width"})
    call(networks.silu, slope=1.0)
    call(networks.shifted, act="tanh", by=1.0)
    call(networks.monomial, q=2)
    elementwise = {f"z {what}" for what in ("wrong width", "(n, 1)", "2.5", "-1", "NaN", "complex", "empty")}
    for order in ("f", "df", "d2f", "d3f"):
        call(getattr(networks.tanh, order), z=np.linspace(-1, 1, 4), right=elementwise)
    for tangent, v in ((at, V), (deep_at, WEIGHTS), (image_at, FILTERS)):
        call(tangent.vjp, a=np.ones(tangent.f.shape))
        call(tangent.jvp, v=v)
    call(at.second, v=V, w=W)
    call(deep_at.second, v=WEIGHTS, w=WEIGHTS)
    call(at.cross, other=NET.at(THETA, XQ))
    call(deep_at.cross, other=DEEP.at(WEIGHTS, XQ))
    call(at.blocks, a=Y)
    call(at.curvature_blocks, a=Y)
    call(image_at.gram, form="auto")
    call(networks.curvature_level, at=at, a=Y)
    call(curvature_constant, net=NET, X=X, c_max=1.0, right={"X wrong width"})
    call(jacobian_constant, net=NET, X=X, c_max=1.0, right={"X wrong width"})
    # verbs
    for verb in (verbs.forward, nn.jacobian):
        call(verb, **POINT)
    for verb in (verbs.residual, verbs.gradient):
        call(verb, **FIT)
    call(verbs.loss, r=Y, right={"r wrong width", "r (n, 1)"})
    call(verbs.gram, **POINT, memory=10**6)
    call(verbs.empirical_ntk, **POINT, Xq=XQ)
    call(verbs.j_dot, **POINT, v=V)
    call(verbs.jt_dot, **POINT, a=Y)
    call(verbs.curvature_blocks, **POINT, r=Y)
    call(verbs.hessian, **FIT, shift=0.5)
    # matrices
    call(BlockDiagPlusLowRank.from_arrays, blocks=BLOCKS, factor=FACTOR, shift=1.0)
    call(stored.solve, b=np.ones((4, 2)))
    call(stored.shifted, shift=1.0)
    call(matrix.__matmul__, v=V)
    call(matrix.__rmatmul__, v=V)
    # losses
    for loss, f, y in ((square, Y, Y + 1), (losses.LogCosh(np.ones(N)), Y, Y + 1), (losses.Logistic(), Y, SIGNS)):
        for part in ("value", "gradient", "factor", "hessian"):
            call(getattr(loss, part), f=f, y=y)
    for part in ("value", "gradient", "factor", "hessian"):
        call(getattr(losses.CrossEntropy(), part), f=F, y=LABELS, right={"f wrong width"})
    call(losses.Square, reduction="mean")
    call(losses.WeightedSquare, weights=np.ones(N), reduction="mean", right={"weights wrong width"})
    call(losses.LogCosh, weights=np.ones(N), b=1.0, kinds={"b": "number"}, right={"weights wrong width"})
    call(losses.Logistic, ridge=0.1)
    # directions, rules and routes
    call(methods.Gradient, eta=1.0)
    call(methods.GaussNewton, damping=methods.Constant(0.1), metric="loss", side="auto", kinds={"damping": "object"})
    call(
        methods.LevenbergMarquardt,
        damping=methods.GainRatio(),
        least=0.1,
        kinds={"damping": "object", "least": "number"},
    )
    call(methods.Newton, damping=1.0, route=methods.Direct())
    call(Spring, damping=methods.Constant(0.1), momentum=0.5, kinds={"damping": "object"})
    call(methods.Momentum, rate=1.0, momentum=0.5, nesterov=False)
    call(methods.Adam, rate=0.1, b1=0.9, b2=0.9, eps=1e-8)
    call(methods.KFAC, damping=0.1, rate=1.0, momentum=0.5, decay=0.5)
    call(methods.Direct, indefinite="raise", precision="double", definite=True)
    call(methods.ConjugateGradients, rtol=1e-8, limit=10)
    call(methods.Auto, rtol=1e-8)
    call(methods.Constant, a=0.1, b=1.0, kinds={"a": "number", "b": "number"})
    call(methods.Gamma, gamma=0.1)
    call(methods.ResidualNorm, c=0.1, floor=0.1)
    call(methods.Smallest, alpha=0.1, floor=0.1, kernel="plain")
    call(methods.Convex, r=1.0, lam=1.0, adaptive=True, kernel="plain", kinds={"r": "number", "lam": "number"})
    call(methods.Convex, rho=0.5)
    call(methods.GainRatio, low=0.25, high=0.75, up=2.0, down=3.0, start=1.0, floor=0.1, kinds={"start": "number"})
    call(methods.AboveThreshold, tau=2.0, floor=0.1)
    directions = [
        methods.Gradient(),
        ggn,
        methods.GaussNewton(metric="identity"),
        methods.Newton(20.0),
        Spring(methods.Constant(0.1)),
    ]
    for direction in (*directions, methods.Momentum(), methods.Adam(), methods.LevenbergMarquardt()):
        call(direction.__call__, at=at, loss=square, y=Y)
    call(methods.KFAC().__call__, at=deep_at, loss=square, y=Y)
    call(methods.newton_step, **FIT, gamma=20.0, route=methods.Direct(), memory=10**6)
    call(methods.newton_steps, **FIT, gammas=[20.0, 30.0], kinds={"gammas": "numbers"})
    call(methods.newton_kernel, **FIT, gamma=20.0)
    call(methods.sweep, at=at, loss=square, y=Y, dampings=[20.0, 30.0], kinds={"dampings": "numbers"})
    call(methods.gauss_newton_step, **FIT, gamma=0.1)
    call(methods.gradient_step, **FIT, eta=0.1)
    call(methods.safe_gamma, **FIT, method="bound")
    call(spectrum, at=at, loss=square, y=Y, metric="loss")
    # training
    call(
        training.train,
        **run,
        epochs=1,
        loss=square,
        alpha=0.5,
        batches=nn.Batches(3),
        record={"f": training.outputs},
        stop=lambda value: False,
        accept=lambda step: True,
        progress=False,
        memory=10**6,
    )
    call(nn.Batches, size=2, rng=0, order="fresh")
    call(nn.Batches(2).__call__, n=5, epoch=0, kinds={"epoch": "count"})
    call(training.residual_path, **run, epochs=1)
    call(training.held_out, data=DATA, loss=square)
    call(training.residuals, y=Y, right={"y wrong width", "y (n, 1)"})
    call(training.kernel_drift, at=at)
    call(training.movement, start=THETA, right={"start wrong width", "start (n, 1)"})
    call(
        nn.flow,
        **run,
        times=[0.0, 0.1],
        loss=square,
        record={"f": training.outputs},
        event=lambda theta, at: 1.0,
        method="RK45",
        rtol=1e-3,
        atol=1e-3,
        memory=10**6,
        right={"times wrong width"},
    )
    # limits
    call(limits.limit_ntk, net=NET, X=X, Xq=XQ, return_error=True)
    call(limits.deep_limit_ntk, net=DEEP, X=X, Xq=XQ)
    call(limits.angles, Xq=XQ, X=X)
    call(
        limits.dual_activation,
        act=networks.tanh,
        q1=np.ones(3),
        q2=np.full(N, 2.0),
        theta=limits.angles(XQ, X),
        tol=1e-14,
        kinds={"q1": "array", "q2": "array"},
    )
    call(limits.nntk, A=KERNEL, gamma=0.1)
    call(limits.eigenmodes, A=KERNEL)
    call(limits.max_alpha, A=KERNEL, gamma=0.1)
    call(limits.interpolant, A=KERNEL, y=Y, rows=KERNEL[:2])
    call(limits.trajectory, A=KERNEL, y=Y, steps=2, method="newton", gamma=0.1, alpha=0.5, rows=KERNEL[:2], g0=Y)
    call(
        limits.mode_factor,
        lam=[1.0, 0.1],
        method="newton",
        gamma=0.1,
        alpha=0.5,
        right={"lam wrong width", "lam (n, 1)", "lam 2.5", "lam -1"},
    )
    call(
        limits.batch_path,
        K=KERNEL,
        r=Y,
        batches=nn.Batches(2),
        epochs=1,
        damping=0.1,
        momentum=0.1,
        stop=lambda size: False,
    )
    call(limits.Tikhonov, gamma=0.1, alpha=0.5)
    call(limits.Landweber, eta=0.5)
    call(limits.Flow, eta=0.5, a=1.0, b=0.1, kinds={"a": "number", "b": "number"})
    call(limits.Cutoff, threshold=0.5)
    call(limits.Iterated, step=limits.Tikhonov(0.1), times=2, kinds={"times": "count"})
    call(limits.Tikhonov(0.1).factor, lam=[1.0, 0.1], right={"lam wrong width", "lam (n, 1)", "lam 2.5", "lam -1"})
    # theory
    call(
        theory.a_priori,
        net=NET,
        X=X,
        m=10**9,
        gamma=0.3,
        steps=2,
        residual=2.0,
        c_max=2.0,
        alpha=1.0,
        kinds={"residual": "number"},
        right={"X wrong width"},
    )
    call(theory.certify, **FIT, gamma=20.0)
    call(theory.jacobian_change, **POINT, radius=0.5)
    call(
        theory.path_error,
        **FIT,
        gamma=20.0,
        steps=1,
        alpha=1.0,
        A=KERNEL,
        method=methods.Newton,
        kinds={"method": "object"},
    )
    call(
        theory.phase_diagram,
        net=NET,
        X=X,
        y=Y,
        widths=[20],
        gammas=[20.0],
        seed=0,
        progress=False,
        kinds={"widths": "counts", "gammas": "numbers"},
        right={"X wrong width"},
    )
    call(
        theory.proportion_interval,
        hits=[1, 2],
        trials=[3, 4],
        level=0.9,
        kinds={"hits": "integers", "trials": "integers"},
        right={"hits True", "trials True"},
    )
    call(
        theory.mean_interval,
        values=[1.0, 2.0, 4.0],
        level=0.9,
        kinds={"values": "array"},
        right={"values (n, 1)", "values wrong width"},
    )
    call(
        theory.fit_rate,
        m=[10, 100, 1000],
        values=[2.0, 0.2, 0.021],
        level=0.9,
        kinds={"m": "array"},
        right={"values (n, 1)"},
    )
    call(
        theory.convergence_order, errors=[1e-1, 1e-2, 1e-4, 1e-8], below=1.0, above=1e-12, right={"errors wrong width"}
    )
    call(
        theory.wall_constant,
        net=NET,
        X=X,
        r=Y,
        starts=1,
        pool=4,
        scale=1.0,
        kinds={"pool": "count"},
        right={"X wrong width"},
    )
    # geometry and features
    one = {"net": NET, "theta": ONE, "X": X}
    call(geometry.tangent_space, at=NET.at(ONE, X), rtol=1e-12, right={"rtol None"})
    call(geometry.jacobian_matrix, at=at)
    for part in ("project", "normal", "pull"):
        call(getattr(space, part), u=Y)
    call(space.horizontal, v=ONE)
    call(space.curvature, v=ONE, w=ONE)
    call(space.hessian, loss=square, y=Y)
    call(geometry.geodesic, **one, v=ONE, times=[0.0, 0.01], rtol=1e-4, right={"times wrong width"})
    call(geometry.exponential, **one, v=0.01 * ONE, rtol=1e-4)
    call(geometry.shortest_path, net=NET, start=ONE, end=1.01 * ONE, X=X, segments=2)
    call(geometry.best_function, **one, y=NET.at(ONE, X).f, loss=square, tol=1e-3, steps=5, right={"loss None"})
    call(features.weighted_cosine_distance, W=X, teacher=XQ, chord=True)
    call(features.hidden_weights, net=NET, theta=THETA, right={"theta wrong width"})
    call(features.features, **POINT)
    call(features.refit, **FIT, ridge=0.1, cut=1e-5)
    # data
    for make in (data.circle, data.interval):
        call(make, n=20, frequencies=(1, 3), amplitudes=[1.0, 2.0])
    call(data.frequency_errors, data=WAVES, residual=WAVES.y)
    call(
        data.teacher_student,
        n=6,
        d=2,
        width=3,
        rng=0,
        noise=0.1,
        act="tanh",
        bias=True,
        scale="std",
        task=1,
        kinds={"scale": "word"},
    )
    call(data.ridges, n=6, d=2, rng=0, noise=0.1, count=2, task=1, right=())
    call(data.single_index, n=6, d=2, rng=0, link=np.sin, noise=0.1, task=1)
    call(data.signs, n=6, d=2, rng=0)
    call(data.sphere, n=6, d=2, rng=0, y=Y, right={"y None"})
    call(data.rotated_digits, n=2, rng=0, part="train", largest=45.0)
    call(data.digits, n=2, rng=0, right={"n None"})
    call(data.diabetes, n=20, right={"n None"})
    call(data.california, n=20, clip=4.0, right={"n None"})
    call(DATA.split, n=2)
    call(nn.Data, X=X, y=Y, name="six", kinds={"name": "skip"}, right={"X wrong width", "X (n, 1)", "y (n, 1)"})
    return found


def one_number_wrong(right):
    """Lists of numbers with a wrong one."""
    return {key: [*right[:-1], value] for key, value in WRONG["number"].items()} | {"empty": [], "2.5": 2.5, "'x'": "x"}


def one_count_wrong(right):
    return {key: [*right[:-1], value] for key, value in WRONG["count"].items()} | {"empty": [], "'x'": "x"}


@cache
def tried(name):
    """(argument, what is wrong with it, what came) for every misuse of one call; each is tried once."""
    return list(_tried(name))


def _tried(name):
    function, arguments, kinds, right = calls()[name]
    for argument, value in arguments.items():
        kind = kinds.get(argument) or KINDS.get(argument)
        if kind == "skip":
            continue
        lists = {"numbers": one_number_wrong, "counts": one_count_wrong, "integers": one_count_wrong}
        wrong = lists[kind](value) if kind in lists else misuses(argument, value, kind)
        for what, other in wrong.items():
            if f"{argument} {what}" in right:
                continue
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    function(**arguments | {argument: other})
                    yield argument, what, "silent"
                except NNTKError:
                    yield argument, what, ""
                except Exception as error:
                    yield argument, what, f"{type(error).__name__}: {error}"[:100]


ROOMS = (nn, data, geometry, limits, losses, methods, networks, theory)
#: Made by the library, not by its users: what a call gives; and what a class has to have.
GIVEN = "APriori Best Certificate LimitPath Modes Path PathError PhaseDiagram Rate Step NNTKError"
GIVEN += " Blocks Damping Direction Filter Loss Network Tangent"
#: The algebra of a factor R, which a loss gave; it asks for shapes only.
GIVEN += " sandwich times transposed"


def test_the_whole_public_face_is_misused():
    called = set()
    for function, *_ in calls().values():
        function = function.func if isinstance(function, partial) else function
        called |= {function.__name__, type(getattr(function, "__self__", None)).__name__}
    public = {name for room in ROOMS for name in room.__all__ if callable(getattr(room, name))}
    assert public - called == set(GIVEN.split())


@pytest.mark.parametrize("name", calls())
def test_a_misuse_is_named(name):
    function, arguments, *_ = calls()[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        function(**arguments)
    assert not [row for row in tried(name) if row[-1]]


def outcome(function, arguments):
    """The numbers that a call gives, in one order, or the error."""

    seen = []

    def leaves(found):
        if hasattr(found, "__dict__"):
            if any(found is one for one in seen):
                return
            seen.append(found)
        if isinstance(found, (np.ndarray, float, int)):
            yield np.ravel(np.asarray(found, dtype=float))
        for part in found if isinstance(found, (tuple, list)) else getattr(found, "__dict__", {}).values():
            yield from leaves(part)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return np.concatenate([np.empty(0), *leaves(function(**arguments))])
        except NNTKError as error:
            return f"{type(error).__name__}: {error}"


def of_type(arguments, kinds, dtype):
    """The same values, those of half precision, in arrays of a type."""
    arrays = [name for name in arguments if (kinds.get(name) or KINDS.get(name)) == "array"]
    return arguments | {name: np.asarray(arguments[name]).astype(np.float16).astype(dtype) for name in arrays}


@pytest.mark.parametrize("dtype", [np.float16, np.longdouble])
def test_every_type_of_real_number_gives_the_same(dtype):
    """LAPACK has no half precision and no long double, and the square of 256 is infinite in the first."""
    for name, (function, arguments, kinds, _) in calls().items():
        found, right = (outcome(function, of_type(arguments, kinds, t)) for t in (dtype, float))
        if isinstance(right, str):
            assert found == right, name
        else:
            assert found.shape == right.shape and np.allclose(found, right, rtol=1e-12, atol=1e-14, equal_nan=True), (
                name
            )


def test_pixels_in_half_precision():
    pixels = np.random.default_rng(0).integers(0, 256, (5, 2)).astype(np.float16)
    net = nn.Shallow("erf", weight_std=0.01)
    theta = net.init(30, 2, rng=0)
    for found, right in zip(
        *(
            [gram(x) for gram in (partial(verbs.gram, net, theta), partial(limits.limit_ntk, net))]
            for x in (pixels, pixels.astype(float))
        ),
        strict=True,
    ):
        assert np.array_equal(found, right) and np.isfinite(found).all()


def test_masks_that_hide_nothing_and_views_are_as_good_as_arrays():
    for name, (function, arguments, kinds, _) in calls().items():
        arrays = [key for key in arguments if (kinds.get(key) or KINDS.get(key)) == "array"]
        right = outcome(function, arguments)
        for view in (np.ma.array, np.asfortranarray, lambda x: np.asarray(x)[::-1].copy()[::-1]):
            found = outcome(function, arguments | {key: view(arguments[key]) for key in arrays})
            assert np.allclose(found, right, rtol=1e-12, atol=1e-14, equal_nan=True), name


def test_masked_targets_are_not_used_by_batches():
    """What is masked is refused where the data come in, also if no batch has it."""
    y = np.ma.array(Y, mask=[False] * (N - 1) + [True])
    with pytest.raises(NNTKError, match=r"y has 1 masked values, the first at index \(5,\)"):
        nn.Data(X, y, "masked")


def test_summary():
    rows = [row for name in calls() for row in tried(name)]
    silent = sum(row[-1] == "silent" for row in rows)
    foreign = sum(bool(row[-1]) for row in rows) - silent
    print(f"\n{len(calls())} calls, {len(rows)} misuses, {foreign} foreign exceptions, {silent} silent numbers")
    assert len(calls()) >= 165 and len(rows) >= 4600
