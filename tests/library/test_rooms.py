"""The library as a building: which room knows which, what the front door shows, who reads the output scaling."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import nntk_lib
from nntk_lib import methods
from nntk_lib.book import choosing

ROOT = Path(nntk_lib.__file__).parent
MODULES = [path for path in sorted(ROOT.glob("**/*.py")) if "__pycache__" not in path.parts]


def room(path: Path) -> str:
    """The room of a module: its folder, or the module itself on the ground floor."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return parts[0]


def imported(path: Path) -> set[str]:
    """The rooms that a module imports when it is imported; not for type checkers, nor within functions."""
    package = path.relative_to(ROOT).parts[:-1]
    found = set()

    def visit(nodes):
        for node in nodes:
            if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
                continue
            if isinstance(node, ast.ImportFrom) and node.level:
                base = package[: len(package) - node.level + 1]
                target = (*base, *(node.module or "").split("."))
                names = [name for name in target if name]
                found.add(names[0]) if names else found.update(alias.name for alias in node.names)
            elif isinstance(node, (ast.If, ast.Try)):
                visit(ast.iter_child_nodes(node))

    visit(ast.parse(path.read_text(encoding="utf-8")).body)
    return found - {room(path)}


def test_no_two_rooms_are_in_a_circle():
    graph = {}
    for path in MODULES:
        if path.parent != ROOT or path.name != "__init__.py":
            graph.setdefault(room(path), set()).update(imported(path))
    assert {"networks", "methods", "losses", "linalg", "limits", "theory", "book"} <= set(graph)
    assert not graph["exceptions"] and graph["linalg"] == {"exceptions"}
    left = dict(graph)
    while left:
        free = [name for name, needs in left.items() if not needs & set(left)]
        assert free, f"rooms in a circle: {left}"
        for name in free:
            del left[name]
    readers = [name for name, needs in graph.items() if "book" in needs]
    assert not readers, f"the library imports the book's machinery: {readers}"


def test_only_shallow_networks_and_theory_read_the_output_scaling():
    """Everything else takes ``kernel_scale`` of the tangent; the damping rule Gamma converts with it."""
    readers = {
        path.relative_to(ROOT).as_posix()
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr == "beta" and isinstance(node.ctx, ast.Load)
    }
    allowed = ("networks/shallow/", "theory/", "reference/")
    assert not [name for name in readers if not name.startswith(allowed)], readers


def test_the_front_door():
    assert len(nntk_lib.__all__) <= 46 and sorted(nntk_lib.__all__) == nntk_lib.__all__
    assert all(hasattr(nntk_lib, name) for name in nntk_lib.__all__)
    modules = [name for name in nntk_lib.__all__ if isinstance(getattr(nntk_lib, name), type(ast))]
    assert not modules, "functions and classes only"


@pytest.mark.parametrize("module", ["matplotlib", "numba", "sklearn", "ipywidgets", "tqdm", "nntk_lib.book"])
def test_importing_the_library_does_not_import(module):
    code = f"import sys, nntk_lib; sys.exit({module!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_the_table_how_to_choose_has_every_choice():
    """Directions, rules, routes and losses that the library exports, each once and under its name."""
    exported = {name for name in methods.__all__ if name[0].isupper()} - {"Damping", "Direction", "Step"}
    losses = {name for name in nntk_lib.losses.__all__ if name[0].isupper()} - {"Loss"}
    listed = [choice.name for table in choosing.TABLES.values() for choice in table]
    assert sorted(listed) == sorted(exported | losses)
