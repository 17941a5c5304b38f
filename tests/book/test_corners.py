"""nbval fails where an explorer cannot be drawn at a corner, and leaves what it ran to the build (tests/corners.py)."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import nbformat
import pytest
from corners import explorers
from nntk import execution
from nntk.environment import kernel_variables
from shared import RUNS
from sources import NOTEBOOKS, ROOT, code_cells

from nntk_lib.book.ledger import load_records

OPENING = "import matplotlib.pyplot as plt\nimport numpy as np\nfrom nntk_lib.book import explorer, slider"
CELL = """\
def draw(k):
    fig, ax = plt.subplots()
    ax.{drawing}
    return fig, "{readout}"

explorer(draw, {{"k": slider((1.0, 2.0, 3.0), label="k")}}, caption="A line.", alt="A line.", name="fig-{name}")
"""
RIGHT = ("plot([0, 1], [0, k])", "drawn")
WRONG = {  # at k = 3, a corner that is not where the explorer starts, or between the values that are served
    "exception": ("plot([0, 1], [0, 1 / (k in (1, 2, 3))])", "drawn"),
    "warning": ("plot([0, 1], [0, np.log(3.0 - k)])", "drawn"),
    "readout": ("plot([0, 1], [0, k])", "loss nan"),
    "line": ("plot([0, 1], [np.nan, np.nan] if k == 3 else [0, 1])", "drawn"),
    "image": ("imshow([[0, np.nan if k == 3 else 1]])", "drawn"),
}


def test_every_explorer_is_drawn():
    """The chapters that have explorers are found, and all of their explorers."""
    found = [explorers(cell.source for cell in code_cells(path)) for path in NOTEBOOKS]
    names = [name for page in found for name in page]
    assert len(names) == len(set(names)) and sum(map(bool, found)) >= 5


def nbval(path, *options: str) -> subprocess.CompletedProcess:
    """A notebook run by nbval with the plugin, apart from the tests of this run."""
    command = [sys.executable, "-m", "pytest", "-c", os.devnull, "-p", "corners", "-p", "no:cacheprovider", "-q", "-ra"]
    command += ["--rootdir", str(path.parent), "--nbval-lax", "--nbval-current-env", *options, str(path)]
    folders = [ROOT / "tests", ROOT / "book" / "_ext", ROOT]
    env = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    env["PYTHONPATH"] = os.pathsep.join(map(str, folders))
    return subprocess.run(command, cwd=path.parent, env=env, capture_output=True, text=True)


def written(path, sources):
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources]), path)
    return path


def test_what_is_wrong_at_a_corner_fails(tmp_path):
    cases = {"right": RIGHT, **WRONG}
    sources = [OPENING]
    sources += [CELL.format(drawing=drawing, readout=said, name=name) for name, (drawing, said) in cases.items()]
    done = nbval(written(tmp_path / "page.ipynb", sources))
    assert done.returncode == 1
    assert re.findall(r"^FAILED page.ipynb::(.*?) - ", done.stdout, re.MULTILINE) == [
        f"Corners of fig-{name}" for name in WRONG
    ]
    assert f"{len(WRONG)} failed, {len(sources) + 2} passed" in done.stdout


KINDS = [  # one cell for each kind of output
    OPENING,
    "print('first')\nprint('second')\n1 + 1",
    "import sys\nfrom nntk_lib.book import check, table\nprint('said aside', file=sys.stderr)\ntable({'a': [1, 2]})",
    "check('cai/theorem-1', [1.0, 2.0], '<=', 3.0, 'two numbers')",
    "fig, ax = plt.subplots()\nax.plot([0, 1], [0, 1]);",
    CELL.format(drawing=RIGHT[0], readout=RIGHT[1], name="right"),
]


def test_the_build_takes_what_nbval_ran(tmp_path, monkeypatch):
    """The outputs and the record of a notebook are those of the build's own run; of another notebook none are taken."""
    path = written(tmp_path / "page.ipynb", KINDS)
    done = nbval(path, "--basetemp", str(tmp_path / "base"))
    assert done.returncode == 0, done.stdout
    folder = tmp_path / "base" / RUNS / "page"
    taken = execution.saved(folder, path, tmp_path / "taken")
    for name, value in kernel_variables(ROOT, tmp_path, tmp_path / "ledger").items():
        monkeypatch.setenv(name, value)
    with ThreadPoolExecutor(1) as thread:  # Playwright keeps a loop running in this one
        own = thread.submit(lambda: asyncio.run(execution.run_all({"page": path}, 1, 60))).result()["page"]
    assert not own.error and 0.05 < taken.seconds < 60
    first, second = (nbformat.reads(found.text, as_version=4) for found in (taken, own))
    assert first.metadata == second.metadata
    assert [comparable(cell) for cell in first.cells] == [comparable(cell) for cell in second.cells]
    assert load_records(tmp_path / "taken") == load_records(tmp_path / "ledger") and load_records(tmp_path / "taken")

    written(path, [*KINDS, "1 + 2"])
    assert execution.saved(folder, path, tmp_path / "taken") is None
    assert execution.saved(tmp_path / "nothing", path, tmp_path / "taken") is None


def comparable(cell) -> list:
    """The outputs of a cell, without what differs from run to run: the prompt's number and the date in a PDF."""
    found = [dict(output, execution_count=None) for output in cell.outputs]
    for output in found:
        output["data"] = {kind: data for kind, data in output.get("data", {}).items() if kind != "application/pdf"}
    return found


@pytest.mark.parametrize("last", ["1 / 0", CELL.format(drawing=WRONG["line"][0], readout="drawn", name="wrong")])
def test_the_build_runs_what_failed_itself(tmp_path, last):
    """A notebook with an error is run again by the build, which then says what is wrong; corners are not its matter."""
    path = written(tmp_path / "page.ipynb", [OPENING, last])
    assert nbval(path, "--basetemp", str(tmp_path / "base")).returncode == 1
    assert (tmp_path / "base" / RUNS / "page" / execution.RUN).exists() == (last != "1 / 0")
