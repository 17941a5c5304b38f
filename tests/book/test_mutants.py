"""Libraries that are wrong on purpose: each must be caught by a test of the library and by a claim of the book."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest
from sources import BOOK, ROOT

# name: (module, what is replaced, by what); the library's tests of a module are in the file named below
NEWTON, KERNELS, GRAM, WIDTH = "test_newton.py", "test_kernels.py", "test_shallow_gram.py", "test_finite_width.py"
TESTS = {"curvature": NEWTON, "cholesky": NEWTON, "damping": NEWTON, "kernels": KERNELS, "gram": GRAM}
TESTS |= dict.fromkeys(("constants", "definiteness", "errors", "shallow"), WIDTH)
BLOCKS = "return S * width**-net.beta"
WEIGHTS = "weights = (self.scale / n * r)[:, None]"
MUTANTS = {
    "residual curvature dropped": ("curvature", BLOCKS, "return 0 * S * width**-net.beta"),
    "sign of the residual curvature flipped": ("curvature", BLOCKS, "return -S * width**-net.beta"),
    "factor n lost in the residual curvature": ("curvature", "X, r / len(r), m, rows)", "X, r, m, rows)"),
    "factor n lost in the low-rank part": ("curvature", "m**-net.beta / np.sqrt(len(X))", "m**-net.beta"),
    "residual curvature dropped, fast": ("cholesky", WEIGHTS, "weights = (0 * r)[:, None]"),
    "sign of the residual curvature flipped, fast": ("cholesky", WEIGHTS, "weights = (-self.scale / n * r)[:, None]"),
    "factor n lost in the residual curvature, fast": ("cholesky", WEIGHTS, "weights = (self.scale * r)[:, None]"),
    "factor n lost in the low-rank part, fast": ("cholesky", "* (self.scale**2 / n)", "* self.scale**2"),
    "first in place of the second derivative, fast": ("cholesky", "(self.outer, d2s)", "(self.outer, ds)"),
    "gamma not scaled with the width": ("damping", "return gamma * m ** (1 - 2 * beta)", "return gamma"),
    "factor n lost between the two dampings": ("damping", "return n * damping", "return damping"),
    "first in place of the second derivative": ("curvature", "_, ds, d2s = rows", "_, ds, _ = rows; d2s = ds"),
    "factor n lost in the limit kernel": ("kernels", "A /= len(X)", "A /= 1"),
    "input weights lost in the limit kernel": ("kernels", "dual[0] + dual[1] * inner", "dual[0] + 0 * inner"),
    "input weights lost in the Gram matrix": ("gram", "b = ds * rows[:, :1]", "b = 0 * ds"),
    "first derivative lost in C_H": ("constants", "return s1 * radius + c_max", "return c_max"),
    "output weights taken for fixed": ("constants", "c.append(c[-1] + alpha * update[-1])", "c.append(c[-1])"),
    "safe gamma too small": ("definiteness", "(rounding + abs(low)))", "(rounding + 0.99 * abs(low)))"),
    "repaired directions counted": ("definiteness", "reduction.negative - repaired", "reduction.negative"),
    "sign of the drift flipped": ("errors", '"drift": -alpha *', '"drift": alpha *'),
    "output weights not centred": ("shallow", "rng.uniform(-C_MAX, C_MAX", "rng.uniform(0, C_MAX"),
}
# The chapters whose claims are tried, in this order, until one fails.
CHAPTERS = ["2-newton/02-exact-step", "2-newton/03-newton-ntk", "2-newton/01-hessian-structure"]
CHAPTERS += ["1-wide-networks/02-spectral-bias"]
CHAPTERS_OF = {
    "constants": ["2-newton/01-hessian-structure", "2-newton/04-lazy-by-width"],
    "definiteness": ["2-newton/06-choosing-gamma"],
    "errors": ["2-newton/05-finite-to-infinite"],
    "shallow": ["1-wide-networks/01-three-scalings"],
}

# Runs the cells of a chapter; other errors than a failed claim are what a wrong library may do, and do not count.
RUN = """
import json, sys, warnings
import matplotlib
matplotlib.use("Agg")
warnings.simplefilter("ignore")
from nntk_lib import ClaimError
space = {}
for cell in json.load(open(sys.argv[1], encoding="utf-8"))["cells"]:
    if cell["cell_type"] == "code" and cell["id"] != "set-up":  # which is for JupyterLab: it awaits
        try:
            exec("".join(cell["source"]), space)
        except ClaimError as error:
            print("CLAIM", error)
            sys.exit(3)
        except Exception as error:
            print("other:", type(error).__name__, error)
"""


def environment(folder) -> dict[str, str]:
    """The library in `folder` goes before the installed one; frames, records and compiled loops are off."""
    env = {key: value for key, value in os.environ.items() if not key.startswith("NNTK_")}
    return {**env, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1", "NNTK_COMPILED": "0"}


@pytest.fixture
def mutated(tmp_path):
    def make(module, old, new):
        shutil.copytree(ROOT / "nntk_lib", tmp_path / "nntk_lib", ignore=shutil.ignore_patterns("__pycache__"))
        path = tmp_path / "nntk_lib" / f"{module}.py"
        source = path.read_text(encoding="utf-8")
        assert source.count(old) == 1, f"the mutant's text is no longer in {module}.py exactly once: {old}"
        path.write_text(source.replace(old, new), encoding="utf-8")
        return tmp_path

    return make


@pytest.mark.parametrize("mutant", MUTANTS)
def test_mutant_is_caught_by_the_library_tests(mutant, mutated):
    folder = mutated(*MUTANTS[mutant])
    shutil.copytree(ROOT / "tests" / "library", folder / "library", ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-P", "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "--import-mode=importlib"]
    command += ["--rootdir", str(folder), "-c", os.devnull, "-k", "not property"]
    command += [f"library/{TESTS[MUTANTS[mutant][0]]}"]
    done = subprocess.run(command, cwd=folder, env=environment(folder), capture_output=True, text=True)
    assert done.returncode == 1, done.stdout[-2000:] + done.stderr[-2000:]
    assert "1 failed" in done.stdout and "Error" in done.stdout


@pytest.mark.parametrize("mutant", MUTANTS)
def test_mutant_is_caught_by_a_claim(mutant, mutated):
    folder, printed = mutated(*MUTANTS[mutant]), ""
    chapters = CHAPTERS_OF.get(MUTANTS[mutant][0], CHAPTERS)
    for chapter in chapters:
        path = BOOK / f"{chapter}.ipynb"
        command = [sys.executable, "-P", "-c", RUN, str(path)]
        # the chapter's own folder holds its data; -P keeps it, and this project, off the path of modules
        done = subprocess.run(command, cwd=path.parent, env=environment(folder), capture_output=True, text=True)
        printed += done.stdout + done.stderr
        if done.returncode == 3:
            return
    pytest.fail(f"no claim of {chapters} notices: {printed[-3000:]}")


def test_the_right_library_passes_where_mutants_fail(mutated):
    folder = mutated("damping", "return n * damping", "return damping * n")
    command = [sys.executable, "-P", "-c", RUN, str(BOOK / "2-newton/01-hessian-structure.ipynb")]
    done = subprocess.run(command, cwd=folder, env=environment(folder), capture_output=True, text=True)
    assert done.returncode == 0 and "other:" not in done.stdout, done.stdout + done.stderr
