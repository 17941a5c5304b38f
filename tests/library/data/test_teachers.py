import numpy as np
import pytest

from nntk_lib.data import ridges, signs, single_index, sphere, teacher_student
from nntk_lib.exceptions import NonFiniteError, ParameterError, ShapeError
from nntk_lib.networks.shallow.spec import Shallow

EPS = np.finfo(float).eps


def test_teacher_student_statistics():
    data = teacher_student(500, 3, 4, rng=0, noise=0.1)
    clean = teacher_student(500, 3, 4, rng=0)
    assert clean.y.std() == pytest.approx(1) and (data.y - clean.y).std() == pytest.approx(0.1, rel=5 / np.sqrt(1000))
    assert np.array_equal(data.X, clean.X)


def test_the_teacher_is_the_literal_formula_with_the_seed_as_it_always_was():
    rng = np.random.default_rng(3)
    X, c, W = rng.standard_normal((9, 2)), rng.standard_normal(4), rng.standard_normal((4, 2))
    clean = np.array([sum(c[i] * np.tanh(W[i] @ x) for i in range(4)) for x in X])
    data = teacher_student(9, 2, 4, rng=3)
    assert np.array_equal(data.X, X) and np.abs(data.y - clean / clean.std()).max() <= 32 * EPS


@pytest.mark.parametrize("act", ["relu", "tanh", "silu"])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("scale", ["std", "width"])
def test_the_teacher_is_a_network_whose_outputs_are_the_labels(act, bias, scale):
    data = teacher_student(40, 3, 5, 0, act=act, bias=bias, scale=scale, task=11)
    f = Shallow(act, beta=1.0, bias=bias).at(data.teacher, data.X).f
    assert data.teacher.shape == (5, 4 + bias) and data.X.shape == (40, 3)
    assert np.abs(f - data.y).max() <= 64 * EPS * np.abs(data.teacher[:, 0]).sum()


def test_mean_field_teachers_are_shared_by_task_and_divided_by_the_width():
    train, test = (teacher_student(50, 10, 5, rng, act="relu", scale="width", task=2) for rng in (0, 1))
    assert np.array_equal(train.teacher, test.teacher) and not np.array_equal(train.X, test.X)
    assert not np.array_equal(train.teacher, teacher_student(50, 10, 5, 0, act="relu", scale="width").teacher)
    by_hand = np.maximum(train.X @ train.teacher[:, 1:].T, 0) @ train.teacher[:, 0] / 5
    assert np.abs(train.y - by_hand).max() <= 64 * EPS * np.abs(train.teacher[:, 0]).sum()


def test_ridges_are_the_literal_formula():
    train, test = ridges(30, 16, rng=0, noise=0.0, task=5), ridges(400, 16, rng=1, noise=0.05, task=5)
    law = np.random.default_rng(5)
    V, phases = law.standard_normal((8, 16)), law.uniform(0, 2 * np.pi, 8)
    y = np.array([sum(np.sin(v @ x + p) for v, p in zip(V, phases, strict=True)) / 2 for x in train.X])
    assert np.abs(train.y - y).max() <= 64 * EPS
    assert np.array_equal(train.teacher, V) and np.array_equal(test.teacher, V)
    assert test.X.std(axis=0)[[0, -1]] == pytest.approx([1, 0.1], rel=5 / np.sqrt(800))
    noise = test.y - ridges(400, 16, rng=1, noise=0.0, task=5).y
    assert noise.std() == pytest.approx(0.05, rel=5 / np.sqrt(800))
    assert np.var([ridges(400, 16, 0, task=k).y.var() for k in range(5)]) < 0.2


def test_single_index_is_the_literal_formula_on_the_sphere():
    data = single_index(200, 5, rng=0, noise=0.0, task=3)
    assert np.abs(np.linalg.norm(data.X, axis=1) - 1).max() <= 4 * EPS
    assert np.linalg.norm(data.teacher) == pytest.approx(1, rel=4 * EPS)
    assert np.abs(data.y - [np.tanh(3 * data.teacher @ x) for x in data.X]).max() <= 16 * EPS
    assert np.array_equal(single_index(10, 5, rng=9, task=3).teacher, data.teacher)
    noise = single_index(2000, 5, rng=0, noise=0.3).y - single_index(2000, 5, rng=0, noise=0.0).y
    assert noise.std() == pytest.approx(0.3, rel=5 / np.sqrt(4000))


def test_signs_are_not_linear():
    data = signs(4000, 5, rng=0)
    assert set(data.y) == {-1.0, 1.0} and np.array_equal(data.y, np.sign(data.X[:, 0] * data.X[:, 1]))
    design = np.c_[data.X, np.ones(4000)]
    fit = design @ np.linalg.lstsq(design, data.y, rcond=None)[0]
    assert (fit**2).mean() < 5 * 6 / 4000  # six coefficients fit noise, and nothing else


def test_sphere_takes_labels():
    data, y = sphere(12, 4, rng=0), np.arange(12.0)
    assert np.array_equal(sphere(12, 4, rng=0, y=y).X, data.X) and np.array_equal(sphere(12, 4, 0, y).y, y)
    assert np.abs(np.linalg.norm(data.X, axis=1) - 1).max() <= 4 * EPS


def test_bad_input_is_named():
    with pytest.raises(ParameterError, match="d = 1 must be an integer, 2 or more"):
        signs(5, 1, 0)
    with pytest.raises(ParameterError, match="scale = 'mean' is unknown; use 'std'.*'width'"):
        teacher_student(5, 2, 3, 0, scale="mean")
    with pytest.raises(ParameterError, match="labels are equal.*Use scale='width'"):
        teacher_student(1, 2, 3, 0)
    assert teacher_student(1, 2, 3, 0, scale="width").y.shape == (1,)  # the advice
    with pytest.raises(ParameterError, match="Unknown activation 'gelu'"):
        teacher_student(5, 2, 3, 0, act="gelu")
    with pytest.raises(ParameterError, match="task = None"):
        ridges(5, 2, 0, task=None)
    for make in (ridges, single_index):
        with pytest.raises(ParameterError, match="noise = -1"):
            make(5, 2, 0, noise=-1.0)
    with pytest.raises(ShapeError, match=r"link\(z\)"):
        single_index(5, 2, 0, link=lambda z: z[:3])
    with pytest.raises(NonFiniteError, match=r"link\(z\)"):
        single_index(5, 2, 0, link=lambda z: z * np.inf)
    with pytest.raises(ShapeError, match="y has shape"):
        sphere(5, 2, 0, y=np.ones(4))
