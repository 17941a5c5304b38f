"""Every loss against its literal twin, and the laws of its factor, at ordinary outputs and at extreme ones."""

import mpmath
import numpy as np
import pytest

from nntk_lib.exceptions import NNTKError, NonFiniteError, ParameterError, ShapeError
from nntk_lib.losses import CrossEntropy, LogCosh, Logistic, Square, WeightedSquare, sandwich, times, transposed
from nntk_lib.reference import methods as twin

EPS = np.finfo(float).eps
RNG = np.random.default_rng(0)
n, C = 7, 4
A = 10.0 ** RNG.uniform(-2, 0, n)
F1, F2 = RNG.standard_normal(n), RNG.standard_normal((n, C))
Y1, Y2 = RNG.standard_normal(n), RNG.standard_normal((n, C))
SIGNS = RNG.choice([-1.0, 1.0], n)
CLASSES = RNG.integers(0, C, n)
SOFT = RNG.dirichlet(np.ones(C), n)

# name: loss, outputs, targets, literal value
ZOO = {
    "square": (Square(), F1, Y1, lambda f: twin.square(f, Y1)),
    "square, outputs": (Square(), F2, Y2, lambda f: twin.square(f, Y2)),
    "sum": (Square("sum"), F2, Y2, lambda f: n * twin.square(f, Y2)),
    "weighted": (WeightedSquare(A), F1, Y1, lambda f: twin.square(f, Y1, A)),
    "weighted, outputs": (WeightedSquare(A, "sum"), F2, Y2, lambda f: n * twin.square(f, Y2, A)),
    "log cosh": (LogCosh(A, b=0.5), F1, Y1, lambda f: twin.square(f, Y1, A, 0.5)),
    "log cosh, sum": (LogCosh(A, "sum", b=2.0), F2, Y2, lambda f: n * twin.square(f, Y2, A, 2.0)),
    "logistic": (Logistic(), F1, SIGNS, lambda f: twin.logistic(f, SIGNS)),
    "logistic, ridge": (Logistic(0.1), F1, SIGNS, lambda f: twin.logistic(f, SIGNS, 0.1)),
    "cross-entropy": (CrossEntropy(), F2, CLASSES, lambda f: twin.cross_entropy(f, np.eye(C)[CLASSES])),
    "cross-entropy, soft": (CrossEntropy(), F2, SOFT, lambda f: twin.cross_entropy(f, SOFT)),
}
zoo = pytest.mark.parametrize("name", ZOO)


def dense(H):
    return twin.dense_factor(H)


@zoo
def test_value_and_gradient_are_the_literal_ones(name):
    loss, f, y, value = ZOO[name]
    assert loss.value(f, y) == pytest.approx(float(np.real(value(f))), rel=4 * n * EPS)
    g = twin.complex_step_gradient(value, f)
    assert np.abs(loss.gradient(f, y) - g).max() <= 4 * n * EPS * np.abs(g).max()


@zoo
def test_hessian_is_the_difference_of_gradients(name):
    loss, f, y, _ = ZOO[name]
    H, h = dense(loss.hessian(f, y)), EPS ** (1 / 3)
    columns = []
    for k in np.ndindex(f.shape):
        e = np.zeros(f.shape)
        e[k] = h
        columns.append((loss.gradient(f + e, y) - loss.gradient(f - e, y)).ravel() / (2 * h))
    assert np.abs(np.stack(columns, axis=1) - H).max() <= 10 * EPS ** (2 / 3) * np.abs(H).max()


@zoo
def test_factor_squares_to_the_hessian_and_gives_the_gradient(name):
    loss, f, y, _ = ZOO[name]
    (R, q), H, g = loss.factor(f, y), dense(loss.hessian(f, y)), loss.gradient(f, y)
    assert q.shape == f.shape == g.shape and R.shape == loss.hessian(f, y).shape
    assert np.abs(dense(R) @ dense(R).T - H).max() <= 10 * EPS * np.abs(H).max()
    assert np.abs(times(R, q) - g).max() <= 10 * C * EPS * np.abs(q).max()


@zoo
def test_curvature_bounds_hold_and_are_attained(name):
    loss, f, y, _ = ZOO[name]
    nu, mu = loss.curvature_bounds(y)
    for scale in (0.0, 1.0, 30.0):
        eigenvalues = np.linalg.eigvalsh(dense(loss.hessian(scale * f, y)))
        assert nu - 10 * EPS * mu <= eigenvalues[0] and eigenvalues[-1] <= mu * (1 + 10 * EPS)
    if isinstance(loss, CrossEntropy):
        f = np.zeros((n, C)) - 100 * (np.arange(C) > 1)  # two classes alike
    elif isinstance(loss, Logistic):
        f = np.zeros(n)
    else:
        f = y
    assert np.linalg.eigvalsh(dense(loss.hessian(f, y)))[-1] == pytest.approx(mu, rel=1e-12)
    f = y + 1000.0 if isinstance(loss, LogCosh) else 1000.0 * (1 + np.arange(f.size).reshape(f.shape))
    assert np.linalg.eigvalsh(dense(loss.hessian(f, y)))[0] == pytest.approx(nu, rel=1e-12, abs=1e-15)


