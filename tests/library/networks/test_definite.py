"""The fast routes of the step beside their slow literal twins, and what they cost, counted."""

import threading
import tracemalloc

import numpy as np
import pytest

from nntk_lib import Activation, gradient, hessian, jacobian, newton_step, residual
from nntk_lib import Shallow as Network
from nntk_lib.exceptions import NotConvergedError, NotPositiveDefiniteError, ParameterError
from nntk_lib.linalg import rank_update, streaming
from nntk_lib.methods import Auto, ConjugateGradients, Direct, newton_steps
from nntk_lib.networks import tanh
from nntk_lib.networks.shallow import cost, definite
from nntk_lib.networks.shallow.compiled import CompiledBlocks, available, definite_blocks
from nntk_lib.networks.shallow.definite import DefiniteBlocks
from nntk_lib.networks.shallow.spec import prepare

from ..cases import EPS, SMOOTH, problem, relative

ROUTES = {"numpy": DefiniteBlocks, "compiled": CompiledBlocks}
both = pytest.mark.parametrize("route", ROUTES)
pytestmark = pytest.mark.filterwarnings("ignore::nntk_lib.exceptions.AssumptionWarning")


def twins(route, net, theta, X, y, gamma, **options):
    """The reduction and the solution by a fast route, and by the eigenvalues of the blocks."""
    at = net.at(theta, X)
    a, damping = (at.f - y) / len(y), gamma / at.kernel_scale
    fast = ROUTES[route](net, at.theta, at.inputs, a, None, **options)
    slow = at.structured(a)
    [found], [wanted] = fast.reduce([damping]), slow.reduce([damping])
    return found, wanted, fast.solve_range(found, a), slow.solve_range(wanted, a)


def test_the_tests_see_the_compiled_route():
    assert available(), "the extra [test] installs Numba"
    net, theta, X, y = problem(m=4000, n=20)
    given = net, *prepare(net, theta, X), y
    assert type(definite_blocks(*given, None)) is CompiledBlocks
    assert type(definite_blocks(net, given[1][:10], *given[2:], None)) is DefiniteBlocks


@both
@pytest.mark.parametrize("act", SMOOTH)
@pytest.mark.parametrize("m, n, d", [(1, 3, 2), (7, 5, 1), (8, 4, 2), (203, 30, 3), (50, 11, 12)])
def test_reduction_and_solution_are_those_of_the_twin(route, act, m, n, d):
    net, theta, X, y = problem(act, m=m, n=n, d=d, seed=m)
    H = hessian(net, theta, X, y)
    gamma = 1.0 + max(0.0, -H.min_block_eig()) * m ** (2 * net.beta - 1)
    found, wanted, x, twin = twins(route, net, theta, X, y, gamma)
    shift = gamma / net.width_scale(m)
    largest = shift + max(abs(np.linalg.eigvalsh(D)).max() for _, D, _ in H.slices())
    tolerance = 100 * EPS * largest / found.min_eig  # the condition number of the blocks
    assert tolerance < 1e-10
    assert relative(found.capacitance, wanted.capacitance) <= tolerance
    assert relative(x, twin) <= tolerance
    assert found.min_eig == pytest.approx(wanted.min_eig, abs=100 * EPS * largest)
    assert (found.shift, found.negative) == (wanted.shift, 0)


@both
def test_the_smallest_eigenvalue_is_found_among_many_blocks(route):
    net, theta, X, y = problem(m=5000, n=12, d=4)
    found, wanted, *_ = twins(route, net, theta, X, y, 10.0)
    assert found.block == wanted.block and found.min_eig == pytest.approx(wanted.min_eig, rel=1e-12)


@both
@pytest.mark.parametrize("d", [1, 2, 10])
def test_wide_networks_agree_to_twelve_digits(route, d, monkeypatch):
    monkeypatch.setenv("NNTK_COMPILED", str(int(route == "compiled")))
    net, theta, X, y = problem(m=20_000, n=40, d=d, bias=False)
    step = newton_step(net, theta, X, y, gamma=3.0)
    twin = newton_step(net, theta, X, y, 3.0, Direct(definite=False))
    assert relative(step.delta, twin.delta) <= 1e-12
    assert step.route == "direct" and "positive definite" in step.reason


@both
def test_single_precision_is_an_option_with_the_stated_error(route, monkeypatch):
    monkeypatch.setenv("NNTK_COMPILED", str(int(route == "compiled")))
    net, theta, X, y = problem(m=4000, n=30, d=2)
    for gamma in (0.3, 1.0, 10.0):
        exact = newton_step(net, theta, X, y, gamma)
        single = newton_step(net, theta, X, y, gamma, Direct(precision="single"))
        error = relative(single.delta, exact.delta)
        assert 1e-9 < error < 1e-6 * (1 + 1 / gamma)  # not exact, hence never the default
        assert single.delta.dtype == np.float64
        assert single.min_eig == pytest.approx(exact.min_eig, rel=1e-5)


