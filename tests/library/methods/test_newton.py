import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from nntk_lib import (
    Shallow,
    gauss_newton_step,
    gradient,
    gradient_step,
    gram,
    hessian,
    limit_ntk,
    loss,
    newton_kernel,
    newton_step,
    reference,
    residual,
    safe_gamma,
)
from nntk_lib.exceptions import (
    NNTKError,
    NonFiniteError,
    NotPositiveDefiniteError,
    ParameterError,
    ShapeError,
    SingularSystemError,
)
from nntk_lib.methods import ConjugateGradients, Direct, newton_steps
from nntk_lib.verbs import BlockDiagPlusLowRank, curvature_blocks, j_dot

from ..cases import EPS, SMOOTH, problem, random_cases, relative

pytestmark = pytest.mark.filterwarnings("ignore::nntk_lib.exceptions.AssumptionWarning")

cases = random_cases(SMOOTH, largest_beta=0.95)


def dense(net, theta, X, y, gamma):
    """The regularized Hessian, its block-diagonal part and the tolerance of a step."""
    damping = gamma / net.width_scale(len(theta)) * np.eye(theta.size)
    M = reference.hessian(net, theta, X, y) + damping
    J = reference.jacobian(net, theta, X)
    D = M - J.T @ J / len(X)
    return M, D, 100 * EPS * np.linalg.cond(M) * np.linalg.cond(D)


@given(cases, st.floats(0.05, 5))
@settings(max_examples=120, deadline=None)
def test_property_structured_step_is_the_dense_solve_and_the_literal_twin(case, margin):
    net, theta, X, y = problem(**case)
    least = -np.linalg.eigvalsh(curvature_blocks(net, theta, X, residual(net, theta, X, y)))[:, 0].min()
    gamma = margin + max(0.0, least) * len(theta) ** (2 * net.beta - 1)  # every block is positive definite
    step = newton_step(net, theta, X, y, gamma)
    _, _, tol = dense(net, theta, X, y, gamma)
    cancelled = 1 + np.linalg.norm(y) / np.linalg.norm(residual(net, theta, X, y))  # in r = f - y, by either route
    assume(cancelled < 1e3)
    tol *= cancelled
    assert tol < 1e-8  # the cases are well conditioned, so the comparison means something
    for twin in (reference.newton_step, reference.newton_step_neuronwise):
        difference = relative(step.delta, twin(net, theta, X, y, gamma))
        assert difference <= tol and difference < 1e-10
    assert step.is_descent and step.min_eig >= margin * (1 - 1e-9)


@given(cases, st.floats(0.01, 2))
@settings(max_examples=60, deadline=None)
def test_property_the_identity_holds_for_indefinite_blocks_too(case, gamma):
    net, theta, X, y = problem(**case)
    y = 10 * y  # a large residual makes the blocks indefinite
    M, _, tol = dense(net, theta, X, y, gamma)
    if tol > 1e-9:
        return  # nearly singular: no digits to compare
    step = newton_step(net, theta, X, y, gamma, Direct(indefinite="solve"))
    assert relative(step.delta, reference.newton_step(net, theta, X, y, gamma)) <= tol
    g = gradient(net, theta, X, y)
    assert step.slope == pytest.approx(np.vdot(g, step.delta), rel=1e-6, abs=1e-9 * loss(residual(net, theta, X, y)))


@pytest.mark.parametrize("act", SMOOTH)
def test_hessian_by_differences_of_the_complex_step_gradient(act):
    net, theta, X, y = problem(act, m=5, n=4, d=2, seed=5)
    n = len(X)

    def grad(t):
        return reference.complex_step_jacobian(net, t, X).T @ (reference.forward(net, t, X) - y) / n

    H = hessian(net, theta, X, y).to_dense()
    h, columns = 1e-5, []
    for k in range(theta.size):
        e = np.zeros_like(theta)
        e.flat[k] = h
        columns.append((grad(theta + e) - grad(theta - e)) / (2 * h))
    # truncation h^2 times third derivatives of order 10, cancellation eps / h
    assert np.abs(H - np.stack(columns, axis=1)).max() <= 100 * h**2 + 10 * EPS / h
    np.testing.assert_allclose(H, reference.hessian(net, theta, X, y), atol=100 * EPS)


def test_hessian_of_one_output_is_its_curvature_blocks():
    net, theta, X, _ = problem(m=4, n=3, d=2)
    blocks = curvature_blocks(net, theta, X, 3 * np.eye(3)[1])
    full = reference.network_hessian(net, theta, X[1])
    p = theta.shape[1]
    for i in range(4):
        np.testing.assert_allclose(blocks[i], full[i * p : (i + 1) * p, i * p : (i + 1) * p], atol=10 * EPS)