@zoo
def test_products_with_both_forms_of_the_factor(name):
    loss, f, y, _ = ZOO[name]
    R, _ = loss.factor(f, y)
    rng, D, N = np.random.default_rng(1), dense(R), f.size
    u, columns, K = rng.standard_normal(f.shape), rng.standard_normal((*f.shape, 3)), rng.standard_normal((N, N))
    for product, matrix in ((times, D), (transposed, D.T)):
        assert np.abs(product(R, u).ravel() - matrix @ u.ravel()).max() <= 10 * EPS * np.abs(u).max()
        assert np.abs(product(R, columns).reshape(N, 3) - matrix @ columns.reshape(N, 3)).max() <= 30 * EPS
    kept = K.copy()
    assert np.abs(sandwich(R, K) - D.T @ K @ D).max() <= 50 * EPS * np.abs(K).max()  # K need not be symmetric
    assert (K == kept).all()


def test_lists_and_integers_are_targets_too():
    assert Square().value([1.0, 2.0], [0, 0]) == 1.25
    assert CrossEntropy().value(F2, CLASSES.tolist()) == CrossEntropy().value(F2, np.eye(C)[CLASSES])
    assert Logistic().value(F1, SIGNS.astype(int)) == Logistic().value(F1, SIGNS)


# ---- extremes: outputs that differ by a thousand, equal ones, and all but certain ones


def exact_softmax(row):
    with mpmath.workdps(1000):
        e = [mpmath.exp(mpmath.mpf(float(x))) for x in row]
        return [x / sum(e) for x in e]


@pytest.mark.parametrize(
    "row", [[1e3, -1e3, 0.0], [-1e3, 1e3, 999.0], [5.0, 5.0, 5.0], [40.0, 0.0, 1.0], [700.0, 0, 0]]
)
@pytest.mark.parametrize("label", [0, 1, 2])
def test_cross_entropy_is_right_to_rounding_at_extreme_outputs(row, label):
    loss, f, y = CrossEntropy(), np.array([row]), [label]
    with mpmath.workdps(1000):
        p = exact_softmax(row)
        exact_g = [pc - (c == label) for c, pc in enumerate(p)]
        log_root = 0.5 * mpmath.log(p[label])
        tol = (20 + max(row) - min(row)) * EPS  # the exponents themselves are rounded
        close = lambda a, b: abs(a - b) <= tol * abs(b) + 1e-305  # relative, entry by entry
        assert close(loss.value(f, y), -mpmath.log(p[label]))
        assert all(close(a, b) for a, b in zip(loss.gradient(f, y)[0], exact_g, strict=True))
        for a in range(3):
            for b in range(3):
                assert close(loss.hessian(f, y)[0, a, b], p[a] * ((a == b) - p[b]))
        if -log_root > 709:
            with pytest.raises(NonFiniteError, match="curvature"):
                loss.factor(f, y)
            return
        R, q = loss.factor(f, y)
        for a in range(3):
            assert close(q[0, a], exact_g[a] / mpmath.sqrt(p[a]))
            for b in range(3):
                assert close(R[0, a, b], (a == b) * mpmath.sqrt(p[a]) - p[a] * mpmath.sqrt(p[b]))
    assert np.abs(times(R, q) - loss.gradient(f, y)).max() <= tol


@pytest.mark.parametrize("f", [0.0, 1e-9, 30.0, -40.0, 700.0, -1e3, 1e3])
@pytest.mark.parametrize("ridge", [0.0, 0.1])
def test_logistic_is_right_to_rounding_at_extreme_outputs(f, ridge):
    loss, outputs, y = Logistic(ridge), np.array([f]), np.array([1.0])
    with mpmath.workdps(1000):
        p, x, rho = 1 / (1 + mpmath.exp(mpmath.mpf(f))), mpmath.mpf(f), mpmath.mpf(ridge)
        h, g = p * (1 - p) + rho, -p + rho * x
        tol = (20 + abs(f)) * EPS
        close = lambda a, b: abs(a - b) <= tol * abs(b) + 1e-305
        assert close(loss.value(outputs, y), mpmath.log(1 + mpmath.exp(-x)) + rho * x * x / 2)
        assert close(loss.gradient(outputs, y)[0], g) and close(loss.hessian(outputs, y)[0], h)
        R, q = loss.factor(outputs, y)
        assert close(R[0], mpmath.sqrt(h)) and close(q[0], g / mpmath.sqrt(h))


def test_logistic_and_two_classes_are_one_loss():
    """Two classes whose outputs differ by f are the logistic loss of f."""
    f = np.column_stack([np.zeros(n), 3 * F1])
    both = CrossEntropy().value(f, (SIGNS > 0).astype(int))
    assert both == pytest.approx(Logistic().value(3 * F1, SIGNS), rel=10 * EPS)


def test_log_cosh_at_extreme_residuals():
    loss = LogCosh(np.full(4, 0.01), "sum", b=1.0)
    f = np.array([0.0, 1e-8, 800.0, -1e5])
    with mpmath.workdps(1000):
        exact = [
            mpmath.mpf(0.01) * x * x / 2 + abs(x) + mpmath.log1p(mpmath.exp(-2 * abs(x))) - mpmath.log(2) for x in f[1:]
        ]
    for x, value in zip(f[1:], exact, strict=True):
        assert LogCosh([0.01], "sum").value([x], [0.0]) == pytest.approx(float(value), rel=20 * EPS)
    R, q = loss.factor(f, np.zeros(4))
    assert np.abs(R * q - loss.gradient(f, np.zeros(4))).max() <= 10 * EPS * np.abs(R * q).max() and q[0] == 0
    flat = LogCosh([0.0, 1.0], b=1.0)
    R, q = flat.factor(np.array([600.0, 0.0]), np.zeros(2))
    assert R[0] * q[0] == pytest.approx(0.5, rel=1e-12)
    with pytest.raises(NonFiniteError, match="Sample 0"):
        flat.factor(np.array([2000.0, 0.0]), np.zeros(2))


# ---- bad input


@pytest.mark.parametrize(
    ("call", "error", "word"),
    [
        (lambda: Square("median"), ParameterError, "'mean'"),
        (lambda: Square().value(F1, F1[:, None]), ShapeError, "Drop the last axis"),
        (lambda: Square().value(F1, F1[:-1]), ShapeError, "agree"),
        (lambda: Square().value(F1.reshape(1, 1, n), F1.reshape(1, 1, n)), ShapeError, "(n, C)"),
        (lambda: Square().gradient(F1 * np.nan, F1), NonFiniteError, "overflowed"),
        (lambda: Square().gradient(F1, F1 * np.inf), NonFiniteError, "y holds"),
        (lambda: WeightedSquare([1.0, -1.0]), ParameterError, "negative"),
        (lambda: WeightedSquare([0.0, 0.0]), ParameterError, "not all"),
        (lambda: WeightedSquare(A).value(F1[:3], F1[:3]), ShapeError, "batches"),
        (lambda: LogCosh(A, b=-1.0), ParameterError, "b = -1"),
        (lambda: Logistic(ridge=-0.1), ParameterError, "ridge"),
        (lambda: Logistic().value(F1, SIGNS > 0), NNTKError, "y must hold"),
        (lambda: Logistic().value(F1, (SIGNS > 0).astype(int)), ParameterError, "2 y - 1"),
        (lambda: Logistic().value(F1, 2 * SIGNS), ParameterError, "-1 or 1"),
        (lambda: CrossEntropy().value(F1, CLASSES), ShapeError, "Logistic"),
        (lambda: CrossEntropy().value(F2[:, :1], CLASSES), ShapeError, "Logistic"),
        (lambda: CrossEntropy().value(F2, CLASSES + 1), ParameterError, "from 0 on"),
        (lambda: CrossEntropy().value(F2, CLASSES - 1), ParameterError, "from 0 on"),
        (lambda: CrossEntropy().value(F2, CLASSES + 0.5), ParameterError, "Class"),
        (lambda: CrossEntropy().value(F2, CLASSES[:-1]), ShapeError, "class numbers"),
        (lambda: CrossEntropy().value(F2, SOFT[:, :-1]), ShapeError, "class numbers"),
        (lambda: CrossEntropy().value(F2, 2 * SOFT), ParameterError, "Divide y"),
        (lambda: CrossEntropy().value(F2, -F2), ParameterError, "probabilities"),
        (lambda: times(F1, F1[:-1]), ShapeError, "Reshape"),
        (lambda: sandwich(F1, np.eye(n + 1)), ShapeError, "rows"),
    ],
)
def test_bad_input_is_named(call, error, word):
    with pytest.raises(error) as caught:
        call()
    assert word in str(caught.value)


def test_advice_works():
    assert CrossEntropy().value(F2, 2 * SOFT / (2 * SOFT).sum(axis=1, keepdims=True)) > 0
    assert Logistic().value(F1, 2 * (SIGNS > 0).astype(int) - 1) == Logistic().value(F1, SIGNS)
    far = np.array([-2000.0])
    with pytest.raises(NonFiniteError, match="ridge"):
        Logistic().factor(far, [1])
    assert np.isfinite(Logistic(0.1).factor(far, [1])[1]).all()