def test_many_gamma_definite_and_not():
    net, theta, X, y = problem(m=300, n=6, seed=2)
    edge = -hessian(net, theta, X, 10 * y).min_block_eig() * 300**0.5
    gammas = [0.5 * edge, 2 * edge, 0.7 * edge, 3 * edge]
    steps = newton_steps(net, theta, X, 10 * y, gammas, Direct(indefinite="solve"))
    assert ["indefinite" in step.reason for step in steps] == [True, False, True, False]
    for gamma, step in zip(gammas, steps, strict=True):
        one = newton_step(net, theta, X, 10 * y, gamma, Direct(indefinite="solve"))
        assert relative(step.delta, one.delta) <= 1e-10 and step.min_eig == pytest.approx(one.min_eig, rel=1e-9)


# What a step costs


@pytest.fixture
def one_thread(monkeypatch):
    monkeypatch.setenv("NNTK_THREADS", "1")


@both
def test_memory_of_a_step_does_not_grow_with_the_width(route, monkeypatch, one_thread):
    monkeypatch.setenv("NNTK_COMPILED", str(int(route == "compiled")))
    net, X = Network("tanh"), np.linspace(-1, 1, 16)[:, None]
    y, extra = np.sin(4 * X[:, 0]), []
    newton_step(net, net.init(4000, 1, rng=0), X, y, gamma=1.0)  # loads what is loaded once
    for m in (2**15, 2**17):
        theta = net.init(m, 1, rng=0)
        tracemalloc.start()
        step = newton_step(net, theta, X, y, gamma=1.0)
        extra.append(tracemalloc.get_traced_memory()[1] - step.delta.nbytes)
        tracemalloc.stop()
    assert abs(extra[1] - extra[0]) <= 2**14  # one byte a neuron would be 98,304
    assert extra[1] <= 1.5 * cost.step_memory(2**17, 2, 16)


@both
@pytest.mark.parametrize("d, n", [(1, 30), (2, 17), (6, 9)])
def test_products_and_evaluations_are_those_of_the_cost_model(route, d, n, monkeypatch, one_thread):
    m, count, lock = 9000, dict.fromkeys(("evaluations", "C += U^T U", "blocks"), 0), threading.Lock()

    def add(name, amount):
        with lock:
            count[name] += amount

    def derivatives(z):
        add("evaluations", z.size)
        return tanh.derivatives(z)

    def counted(name, function, operations):
        def call(*given):
            add(name, operations(*given))
            return function(*given)

        return call

    update = counted("C += U^T U", definite.rank_update, lambda C, U: len(U) * U.shape[1] ** 2)
    sums = counted("blocks", definite.weighted, lambda W, rows: 2 * len(W) * rows.size)
    monkeypatch.setattr(definite, "rank_update", update)
    monkeypatch.setattr(definite, "weighted", sums)
    monkeypatch.setenv("NNTK_COMPILED", str(int(route == "compiled")))
    net = Network(Activation("counted", derivatives, tanh.sup, tanh.strip), bias=False)
    X, y = np.random.default_rng(0).standard_normal((n, d)), np.ones(n)
    newton_step(net, net.init(m, d, rng=0), X, y, gamma=10.0)
    model = cost.step_cost(m, d, n)
    assert count == {"evaluations": model.evaluations, **{name: model.parts[name] for name in ("C += U^T U", "blocks")}}


def test_the_cost_model_is_linear_in_the_width_and_knows_what_dominates():
    one, ten = cost.step_cost(10**5, 10, 500), cost.step_cost(10**6, 10, 500)
    per_neuron = [(c.flops - c.parts["system"]) / m for c, m in ((one, 10**5), (ten, 10**6))]
    assert per_neuron[0] == pytest.approx(per_neuron[1], rel=1e-14)
    assert one.parts["C += U^T U"] > 0.75 * one.flops
    assert cost.dense_cost(2048, 10, 100).flops > 1000 * cost.step_cost(2048, 10, 100).flops
    assert cost.hvp_cost(10**5, 2, 100).flops > cost.gradient_cost(10**5, 2, 100).flops


