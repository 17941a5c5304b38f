"""What all workers of one run of pytest have in common: a folder, and in it the notebooks that nbval ran."""

from __future__ import annotations

import os
from pathlib import Path

RUNS = "runs"


def shared_folder(factory) -> Path:
    """The temporary folder of this run, whichever worker asks; ``factory`` is pytest's ``tmp_path_factory``."""
    folder = factory.getbasetemp()
    return folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder
