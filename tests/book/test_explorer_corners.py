"""Every explorer of the book at all corners of its parameters and between: no exception, no warning, no NaN."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from sources import PAGES, calls, code_cells, name_of

WITH_EXPLORERS = [path for path in PAGES if calls(path, "explorer")]

# Runs the cells of a page, then draws its explorers there with warnings as errors.
RUN = """
import json, sys, warnings
import matplotlib
matplotlib.use("Agg")
import numpy as np
from nntk_lib.book.explore import created
space = {}
for source in json.load(open(sys.argv[1], encoding="utf-8")):
    exec(source, space)
drawn = 0
for name, explorer in created.items():
    for values in [*explorer.corners(), explorer.between()]:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            figure, readout = explorer.draw_at(**values)
            figure.canvas.draw()
        where = f"{name} at {values}: {readout!r}"
        words = readout.lower().replace(",", " ").replace(";", " ").split()
        assert not {"nan", "inf", "-inf"} & set(words), where
        for axes in figure.axes:
            for line in axes.lines:
                assert np.isfinite(np.asarray(line.get_ydata(), float)).any(), f"{where}: a line without a point"
            for image in axes.images:
                assert np.isfinite(np.asarray(image.get_array(), float)).all(), f"{where}: an image with NaN"
        drawn += 1
print("DRAWN", len(created), drawn)
"""


def test_every_page_with_explorers_is_found():
    assert len(WITH_EXPLORERS) >= 5


@pytest.mark.parametrize("path", WITH_EXPLORERS, ids=name_of)
def test_corners(path, tmp_path):
    cells = tmp_path / "cells.json"
    cells.write_text(json.dumps([cell.source for cell in code_cells(path)]), encoding="utf-8")
    command = [sys.executable, "-c", RUN, str(cells)]
    done = subprocess.run(command, cwd=path.parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-500:] + done.stderr[-3000:]
    explorers, drawn = map(int, done.stdout.strip().splitlines()[-1].removeprefix("DRAWN").split())
    assert explorers == len(calls(path, "explorer"))
    assert drawn >= 3 * explorers
