"""What a build will need is looked for before it begins: it takes minutes, and would fail at its end.

* A path in which the table of contents can be found. sphinx-external-toc reads the folder's name as a pattern: with
  [, ], * or ? in it, files outside the table become pages.
* pip, and the wheels that JupyterLite takes from PyPI; see ``lite``. Once they are there, no network is needed.
"""

from __future__ import annotations

import glob
from importlib.util import find_spec
from pathlib import Path

from sphinx.errors import ExtensionError

from . import lite


def check_path(app, config) -> None:
    """The folder's name is no pattern."""
    folder = str(app.srcdir)
    if glob.escape(folder) != folder:
        raise ExtensionError(f"The book cannot be built in {folder}: a folder has [, ], * or ? in its name. Move it.")


def check_wheels(app) -> None:
    """pip is there, and what it downloads."""
    if app.builder.format != "html":
        return
    if find_spec("pip") is None:
        raise ExtensionError(
            "The book cannot be built: this environment has no pip, which makes the library's wheel for JupyterLite. "
            "Install it (uv pip install pip), or make the environment with python -m venv."
        )
    try:
        lite.download_wheels(Path(app.srcdir) / lite.FOLDER / "pypi")
    except RuntimeError as error:
        raise ExtensionError(
            f"The book cannot be built: pip could not download the wheels of {', '.join(lite.WHEELS)} for JupyterLite. "
            f"The first build needs PyPI, or PIP_FIND_LINKS with a folder that has them. pip said: {last_line(error)}"
        ) from error


def last_line(error: Exception) -> str:
    return str(error).strip().splitlines()[-1]