def test_hessian_vector_product_and_general_solve():
    net, theta, X, y = problem(m=30, n=6, d=3, seed=8)
    H = hessian(net, theta, X, y, shift=0.7)
    v = np.random.default_rng(0).standard_normal(theta.shape)
    M = H.to_dense()
    assert relative(H @ v, M @ v.ravel()) <= 100 * EPS
    assert relative(H.solve(v), np.linalg.solve(M, v.ravel())) <= 100 * EPS * np.linalg.cond(M)
    assert relative(H @ H.solve(v), v) <= 100 * EPS * np.linalg.cond(M)
    assert H.min_block_eig() == pytest.approx(0.7 + hessian(net, theta, X, y).min_block_eig())
    D = M - reference.jacobian(net, theta, X).T @ reference.jacobian(net, theta, X) / 6
    assert H.min_block_eig() == pytest.approx(np.linalg.eigvalsh(D)[0], abs=100 * EPS)
    assert repr(H) == "BlockDiagPlusLowRank(30 blocks 5 x 5 + rank 6, order 150, shift 0.7)"


def test_chunk_size_changes_rounding_only():
    net, theta, X, y = problem(m=301, n=8, d=2, beta=0.7, seed=3)
    steps = [newton_step(net, theta, X, y, gamma=1.0, memory=c) for c in (None, 10**4, 10**5, 10**6)]
    for step in steps[1:]:
        assert relative(step.delta, steps[0].delta) <= 1000 * EPS
        assert step.min_eig == pytest.approx(steps[0].min_eig, rel=1e-13)


def test_many_gamma_from_one_eigendecomposition():
    net, theta, X, y = problem(m=50, n=6, seed=1)
    gammas = [3.0, 1.0, 10.0]
    many = newton_steps(net, theta, X, y, gammas)
    for gamma, step in zip(gammas, many, strict=True):
        one = newton_step(net, theta, X, y, gamma)
        assert relative(step.delta, one.delta) <= 100 * EPS and step.gamma == gamma
    norms = [np.linalg.norm(s.delta) for s in newton_steps(net, theta, X, y, np.geomspace(0.8, 50, 12))]
    assert np.all(np.diff(norms) < 0)  # the trust-region radius shrinks as gamma grows


@pytest.mark.parametrize("beta", [0.5, 0.75, 1.0])
def test_gauss_newton_in_sample_space_is_parameter_space(beta):
    net, theta, X, y = problem(m=8, n=5, d=2, beta=beta, seed=6)
    step = gauss_newton_step(net, theta, X, y, gamma=0.4)
    twin = reference.gauss_newton_step(net, theta, X, y, gamma=0.4)
    J, damping = reference.jacobian(net, theta, X), 0.4 * 8 ** (1 - 2 * beta)
    assert relative(step.delta, twin) <= 100 * EPS * np.linalg.cond(J.T @ J / 5 + damping * np.eye(theta.size))
    sample = -J.T @ np.linalg.solve(J @ J.T + 5 * damping * np.eye(5), residual(net, theta, X, y))
    assert relative(sample, twin) <= 1e-11


def test_predicted_decrease_is_the_quadratic_model():
    net, theta, X, y = problem(m=9, n=5, seed=9)
    r, J = residual(net, theta, X, y), reference.jacobian(net, theta, X)
    for step, H in (
        (newton_step(net, theta, X, y, 2.0), reference.hessian(net, theta, X, y)),
        (gauss_newton_step(net, theta, X, y, 2.0), J.T @ J / 5),
    ):
        v = step.delta.ravel()
        assert step.predicted == pytest.approx(-(r @ J @ v / 5 + v @ H @ v / 2), rel=1e-11)
        assert step.slope == pytest.approx(r @ J @ v / 5, rel=1e-11)


def test_gradient_step_moves_the_outputs_by_eta_times_the_kernel():
    net, theta, X, y = problem(m=60, n=5, beta=0.7)
    r, step = residual(net, theta, X, y), gradient_step(net, theta, X, y, eta=0.3)
    A = 60 ** (2 * 0.7 - 1) * gram(net, theta, X) / 5
    np.testing.assert_allclose(j_dot(net, theta, X, step.delta), -0.3 * A @ r, rtol=1e-12, atol=1e-14)
    assert step.predicted == -step.slope == pytest.approx(-np.vdot(gradient(net, theta, X, y), step.delta))


