"""Libraries that are wrong on purpose, and who has to notice: one test of the library and one claim of the book.

A mutant replaces one named function, in a process of its own:

    python tests/mutants.py "sign of the drift"

runs the test and those cells of the claim's chapter that its checks need, and prints what came of them.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import inspect
import json
import os
import pkgutil
import sys
import textwrap
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import wraps


@dataclass(frozen=True)
class Mutant:
    """What is wrong, in which function, and who notices.

    Attributes
    ----------
    target : str
        The function, as module:name or module:Class.name below ``nntk_lib``.
    wrong : callable
        Makes the wrong function of the right one.
    test : str
        Below ``tests/library``; one test, or those of one name.
    claim : str
        An id of ``claims.yml``.
    """

    target: str
    wrong: Callable
    test: str
    claim: str


def result(change: Callable) -> Callable:
    """A function whose result is changed."""

    def wrong(function):
        @wraps(function)
        def changed(*args, **options):
            return change(function(*args, **options))

        return changed

    return wrong


def given(**changes: Callable) -> Callable:
    """A function that gets other arguments: name to a function of all arguments, by their names."""

    def wrong(function):
        signature = inspect.signature(function)

        @wraps(function)
        def changed(*args, **options):
            bound = signature.bind(*args, **options)
            bound.apply_defaults()
            bound.arguments |= {name: change(**bound.arguments) for name, change in changes.items()}
            return function(*bound.args, **bound.kwargs)

        return changed

    return wrong


def edited(old: str, new: str) -> Callable:
    """A function with another expression in its text, which has to be there once."""

    def wrong(function):
        inner = getattr(function, "func", function)  # of a cached property
        source, made = textwrap.dedent(inspect.getsource(inner)), dict(inner.__globals__)
        assert source.count(old) == 1, f"the text of {inner.__qualname__} no longer has once: {old}"
        exec(compile(source.replace(old, new), inspect.getsourcefile(inner), "exec"), made)
        changed = made[inner.__name__]
        inner.__code__ = getattr(changed, "func", changed).__code__
        return function

    return wrong


def install(mutant: Mutant) -> None:
    """Put the wrong function in the place of the right one, wherever the library has it under a name."""
    import nntk_lib

    for found in pkgutil.walk_packages(nntk_lib.__path__, "nntk_lib."):
        importlib.import_module(found.name)
    module, path = mutant.target.split(":")
    *outer, name = path.split(".")
    owner = importlib.import_module(f"nntk_lib.{module}")
    for part in outer:
        owner = getattr(owner, part)
    right = inspect.getattr_static(owner, name)
    wrong = mutant.wrong(right)
    setattr(owner, name, wrong)
    for other in [value for key, value in sys.modules.items() if key.split(".")[0] == "nntk_lib"]:
        for key, value in list(vars(other).items()):
            if value is right:
                setattr(other, key, wrong)


# ---- the cells of a claim -------------------------------------------------------------------------------------


def cells_of(claim: str, sources: list[str]) -> list[str]:
    """The cells that check a claim, the first one, and every cell that makes or changes a name that these need."""
    trees = [ast.parse(source) for source in sources]
    checks = [i for i, tree in enumerate(trees) if any(is_check(node, claim) for node in ast.walk(tree))]
    kept, needed = {0}, set()
    for i in range(max(checks, default=0), -1, -1):
        if i in checks or made_in(trees[i]) & needed:
            kept.add(i)
            needed |= {node.id for node in ast.walk(trees[i]) if isinstance(node, ast.Name)}
    return [sources[i] for i in sorted(kept)]


def is_check(node: ast.AST, claim: str) -> bool:
    named = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "check"
    return named and isinstance(node.args[0], ast.Constant) and node.args[0].value == claim


def made_in(tree: ast.AST) -> set[str]:
    """Names that a cell binds, and those of objects that it changes: by an item, an attribute or a called method."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, ast.alias):
            names.add((node.asname or node.name).split(".")[0])
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, (ast.Subscript, ast.Attribute)) and isinstance(node.ctx, ast.Store):
            names |= root_of(node)
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            names |= root_of(node.value.func) if isinstance(node.value.func, ast.Attribute) else set()
    return names


def root_of(node: ast.AST) -> set[str]:
    while isinstance(node, (ast.Subscript, ast.Attribute)):
        node = node.value
    return {node.id} if isinstance(node, ast.Name) else set()


def failure_of(claim: str, chapter) -> str:
    """What the claim's first check that does not hold says; other errors are what a wrong library may do."""
    import matplotlib
    from sources import code_cells

    from nntk_lib.exceptions import ClaimError

    matplotlib.use("Agg")
    space = {}
    os.chdir(chapter.parent)
    for source in cells_of(claim, [cell.source for cell in code_cells(chapter)]):
        try:
            exec(source, space)
        except ClaimError as error:
            if str(error).split()[0] == claim:
                return str(error)
        except Exception as error:
            print(f"A CELL FAILED: {type(error).__name__}: {error}", file=sys.stderr)
    return ""


