"""What the chapters' kernels inherit: variables of the environment, and IPython's settings.

The tests run the chapters under the same settings, so that the build can take what they ran (``execution``).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

# As many chapters run at a time as there are cores; a number given outside wins.
ONE_THREAD = ("OPENBLAS_NUM_THREADS", "NNTK_THREADS")


def ledger_folder(app) -> Path:
    """Where ``nntk_lib``'s ``check`` records what it measured."""
    return Path(app.outdir).parent / "ledger"


def kernel_variables(root: Path, folder: Path, ledger: Path) -> dict[str, str]:
    """Explorers render their frames, claims are recorded, and the library of ``root`` goes before an installed one.

    IPython's settings are written below ``folder``.
    """
    ledger.mkdir(parents=True, exist_ok=True)
    profile = folder / "ipython" / "profile_default"
    profile.mkdir(parents=True, exist_ok=True)
    formats = 'get_config().InlineBackend.figure_formats = {"png", "pdf"}\n'  # for the pages, for the printed book
    (profile / "ipython_kernel_config.py").write_text(formats, encoding="utf-8")
    paths = [str(root), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    return {
        "NNTK_RENDER_FRAMES": "1",
        "NNTK_LEDGER": str(ledger),
        **{name: os.environ.get(name, "1") for name in ONE_THREAD},
        "IPYTHONDIR": str(profile.parent),
        "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths)),
    }


def prepare(app) -> None:
    """Set them for the kernels of this build."""
    os.environ.update(kernel_variables(Path(app.srcdir), Path(app.outdir).parent, ledger_folder(app)))
    sys.path.insert(0, str(app.srcdir))