def test_newton_kernel_moves_the_outputs_to_first_order():
    net, theta, X, y = problem(m=40, n=6, seed=2)
    K = newton_kernel(net, theta, X, y, gamma=2.0)
    lam = np.linalg.eigvalsh(K)
    assert np.array_equal(K, K.T) and lam[0] > 0 and lam[-1] < 1
    step, r = newton_step(net, theta, X, y, gamma=2.0), residual(net, theta, X, y)
    assert relative(j_dot(net, theta, X, step.delta), -K @ r) <= 1e-12


def test_indefinite_blocks_are_explained():
    net, X = Shallow("tanh", beta=0.75), np.linspace(-1, 1, 12)[:, None]
    y, theta = 3 * np.sin(5 * X[:, 0]), Shallow("tanh").init(256, 1, rng=1)
    message = r"gamma = 0.01 .*m = 256.*neuron \d+.*Any gamma > .*suffices"
    with pytest.raises(NotPositiveDefiniteError, match=message) as caught:
        newton_step(net, theta, X, y, gamma=0.01)
    error = caught.value
    S = curvature_blocks(net, theta, X, residual(net, theta, X, y))
    low = np.linalg.eigvalsh(S)[:, 0]
    assert error.neuron == np.argmin(low)
    assert error.min_eig == pytest.approx(0.01 + 256**0.5 * low.min(), rel=1e-12)
    assert newton_step(net, theta, X, y, error.sufficient_gamma * (1 + 1e-6)).min_eig > 0
    with pytest.raises(NotPositiveDefiniteError):
        newton_step(net, theta, X, y, error.sufficient_gamma * (1 - 1e-6))
    with pytest.raises(NotPositiveDefiniteError):
        newton_kernel(net, theta, X, y, 0.01)
    assert newton_step(net, theta, X, y, 0.01, Direct(indefinite="solve")).min_eig == pytest.approx(error.min_eig)


def test_bad_parameters_are_named():
    net, theta, X, y = problem()
    for gamma in (0, -1, np.nan, np.inf):
        with pytest.raises(ParameterError, match="gamma"):
            newton_step(net, theta, X, y, gamma)
    with pytest.raises(ParameterError, match="indefinite"):
        Direct(indefinite="ignore")
    with pytest.raises(ParameterError, match="GiB"):
        hessian(net, np.ones((10**5, 4)), X, y).to_dense()
    with pytest.raises(ShapeError, match="one row per block"):
        hessian(net, theta, X, y) @ np.ones((3, 3))
    with pytest.raises(ShapeError, match="do not fit"):
        BlockDiagPlusLowRank.from_arrays(np.zeros((2, 3, 3)), np.zeros((4, 2, 2)))
    with pytest.raises(SingularSystemError, match="exactly singular"):
        BlockDiagPlusLowRank.from_arrays(np.zeros((2, 3, 3)), np.ones((1, 2, 3))).solve(np.ones((2, 3)))
    minus = BlockDiagPlusLowRank.from_arrays(-np.ones((1, 1, 1)), np.ones((1, 1, 1)))  # -1 + 1 = 0
    with pytest.raises(SingularSystemError, match="Increase the shift"):
        minus.solve(np.ones((1, 1)))


@pytest.mark.parametrize("precision, size", [("double", 1e200), ("single", 1e30)])
def test_what_overflows_when_it_is_squared_does_not_hide_an_indefinite_block(precision, size):
    """The blocks grow with the targets, and so does their smallest eigenvalue; its bounds take squares."""
    net, theta, X, y = problem(m=50, n=6, d=1)
    y = y + 10  # far from the outputs
    route, at = Direct(precision=precision), net.at(theta, X)
    gamma = safe_gamma(net, theta, X, y * size) / 2
    with pytest.raises(NotPositiveDefiniteError) as found:
        newton_step(net, theta, X, y * size, gamma, route)
    expected = gamma + at.kernel_scale * np.linalg.eigvalsh(at.curvature_blocks(-y * size / 6)).min()
    assert found.value.min_eig == pytest.approx(expected, rel=1e-4)
    with pytest.raises(NonFiniteError, match="Conjugate gradients overflow"):
        newton_step(net, theta, X, y * 1e200, 1e190, ConjugateGradients())


def test_samples_beyond_all_squares_are_named():
    net, theta, X, y = problem(m=5, n=4, d=1)
    for call in (safe_gamma, lambda *args: safe_gamma(*args, "bound"), lambda *args: newton_step(*args, 1.0)):
        with pytest.raises(NNTKError), np.errstate(all="ignore"):
            call(net, theta, X * 1e155, y)
    with pytest.raises(NonFiniteError, match="The limit kernel overflows"):
        limit_ntk(Shallow("erf"), X * 1e160)
    with pytest.raises(NonFiniteError, match="The limit kernel overflows"):
        limit_ntk(Shallow("erf", weight_std=1e160), X)
