"""What the kernels of the chapters inherit from the build: variables of the environment, and IPython's settings."""

from __future__ import annotations

import os
import sys
from pathlib import Path

# As many chapters run at a time as there are cores; a number given outside wins.
ONE_THREAD = ("OPENBLAS_NUM_THREADS", "NNTK_THREADS")


def ledger_folder(app) -> Path:
    """Where ``nntk_lib``'s ``check`` records what it measured."""
    return Path(app.outdir).parent / "ledger"


def prepare(app) -> None:
    """Explorers render their frames, claims are recorded, and this tree's library goes before an installed one."""
    ledger_folder(app).mkdir(parents=True, exist_ok=True)
    os.environ["NNTK_RENDER_FRAMES"] = "1"
    os.environ["NNTK_LEDGER"] = str(ledger_folder(app))
    for name in ONE_THREAD:
        os.environ.setdefault(name, "1")
    profile = Path(app.outdir).parent / "ipython" / "profile_default"
    profile.mkdir(parents=True, exist_ok=True)
    formats = 'get_config().InlineBackend.figure_formats = {"png", "pdf"}\n'  # for the pages, for the printed book
    (profile / "ipython_kernel_config.py").write_text(formats, encoding="utf-8")
    os.environ["IPYTHONDIR"] = str(profile.parent)
    paths = [str(app.srcdir), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    os.environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(paths))
    sys.path.insert(0, str(app.srcdir))