def main(name: str, *claims: str) -> None:
    """Print, as JSON, what the mutant's test and claim say; without a mutant, what some claims say."""
    import pytest
    from sources import BOOK, ROOT

    from nntk_lib.book.ledger import load_claims

    chapters = {claim["id"]: BOOK / f"{claim['chapter']}.ipynb" for claim in load_claims(BOOK / "claims.yml")}
    warnings.simplefilter("ignore")
    found = {}
    with contextlib.redirect_stdout(sys.stderr):
        if name:
            install(MUTANTS[name])
            path = ROOT / "tests" / "library" / MUTANTS[name].test
            options = ["-x", "-q", "-p", "no:cacheprovider", "--noconftest", "-p", "no:nbval", "-c", os.devnull]
            options += ["--rootdir", str(ROOT), "--import-mode=importlib", "-W", "ignore"]
            found["test"] = int(pytest.main([*options, str(path)]))
            claims = [MUTANTS[name].claim]
        for claim in claims:
            found[claim] = failure_of(claim, chapters[claim])
    print(json.dumps(found))


# ---- the table ------------------------------------------------------------------------------------------------

BLOCKS, FAST = "networks.shallow.curvature:blocks_of", "networks.shallow.definite:DefiniteBlocks.__init__"
HESSIAN = "methods/test_newton.py::test_hessian_by_differences_of_the_complex_step_gradient"
TWIN = "networks/test_definite.py::test_reduction_and_solution_are_those_of_the_twin"
MUTANTS = {
    "residual curvature dropped": Mutant(BLOCKS, result(lambda S: 0 * S), HESSIAN, "newton/equation-36"),
    "sign of the residual curvature flipped": Mutant(BLOCKS, result(lambda S: -S), HESSIAN, "newton/equation-36"),
    "factor n in the residual curvature": Mutant(
        BLOCKS, given(a=lambda a, **_: len(a) * a), HESSIAN, "newton/equation-36"
    ),
    "first in place of the second derivative": Mutant(
        BLOCKS, given(rows=lambda rows, **_: (rows[0], rows[1], rows[1])), HESSIAN, "newton/equation-38"
    ),
    "factor n lost in the low-rank part": Mutant(
        "losses.separable:Square.factor",
        result(lambda Rq: (Rq[0] * len(Rq[0]) ** 0.5, Rq[1] / len(Rq[0]) ** 0.5)),
        HESSIAN,
        "newton/equation-36",
    ),
    "residual curvature dropped, fast": Mutant(FAST, given(a=lambda a, **_: 0 * a), TWIN, "newton/equation-8"),
    "sign of the residual curvature flipped, fast": Mutant(FAST, given(a=lambda a, **_: -a), TWIN, "newton/equation-8"),
    "factor 1/n twice in the residual curvature, fast": Mutant(
        FAST, given(a=lambda a, **_: a / len(a)), TWIN, "newton/equation-8"
    ),
    "first in place of the second derivative, fast": Mutant(
        "networks.shallow.definite:DefiniteBlocks._rows",
        result(lambda rows: (rows[0], rows[1], rows[1].copy())),
        TWIN,
        "newton/equation-8",
    ),
    "gamma not scaled with the width": Mutant(
        "networks.shallow.spec:Shallow.width_scale",
        result(lambda scale: 1.0),
        "networks/test_shallow.py::test_empirical_kernel_carries_its_scaling",
        "newton/equation-14",
    ),
    "factor n lost in the limit kernel": Mutant(
        "limits.kernels:limit_ntk",
        edited("A /= len(X)", "A /= 1"),
        "limits/test_kernels.py::test_empirical_kernel_converges_with_slope_minus_one_half",
        "newton/equation-15",
    ),
    "input weights lost in the limit kernel": Mutant(
        "limits.kernels:_kernel",
        edited("dual[0] + dual[1] * inner", "dual[0] + 0 * inner"),
        "limits/test_kernels.py::test_empirical_kernel_converges_with_slope_minus_one_half",
        "newton/equation-15",
    ),
    "input weights lost in the Gram matrix": Mutant(
        "networks.shallow.tangent:ShallowTangent._gram",
        edited("if self.inner:", "if False:"),
        "methods/test_newton.py::test_gauss_newton_in_sample_space_is_parameter_space",
        "newton/equation-15",
    ),
    "first derivative lost in C_H": Mutant(
        "networks.shallow.curvature:curvature_constant",
        edited("return s1 * radius + ", "return "),
        "methods/test_threshold.py::test_constants_are_attained",
        "newton/lemma-19",
    ),
    "output weights taken for fixed": Mutant(
        "theory.a_priori:_recursion",
        edited("c.append(c[-1] + alpha * update[-1])", "c.append(c[-1])"),
        "theory/test_a_priori.py::test_a_priori_bounds_hold_along_the_path",
        "newton/lemma-9",
    ),
    "safe gamma too small": Mutant(
        "methods.threshold:safe_gamma",
        result(lambda gamma: 0.99 * gamma),
        "methods/test_threshold.py::test_safe_gamma_and_constants",
        "newton/equation-20",
    ),
    "repaired directions counted": Mutant(
        "theory.definiteness:certify",
        result(lambda found: replace(found, negative_hessian=found.negative_blocks)),
        "theory/test_definiteness.py::test_certificates_see_repaired_directions",
        "newton/remark-3",
    ),
    "sign of the drift flipped": Mutant(
        "theory.path_error:path_error",
        result(lambda error: replace(error, drift=-error.drift)),
        "theory/test_path_error.py::test_path_error_is_the_literal_decomposition",
        "newton/theorem-7",
    ),
    "output weights not centred": Mutant(
        "networks.shallow.spec:Shallow.init",
        edited("rng.uniform(-C_MAX, C_MAX, ", "rng.uniform(0, C_MAX, "),
        "networks/test_shallow.py::test_initialization_satisfies_a2_and_repeats",
        "newton/lemma-12",
    ),
}

if __name__ == "__main__":
    main(*sys.argv[1:])
