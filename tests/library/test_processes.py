"""What crosses a process boundary arrives as it was: errors, specifications, steps, results."""

from __future__ import annotations

import copy
import dataclasses
import multiprocessing
import pickle
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from types import FunctionType

import numpy as np
import pytest

import nntk_lib
from nntk_lib import exceptions as errors
from nntk_lib import geometry, limits, losses, methods, networks, theory
from nntk_lib.data import interval
from nntk_lib.features import refit
from nntk_lib.linalg import BlockDiagPlusLowRank
from nntk_lib.methods.spring import Spring
from nntk_lib.training import Batches, outputs, train
from nntk_lib.verbs import hessian

DATA = interval(8, (1, 3))
NET = nntk_lib.Shallow("tanh")
THETA = NET.init(200, 1, rng=0)
LARGE = NET.init(6000, 1, rng=0)  # above the size from which on the loops are compiled
WAYS = {"pickle": lambda x: pickle.loads(pickle.dumps(x)), "copy": copy.copy, "deepcopy": copy.deepcopy}
GOOD, BAD = (NET, THETA, DATA.X, DATA.y, 0.5), (NET, THETA, DATA.X, DATA.y, 1e-6)


def kinds(base):
    """All classes of errors of the library, the book's included."""
    return [base, *(kind for child in base.__subclasses__() for kind in kinds(child))]


def failure(job=nntk_lib.newton_step, arguments=BAD):
    with pytest.raises(errors.NotPositiveDefiniteError) as found:
        job(*arguments)
    return found.value


def same(a, b):
    """Equal, arrays to the last bit; objects without an equality of their own by what they are made of."""
    if isinstance(a, np.ndarray):
        return type(a) is type(b) and a.dtype == b.dtype and np.array_equal(a, b, equal_nan=True)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if type(a) is not type(b):
        return False
    if a == b or (isinstance(a, float) and np.isnan(a) and np.isnan(b)):
        return True
    return hasattr(a, "__dict__") and not isinstance(a, FunctionType) and same(vars(a), vars(b))


@cache
def things():
    """Every public class, once."""
    direction, deep, images = methods.GaussNewton(), networks.Deep("silu", (4,)), networks.Residual(channels=(4,))
    run = train(NET, THETA, DATA, direction, 2, record={"f": outputs}, batches=Batches(4))
    kernel, at, w = limits.limit_ntk(NET, DATA.X), NET.at(THETA, DATA.X), np.ones(8)
    at.gram()
    small = networks.Shallow("tanh").init(1, 1, rng=0)
    rules = [methods.Constant(0.1), methods.Gamma(0.1), methods.ResidualNorm(0.1), methods.Smallest(), methods.Convex()]
    rules += [methods.GainRatio(), methods.AboveThreshold()]
    directions = [direction, nntk_lib.Gradient(), methods.Newton(0.3), methods.LevenbergMarquardt(), Spring()]
    directions += [methods.Momentum(), methods.Adam(), methods.KFAC()]
    filters = [limits.Tikhonov(0.1), limits.Landweber(0.1), limits.Flow(0.1), limits.Cutoff(0.1)]
    certificate, matrix = theory.certify(*GOOD), hessian(*GOOD[:4])
    shifted = [networks.shifted("tanh", 1.0), networks.monomial(3), nntk_lib.silu(2.0), *networks.ACTIVATIONS.values()]
    return [
        *shifted,
        *(networks.Shallow(act) for act in shifted),
        deep,
        deep.centred(deep.init(1, rng=0)),
        images,
        deep.at(deep.init(1, rng=0), DATA.X),
        images.at(images.init((4, 4, 1), rng=0), np.ones((2, 4, 4, 1))),
        at,
        *(losses.Square("sum"), losses.WeightedSquare(w), losses.LogCosh(w, b=2.0)),
        *(losses.Logistic(0.1), losses.CrossEntropy()),
        *rules,
        *directions,
        *(methods.Direct("solve"), methods.ConjugateGradients(), methods.Auto()),
        *(move(at, losses.Square(), DATA.y) for move in directions[:-1]),
        *filters,
        limits.Iterated(filters[0], 3),
        *(Batches(3), DATA, run, matrix, *matrix.reduce([1.0])),
        BlockDiagPlusLowRank.from_arrays(np.ones((3, 2, 2)), np.ones((1, 3, 2))),
        limits.eigenmodes(kernel),
        limits.trajectory(kernel, DATA.y, 2, gamma=0.1),
        theory.a_priori(NET, DATA.X, 10**9, 0.3, 3, residual=2.0, c_max=2.0),
        theory.fit_rate([10, 100, 1000], [2.0, 0.2, 0.021]),
        theory.phase_diagram(NET, DATA.X, DATA.y, [100], [1.0]),
        theory.path_error(*GOOD, 2),
        certificate,
        geometry.tangent_space(at),
        geometry.geodesic(NET, small, DATA.X, small, [0.0, 0.1]),
        geometry.best_function(NET, small, DATA.X, NET.at(small, DATA.X).f),
        refit(*GOOD[:4]),
        networks.shallow.cost.step_cost(10, 2, 3),
    ]  # fmt: skip


