"""The form of the notebooks: no outputs, one first cell, short cells, captions with alternative texts."""

from __future__ import annotations

import ast
import re

import nbformat
import pytest
from sources import CHAPTERS, MAIN, NOTEBOOKS, PAGES, SET_UP, code_cells, markdown, name_of, outside_functions

WIDEST, LONGEST_SHOWN, LONGEST_FOLDED = 76, 12, 40
EXERCISE = re.compile(r"^(?:`{3,}|:{3,})\{exercise(?:-start)?\}.*\n((?:[ \t]*:.*\n|[ \t]*\n)*)", re.MULTILINE)
SOLUTION = re.compile(r"^(?:`{3,}|:{3,})\{solution(?:-start)?\}[ \t]+(\S+)", re.MULTILINE)
LABEL = re.compile(r"^[ \t]*:label:[ \t]*(\S+)", re.MULTILINE)
DRAWS = {"subplots", "figure", "plot", "semilogy", "loglog", "imshow", "bar", "scatter", "subplot_mosaic"}

every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=name_of)
every_chapter = pytest.mark.parametrize("path", CHAPTERS, ids=name_of)
every_page = pytest.mark.parametrize("path", PAGES, ids=name_of)
every_main_line = pytest.mark.parametrize("path", MAIN, ids=name_of)
PARTS = [
    *("**Try this", "{dropdown}", "What you will be able to do", "**Mirrors**", "**Needs**", "Standing assumptions"),
    *("## Summary", "## Exercises", "## Notes"),
]
LEVEL = re.compile(r"level ([123])")


def test_there_are_notebooks():
    assert len(CHAPTERS) >= 4 and len(NOTEBOOKS) == len(CHAPTERS) + 1


