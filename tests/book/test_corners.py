"""nbval fails where an explorer cannot be drawn at a corner, though its cell has run (tests/corners.py)."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import nbformat
from corners import explorers
from sources import NOTEBOOKS, ROOT, code_cells

OPENING = "import matplotlib.pyplot as plt\nimport numpy as np\nfrom nntk_lib.book import explorer, slider"
CELL = """\
def draw(k):
    fig, ax = plt.subplots()
    ax.{drawing}
    return fig, "{readout}"

explorer(draw, {{"k": slider((1, 2, 3), label="k")}}, caption="A line.", alt="A line.", name="fig-{name}")
"""
RIGHT = ("plot([0, 1], [0, k])", "drawn")
WRONG = {  # at k = 3, a corner that is not where the explorer starts
    "exception": ("plot([0, 1], [0, 1 / (k - 3)])", "drawn"),
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


def test_what_is_wrong_at_a_corner_fails(tmp_path):
    cases = {"right": RIGHT, **WRONG}
    sources = [OPENING]
    sources += [CELL.format(drawing=drawing, readout=said, name=name) for name, (drawing, said) in cases.items()]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    nbformat.write(notebook, tmp_path / "page.ipynb")
    command = [sys.executable, "-m", "pytest", "-c", os.devnull, "-p", "corners", "-p", "no:cacheprovider", "-q", "-ra"]
    command += ["--rootdir", str(tmp_path), "--nbval-lax", "--nbval-current-env", str(tmp_path / "page.ipynb")]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "tests"), str(ROOT)])}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode == 1
    assert re.findall(r"^FAILED page.ipynb::(.*?) - ", done.stdout, re.MULTILINE) == [
        f"Corners of fig-{name}" for name in WRONG
    ]
    assert f"{len(WRONG)} failed, {len(sources) + 2} passed" in done.stdout