def public():
    """The dataclasses of the rooms that have a front door."""
    doors = [nntk_lib, geometry, limits, losses, methods, networks, theory, nntk_lib.data, nntk_lib.linalg]
    found = [getattr(door, name) for door in doors for name in door.__all__]
    return {kind for kind in found if isinstance(kind, type) and dataclasses.is_dataclass(kind)} - {
        limits.filters.Filter
    }


def test_every_public_class_is_tried():
    assert not {kind.__name__ for kind in public() - {type(thing) for thing in things()}}


@pytest.mark.parametrize("way", WAYS)
def test_what_the_library_makes_survives(way):
    for thing in things():
        assert same(thing, WAYS[way](thing)), thing


@pytest.mark.parametrize("way", WAYS)
def test_errors_survive_with_what_they_know(way):
    made = [
        kind("one word", *[0.5, 3, 0.75] * (kind is errors.NotPositiveDefiniteError))
        for kind in kinds(errors.NNTKError)
    ]
    with pytest.raises(errors.NotPositiveDefiniteError) as found:
        train(NET, THETA, DATA, methods.Newton(0.165), 5, alpha=2.5)
    made += [failure(), found.value]
    for error in made:
        error.add_note("a note")
        again = WAYS[way](error)
        assert type(again) is type(error) and str(again) == str(error) and same(vars(again), vars(error))
    assert again.history.loss.size > 0 and np.isfinite([again.min_eig, again.sufficient_gamma]).all()


def test_results_compare_by_identity_and_specifications_by_value():
    """Results hold arrays, whose equality has no truth value: == and `in` ask whether it is the same object."""
    for thing in things():
        twin = copy.copy(thing)
        assert thing == thing and (thing == twin) in (True, False)
        assert thing in [twin, thing] and hash(thing) == hash(thing)
    for make in (lambda: nntk_lib.silu(2.0), lambda: networks.shifted("tanh", 1.0), lambda: networks.monomial(2)):
        assert make() == make() and networks.Shallow(make()) == networks.Shallow(make())


def test_an_unpickled_network_takes_the_same_route_to_the_same_bits():
    again = WAYS["pickle"](NET)
    step = nntk_lib.newton_step(NET, LARGE, DATA.X, DATA.y, 0.5)
    assert np.array_equal(nntk_lib.newton_step(again, LARGE, DATA.X, DATA.y, 0.5).delta, step.delta)
    matrix = hessian(*GOOD[:4])
    assert np.array_equal(WAYS["pickle"](matrix) @ THETA, matrix @ THETA)
    assert np.array_equal(THETA @ matrix, matrix @ THETA)


# ---- pools ----------------------------------------------------------------------------------------------------


def pool(way):
    if way != "loky":
        return ProcessPoolExecutor(2, multiprocessing.get_context(way))
    from joblib.externals.loky import get_reusable_executor

    return get_reusable_executor(2)


def arrived(error):
    here = failure()
    assert str(error) == str(here)
    assert (error.min_eig, error.neuron, error.sufficient_gamma) == (here.min_eig, here.neuron, here.sufficient_gamma)


@pytest.mark.parametrize("way", ["fork", "spawn", "forkserver", "loky"])
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_failing_job_is_one_failing_job(way):
    with pool(way) as workers:
        jobs = [workers.submit(nntk_lib.newton_step, *arguments) for arguments in (GOOD, BAD, GOOD, BAD, GOOD)]
        expected = nntk_lib.newton_step(*GOOD).delta
        for job in jobs[1::2]:
            arrived(job.exception(timeout=60))
        assert all(np.array_equal(job.result(timeout=60).delta, expected) for job in jobs[::2])


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_pool_of_multiprocessing_does_not_hang():
    with multiprocessing.get_context("fork").Pool(2) as workers:
        bad, good = (workers.apply_async(nntk_lib.newton_step, arguments) for arguments in (BAD, GOOD))
        with pytest.raises(errors.NotPositiveDefiniteError) as found:
            bad.get(timeout=60)
        arrived(found.value)
        assert good.get(timeout=60).is_descent