@every_notebook
def test_committed_without_outputs(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert "widgets" not in notebook.metadata, "widget state is stored"
    assert notebook.metadata.get("kernelspec", {}).get("name") == "python3"
    for number, cell in enumerate(notebook.cells, 1):
        if cell.cell_type == "code":
            assert not cell.outputs, f"cell {number} has outputs"
            assert cell.execution_count is None, f"cell {number} has an execution count"
        left = {"execution", "ExecuteTime", "collapsed", "scrolled"} & set(cell.metadata)
        assert not left, f"cell {number} has the metadata {left} of an execution"
        assert not cell.get("attachments"), f"cell {number} has attachments; use a file"


@every_chapter
def test_begins_with_label_and_title(path):
    first = nbformat.read(path, as_version=4).cells[0]
    assert first.cell_type == "markdown"
    assert re.match(r"\(ch-[a-z0-9-]+\)=\n# \S", first.source), "want (ch-...)= and a title of level 1"


@every_notebook
def test_sets_itself_up(path):
    """The one set-up cell, before the first code, not on the page: CPython, JupyterLite and Colab run it alike."""
    cell = next(cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code")
    assert cell.source == SET_UP
    assert cell.metadata == {"tags": ["remove-cell"]}


@every_chapter
def test_first_code_cell_is_imports_and_style(path):
    """The same opening in every chapter: imports with their names, then use_style(), nothing else."""
    cell = code_cells(path)[0]
    *imports, last = ast.parse(cell.source).body
    assert all(isinstance(node, (ast.Import, ast.ImportFrom)) for node in imports), cell
    assert ast.unparse(last) == "use_style()", f"{cell} must end with use_style()"
    assert any(isinstance(node, ast.ImportFrom) and node.module == "nntk_lib" for node in imports), cell


@every_page
def test_imports_are_explicit_and_used(path):
    """No star imports, and no name imported from nntk_lib that the page never uses."""
    sources = [cell.source for cell in code_cells(path)]
    trees = [ast.parse(source) for source in sources]
    names = {node.id for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Name)}
    for tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                imported = {alias.asname or alias.name for alias in node.names}
                assert "*" not in imported
                assert imported <= names, f"imported and never used: {imported - names}"


@every_page
def test_code_is_as_wide_as_the_page(path):
    for cell in code_cells(path):
        wide = [line for line in cell.source.splitlines() if len(line) > WIDEST]
        assert not wide, f"{cell}: more than {WIDEST} characters: {wide}"


@every_page
def test_cells_are_short(path):
    """What is shown can be read, what is folded can be followed."""
    for cell in code_cells(path):
        lines = [line for line in cell.source.splitlines() if line.strip()]
        longest = LONGEST_FOLDED if "hide-input" in cell.metadata.get("tags", []) else LONGEST_SHOWN
        assert len(lines) <= longest, f"{cell}: {len(lines)} lines, at most {longest}; move code to nntk_lib"


@every_page
def test_nothing_is_printed(path):
    """Tables are tables, numbers stand in the text, in captions and in badges."""
    prints = [str(cell) for cell in code_cells(path) for node in ast.walk(ast.parse(cell.source)) if is_print(node)]
    assert not prints


def is_print(node) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"


@every_main_line
def test_begins_with_one_sentence_and_an_explorer(path):
    """Title, a sentence, and nothing but folded code up to the first explorer."""
    first, *rest = nbformat.read(path, as_version=4).cells
    _label, _title, text = first.source.split("\n", 2)
    assert len(text.strip().split("\n\n")) == 1 and len(text) <= 300, "one sentence under the title"
    for cell in rest:
        assert cell.cell_type == "code", "text before the first explorer"
        if re.search(r"^explorer\(", cell.source, re.MULTILINE):
            break
        tags = set(cell.metadata.get("tags", []))
        assert tags & {"hide-input", "remove-cell"}, "shown code before the first explorer"


@every_main_line
def test_has_the_parts_of_a_chapter(path):
    text = markdown(path)
    for part in PARTS:
        assert part in text, f"no {part}"
    assert "{prf:algorithm}" in text or shown_code(path), "the algorithm is not in the clear"


def shown_code(path) -> list:
    return [cell for cell in code_cells(path) if "hide-input" not in cell.metadata.get("tags", [])]


@every_main_line
def test_exercises_are_many_and_sorted(path):
    """Six or more, by level, two of level 1; with pencil, with code, and open."""
    text = markdown(path)
    starts = [match.end() for match in EXERCISE.finditer(text)]
    heads = [text[start : start + 400].lower() for start in starts]
    levels = [int(LEVEL.search(head)[1]) for head in heads]
    assert len(levels) >= 6 and levels == sorted(levels) and levels.count(1) >= 2, levels
    for kind in ("pencil", "code", "open"):
        assert any(f"*{kind}" in head for head in heads), f"no exercise with {kind}"


@every_page
def test_figures_have_caption_name_and_alternative_text(path):
    names = []
    for cell in code_cells(path):
        settings = cell.metadata.get("mystnb", {})
        figure, image = settings.get("figure", {}), settings.get("image", {})
        if draws_static_figure(cell.source):
            assert figure and image, f"{cell} draws a figure, and has no mystnb metadata for it"
        if not (figure or image):
            continue
        assert figure.get("name", "").startswith("fig-"), f"{cell}: figure.name must start with fig-"
        assert len(figure.get("caption", "")) >= 20, f"{cell}: figure.caption must state the finding"
        alt = image.get("alt", "")
        assert len(alt) >= 40 and " " in alt and alt != figure["caption"], f"{cell}: alternative text {alt!r}"
        assert not re.search(r"\.(png|svg|jpe?g|webp)\b|_images/", alt), f"{cell}: {alt!r} is a file name"
        assert "$" not in alt and "\\" not in alt, f"{cell}: no TeX in an alternative text, it is read aloud"
        names.append(figure["name"])
    assert len(names) == len(set(names)), f"figure names used twice: {names}"


def draws_static_figure(source: str) -> bool:
    """Whether a cell, when run, calls pyplot to draw: outside a function, as explorers draw inside one."""
    return any(
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "plt"
        and node.func.attr in DRAWS
        for node in outside_functions(ast.parse(source))
    )


def test_figures_are_recognized():
    assert draws_static_figure("fig, ax = plt.subplots()\nax.plot(x)")
    assert draws_static_figure("for k in range(3):\n    plt.plot(k)")
    assert not draws_static_figure("def draw(k):\n    fig, ax = plt.subplots()\n    return fig")


@every_page
def test_exercises_have_labels_and_solutions(path):
    text = markdown(path)
    labels = [LABEL.search(options) for options in EXERCISE.findall(text)]
    assert all(labels), "an exercise without :label:"
    exercises = [match[1] for match in labels]
    assert sorted(SOLUTION.findall(text)) == sorted(exercises), "each exercise has one solution, on its page"


def test_a_function_has_one_chapter():
    """What two chapters define, by one name, belongs in nntk_lib, or has two names."""
    found = {}
    for path in NOTEBOOKS:
        trees = [ast.parse(cell.source) for cell in code_cells(path)]
        for name in {node.name for tree in trees for node in tree.body if isinstance(node, ast.FunctionDef)}:
            found.setdefault(name, []).append(name_of(path))
    assert not {name: pages for name, pages in found.items() if len(pages) > 1}


def test_code_stands_in_notebooks():
    """The build runs notebooks only."""
    assert not [name_of(path) for path in PAGES if path.suffix == ".md" and code_cells(path)]