@pytest.mark.parametrize("mebibytes", [0.5, 1, 4, 128])
@pytest.mark.parametrize("n, d", [(64, 2), (100, 10)])
@both
def test_every_pass_keeps_to_the_memory_budget(route, n, d, mebibytes, monkeypatch):
    """Traced peak beyond what a pass returns, on as many threads as there are; the residual's pass as well."""
    monkeypatch.setenv("NNTK_COMPILED", str(int(route == "compiled")))
    m, rng, budget = 1500, np.random.default_rng(0), int(mebibytes * 2**20)
    net, X, a = Network("tanh"), rng.standard_normal((n, d)), 0.01 * rng.standard_normal(n) / n
    theta = net.init(m, d, rng=0)
    at, v = net.at(theta, X, budget), rng.standard_normal(theta.shape)
    blocks, structured = at.blocks(a), at.structured(a)
    [reduction] = blocks.reduce([1.0])
    step, vector, matrix = theta.nbytes, 8 * n, 8 * n * n
    passes = {
        "outputs": (lambda: net.at(theta, X, budget).f, vector),
        "Gram": (lambda: net.at(theta, X, budget).gram(), matrix),
        "cross Gram": (lambda: at.cross(net.at(theta, X, budget)), matrix),
        "J^T a": (lambda: at.vjp(a), step),
        "J v": (lambda: at.jvp(v), vector),
        "D^2 f": (lambda: at.second(v, v), vector),
        "reduce": (lambda: blocks.reduce([1.0]), matrix),
        "solve": (lambda: blocks.solve_range(reduction, a), step),
        "S v + J^T b": (lambda: blocks.apply(v, a), step),
        "reduce by eigenvalues": (lambda: structured.reduce([1.0]), matrix),
        "solve by eigenvalues": (lambda: structured.solve_range(reduction, a), step),
    }
    checked = theta.nbytes // 8  # a mask of bytes, where inputs are checked to be finite
    for name, (call, returned) in passes.items():
        call()  # loads what is loaded once
        tracemalloc.start()
        call()
        peak = tracemalloc.get_traced_memory()[1] - returned
        tracemalloc.stop()
        assert peak <= max(budget, checked), f"{name}: {peak / 2**20:.2f} MiB of {mebibytes} MiB"


# Streaming and BLAS


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("contiguous", [True, False])
def test_rank_update_is_the_product(dtype, contiguous):
    U = np.random.default_rng(0).standard_normal((40, 14)).astype(dtype)
    U = U if contiguous else U[:, ::2]
    start = np.eye(U.shape[1])
    C = start.copy()
    rank_update.rank_update(C, U)
    tolerance = 40 * np.finfo(dtype).eps * np.abs(U.T @ U).max()
    assert np.abs(rank_update.symmetric(C) - (start + U.T @ U)).max() <= tolerance


def test_rank_update_without_an_address(monkeypatch):
    monkeypatch.setattr(rank_update, "_dsyrk", lambda: None)
    test_rank_update_is_the_product(np.float64, True)


def test_a_budget_below_one_neuron_is_refused():
    net, theta, X, y = problem(m=100, n=20)
    step = lambda memory: newton_step(net, theta, X, y, 1.0, memory=memory)
    for function in (step, lambda memory: net.at(theta, X, memory).vjp(y)):
        with pytest.raises(ParameterError, match="memory = 100 bytes is too little: one neuron with 20 samples needs"):
            function(memory=100)


def test_number_of_threads_changes_rounding_only(monkeypatch):
    net, theta, X, y = problem(m=5000, n=20)
    steps = []
    for threads in ("1", "2", "3"):
        monkeypatch.setenv("NNTK_THREADS", threads)
        assert streaming.cores() == int(threads)
        steps.append(newton_step(net, theta, X, y, gamma=3.0))
        again = newton_step(net, theta, X, y, gamma=3.0)
        assert np.array_equal(steps[-1].delta, again.delta)  # the same cores give the same bits
    assert max(relative(step.delta, steps[0].delta) for step in steps) <= 1000 * EPS


def test_cores_of_this_process_or_of_a_browser(monkeypatch):
    for wrong in ("0", "-1", "many"):
        monkeypatch.setenv("NNTK_THREADS", wrong)
        with pytest.raises(ParameterError, match=f"NNTK_THREADS = '{wrong}' must be a positive integer"):
            streaming.cores()
    monkeypatch.delenv("NNTK_THREADS")
    assert streaming.cores() >= 1
    monkeypatch.setattr(streaming.sys, "platform", "emscripten")
    assert streaming.cores() == 1


def test_an_error_in_a_thread_is_raised(monkeypatch):
    monkeypatch.setenv("NNTK_THREADS", "2")

    def work(part, state):
        raise ParameterError(f"slice {part}")

    with pytest.raises(ParameterError, match="slice"):
        streaming.parallel(10_000, 10, 10, work)


def test_rows_of_an_activation_are_separate_arrays():
    exp = Activation("exp", lambda z: [np.exp(z)] * 3, (np.inf,) * 3, 1.0)
    rows = exp.rows(np.zeros(2))
    rows[0][:] = 5
    assert rows[1].tolist() == rows[2].tolist() == [1, 1]
    linear = Activation("linear", lambda z: [z, np.ones_like(z), np.zeros_like(z)], (np.inf, 1, 0), 1.0)
    z = np.zeros(2)
    linear.rows(z)[0][:] = 5
    assert z.tolist() == [0, 0]
    net = Network(exp)
    theta, X, y = net.init(6, 2, rng=0), np.eye(2), np.ones(2)
    twin = np.einsum("nmp,n->mp", jacobian(net, theta, X), residual(net, theta, X, y)) / 2
    assert relative(gradient(net, theta, X, y), twin) <= 100 * EPS


