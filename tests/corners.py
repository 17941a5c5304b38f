"""Added to nbval: when a notebook's cells have run, its explorers are drawn at their corners, in the same kernel.

For each explorer one cell follows the notebook's own. It makes the explorer's widget and draws the explorer at all
corners of its parameters and once between the values that are served, with warnings as errors: no exception, no NaN, no
empty line. The kernel has the settings of the build, which takes the outputs of a notebook that passed: nothing is run
twice. ``conftest.py`` loads this plugin.
"""

from __future__ import annotations

import ast
import inspect
import time
from collections import defaultdict

import nbformat
import pytest
from nbval.plugin import IPyNbCell, IPyNbFile
from shared import RUNS, shared_folder
from sources import ROOT, SET_UP

LEGENDS = """\
from nntk_lib.book.plotting import behind_legends
assert not behind_legends, behind_legends
"""


def draw_corners(name: str, names: list[str]) -> None:
    """Runs in the notebook's kernel, from this text."""
    import warnings

    import numpy as np

    from nntk_lib.book.explore import created
    from nntk_lib.book.plotting import covered_by_legends

    assert list(created) == names, f"the notebook's text has the explorers {names}, its kernel {list(created)}"
    created[name].widget()
    for values in [*created[name].corners(), created[name].between()]:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            figure, readout = created[name].draw_at(**values)
            covered = covered_by_legends(figure)
        where = f"{name} at {values}: {readout!r}"
        assert not covered, f"{where}: behind a legend: {covered}"
        words = readout.lower().replace(",", " ").replace(";", " ").split()
        assert not {"nan", "inf", "-inf"} & set(words), where
        for axes in figure.axes:
            for line in axes.lines:
                assert np.isfinite(np.asarray(line.get_ydata(), float)).any(), f"{where}: a line without a point"
            for image in axes.images:
                assert np.isfinite(np.asarray(image.get_array(), float)).all(), f"{where}: an image with NaN"


class Chapter(IPyNbFile):
    """A notebook with one more cell for each of its explorers."""

    def setup(self):
        from nntk.environment import kernel_variables
        from nntk.execution import RECORDS

        runs = shared_folder(self.config._tmp_path_factory) / RUNS
        self.folder = runs / self.path.with_suffix("").relative_to(self.config.rootpath)
        variables = kernel_variables(ROOT, self.folder, self.folder / RECORDS)
        with pytest.MonkeyPatch.context() as patch:
            for name, value in variables.items():
                patch.setenv(name, value)
            super().setup()
        # nbval keeps no history, without which a semicolon at the end of a cell does not silence its value
        run = self.kernel.kc.execute
        self.kernel.execute_cell_input = lambda source, allow_stdin=None: run(
            source, allow_stdin=allow_stdin, stop_on_error=False
        )
        self.seconds = 0.0

    def collect(self):
        self.own = list(super().collect())
        yield from self.own
        names = explorers(cell.source for cell in self.nb.cells if cell.cell_type == "code")
        for number, name in enumerate(names, len(self.own)):
            source = f"{inspect.getsource(draw_corners)}\ndraw_corners({name!r}, {names!r})"
            yield self.one_more(f"Corners of {name}", number, source)
        yield self.one_more("Legends of figures", len(self.own) + len(names), LEGENDS)

    def one_more(self, title: str, number: int, source: str) -> IPyNbCell:
        cell, options = nbformat.v4.new_code_cell(source), defaultdict(bool)
        return IPyNbCell.from_parent(self, name=title, cell_num=number, cell=cell, options=options)

    def teardown(self):
        outputs = [item.test_outputs for item in self.own]
        if all(found is not None and all(out.output_type != "error" for out in found) for found in outputs):
            self.save(outputs)
        super().teardown()

    def save(self, outputs: list) -> None:
        """The notebook as it was run, for the build."""
        from nntk.execution import Run

        for item, found in zip(self.own, outputs, strict=True):
            item.cell.outputs = found
        told = self.kernel.kc.kernel_info(reply=True, timeout=60)["content"]
        self.nb.metadata["language_info"] = told["language_info"]
        Run(nbformat.writes(self.nb), self.seconds).save(self.folder)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    begin = time.perf_counter()
    yield
    if isinstance(item.parent, Chapter) and item in item.parent.own:
        item.parent.seconds += time.perf_counter() - begin


def explorers(sources) -> list[str]:
    """The names of the explorers of a notebook, in the order in which they are made; each is written out."""
    trees = [ast.parse(source) for source in sources if source != SET_UP]
    calls = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call)]
    made = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "explorer"]
    return [word.value.value for call in made for word in call.keywords if word.arg == "name"]


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(file_path, parent):
    found = yield
    return [Chapter.from_parent(parent, path=file_path) if type(node) is IPyNbFile else node for node in found]
