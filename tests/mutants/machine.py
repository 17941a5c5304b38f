"""How a wrong library is made and who has to notice; see the package."""

from __future__ import annotations

import ast
import importlib
import inspect
import os
import pkgutil
import sys
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps

CHECKS = ("check", "check_rate")


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
        Below ``tests/library``: one test, or those of one name; empty where only claims of the book notice.
    claims : tuple of str
        Ids of ``claims.yml``, the first one the quickest.
    """

    target: str
    wrong: Callable
    test: str
    claims: tuple[str, ...]


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
    named = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CHECKS
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