# The other route


@pytest.mark.parametrize("act", SMOOTH)
@pytest.mark.parametrize("m, n, d, bias", [(1, 1, 1, False), (40, 7, 3, True), (3000, 20, 2, False)])
def test_hessian_vector_is_the_structured_product(act, m, n, d, bias):
    net, theta, X, y = problem(act, m=m, n=n, d=d, bias=bias)
    v = np.random.default_rng(5).standard_normal(theta.shape)
    H, r, at = hessian(net, theta, X, y), residual(net, theta, X, y), net.at(theta, X)
    terms = relative(np.zeros_like(v), H @ v) and np.linalg.norm(v) / np.linalg.norm(H @ v)  # cancellation
    assert relative(at.blocks(r / n).apply(v, at.jvp(v) / n), H @ v) <= 100 * EPS * (1 + terms)


def test_conjugate_gradients_check_the_direct_step():
    net, theta, X, y = problem(m=2000, n=15)
    direct = newton_step(net, theta, X, y, gamma=3.0)
    iterative = newton_step(net, theta, X, y, 3.0, ConjugateGradients(1e-12))
    # the smallest eigenvalue of the scaled matrix is at least min_eig, the largest at most gamma + |A|
    A = gradient_gram_norm(net, theta, X)
    assert relative(iterative.delta, direct.delta) <= 1e-12 * (3.0 + A) / direct.min_eig
    assert iterative.route == "cg" and iterative.min_eig is None and "products" in iterative.reason
    for name in ("slope", "predicted"):
        assert getattr(iterative, name) == pytest.approx(getattr(direct, name), rel=1e-9)


def gradient_gram_norm(net, theta, X):
    J = jacobian(net, theta, X).reshape(len(X), -1)
    return len(theta) ** (2 * net.beta - 1) * np.linalg.norm(J, 2) ** 2 / len(X)


def test_auto_takes_conjugate_gradients_while_they_are_cheap_and_says_so(monkeypatch):
    net, theta, X, y = problem(m=60, n=40, d=30)
    exact = newton_step(net, theta, X, y, gamma=30.0)
    cheap = newton_step(net, theta, X, y, 30.0, Auto(1e-8))
    assert cheap.route == "cg" and "reached 1e-08" in cheap.reason and relative(cheap.delta, exact.delta) < 1e-6
    monkeypatch.setattr("nntk_lib.methods.newton.break_even", lambda *sizes: 1)
    dear = newton_step(net, theta, X, y, 30.0, Auto())
    assert dear.route == "direct" and "after 1 products" in dear.reason
    assert relative(dear.delta, exact.delta) <= 100 * EPS


def test_conjugate_gradients_refuse_what_they_cannot_do():
    net, theta, X, y = problem(m=200, n=6)
    with pytest.raises(NotPositiveDefiniteError, match="product . of conjugate gradients met the curvature") as error:
        newton_step(net, theta, X, 100 * y, 1e-3, ConjugateGradients())
    assert error.value.neuron is None and error.value.sufficient_gamma > 1e-3 > 0 > error.value.min_eig
    with pytest.raises(NotConvergedError, match="did not reach rtol = 1e-10 in 1 products"):
        newton_step(net, theta, X, y, 10.0, ConjugateGradients(limit=1))
    for wrong in ({"rtol": 0}, {"limit": 2.5}):
        with pytest.raises(ParameterError, match=next(iter(wrong))):
            ConjugateGradients(**wrong)
    with pytest.raises(ParameterError, match="precision = 'half'"):
        Direct(precision="half")


def test_the_default_budget_is_at_least_what_one_neuron_needs(monkeypatch):
    """So that pictures of thousands of pixels pass; and the advice of the error is followed."""
    net, theta, X, y = problem(m=20, n=30, d=3)
    step = newton_step(net, theta, X, y, 50.0)
    monkeypatch.setattr(streaming, "MEMORY", 2**10)
    assert relative(newton_step(net, theta, X, y, 50.0).delta, step.delta) <= 1e-12
    memory = 2**10
    while True:  # one pass after the other says what it needs
        try:
            found = newton_step(net, theta, X, y, 50.0, memory=memory)
            break
        except ParameterError as error:
            asked = int(str(error).split("Try memory=")[1].split(",")[0])
            assert asked > memory
            memory = asked
    assert relative(found.delta, step.delta) <= 1e-12
