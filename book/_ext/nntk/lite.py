"""JupyterLite inside the book's site: every chapter runs in the reader's browser, without a server.

jupyterlite-sphinx builds the site into ``lite/``; this extension prepares what it is built from, in
``_build/lite/``:

* the notebooks, their references resolved (``notebooks``), under the paths they have in the repository: by itself
  JupyterLite flattens folders. The page's download button gives the same notebook;
* the wheels that Pyodide does not bring: ``nntk_lib`` of this tree, ipywidgets and what it needs, tqdm. Nothing is
  taken from PyPI at run time;
* the settings: one exact release of Pyodide, and a storage of its own for each edition, because a reader's browser
  keeps the notebooks that were once opened, changed or not.

It also makes the links to JupyterLite, and to the zip, relative, so that the site works under any address; and where
Pyodide's own address, the one that is not the site's, cannot be reached, a line in JupyterLite says so (``lite.js``).
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

from jupyterlite_sphinx.jupyterlite_sphinx import jupyterlite_build

from .notebooks import reader_notebook
from .offline import ZIP
from .site import site_address

FOLDER = "_build/lite"
PAGE = "lite/lab/index.html"
PYODIDE = "https://cdn.jsdelivr.net/pyodide/v0.27.7/full/pyodide.js"
SCRIPT = '<script defer src="../../_static/lite.js"></script>'
KERNEL = "@jupyterlite/pyodide-kernel-extension:kernel"
WHEELS = ("ipywidgets", "jupyterlab-widgets", "comm", "tqdm")  # pure Python, and not part of Pyodide
PACKAGES = (*WHEELS, "jupyterlite-sphinx", "jupyterlite-core", "jupyterlite-pyodide-kernel", "jupyterlab-myst")
LIBRARY = ("pyproject.toml", "README.md", "LICENSE", "nntk_lib")


def configure(app, config) -> None:
    """Tell jupyterlite-sphinx where everything is."""
    config.jupyterlite_dir = FOLDER
    config.jupyterlite_content_dir = FOLDER + "/contents"
    config.jupyterlite_config = FOLDER + "/jupyter_lite_config.json"
    config.jupyterlite_bind_ipynb_suffix = False  # notebooks are pages of the book


def take_over(app) -> None:
    """jupyterlite-sphinx would build at the end of every build, whether there is something new or not."""
    for listener in list(app.events.listeners["build-finished"]):
        if listener.handler is jupyterlite_build:
            app.disconnect(listener.id)


def build(app, exception) -> None:
    """Write what the site is built from, and build it, unless it was built from the same."""
    if exception is not None or app.builder.format != "html":
        return
    root = Path(app.srcdir)
    made_of, made = root / FOLDER / "made-of", Path(app.outdir) / PAGE
    edition = f"{app.config.project} {version('nntk-lib')}"
    write_settings(root / FOLDER, edition)
    digest = hashlib.sha256(repr([(name, version(name)) for name in PACKAGES]).encode())
    for name in sorted(app.env.found_docs):
        if Path(app.env.doc2path(name)).suffix == ".ipynb":
            text = reader_notebook(app, name)
            digest.update(text.encode())
            for folder in (root / FOLDER / "contents", Path(app.outdir) / "_sources"):
                target = folder / f"{name}.ipynb"
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(text, encoding="utf-8")
    sources = [path for name in LIBRARY for path in [root / name, *sorted((root / name).glob("**/*.*"))]]
    for path in [*sources, *sorted((root / FOLDER).glob("*.json"))]:
        digest.update(path.read_bytes() if path.is_file() and path.suffix != ".pyc" else b"")
    if made.exists() and made_of.exists() and made_of.read_text() == digest.hexdigest():
        return
    made_of.unlink(missing_ok=True)
    make_wheel(root, root / FOLDER / "pypi")
    jupyterlite_build(app, None)
    made.write_text(made.read_text(encoding="utf-8").replace("</head>", SCRIPT + "</head>", 1), encoding="utf-8")
    made_of.write_text(digest.hexdigest())


def download_wheels(folder: Path) -> None:
    """The wheels that Pyodide does not bring, as installed here, once for each version; before the build."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = {name: f"{name.replace('-', '_')}-{version(name)}-" for name in WHEELS}
    for wheel in folder.glob("*.whl"):
        if not wheel.name.startswith((*wanted.values(), "nntk_lib-")):
            wheel.unlink()
    missing = [f"{name}=={version(name)}" for name, start in wanted.items() if not list(folder.glob(f"{start}*.whl"))]
    if missing:
        pip("download", "--retries", "1", "--no-deps", "--only-binary=:all:", "--dest", str(folder), *missing)


def make_wheel(root: Path, folder: Path) -> None:
    """The library's wheel, made anew."""
    for wheel in folder.glob("nntk_lib-*.whl"):
        wheel.unlink()
    with tempfile.TemporaryDirectory() as copy:  # setuptools would leave build/ in the sources
        for name in LIBRARY:
            source = root / name
            (shutil.copytree if source.is_dir() else shutil.copyfile)(source, Path(copy) / name)
        pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), copy)


def pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}\n{done.stdout}\n{done.stderr}")


def write_settings(folder: Path, edition: str) -> None:
    site = {
        "appName": edition,
        "contentsStorageName": edition,
        "litePluginSettings": {KERNEL: {"pyodideUrl": PYODIDE, "disablePyPIFallback": True}},
    }
    write_json(folder / "jupyter-lite.json", {"jupyter-lite-schema-version": 0, "jupyter-config-data": site})
    write_json(folder / "jupyter_lite_config.json", {"LiteBuildConfig": {"no_sourcemaps": True}})


def write_json(path: Path, value: dict) -> None:
    path.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")


def relative_links(app, pagename, templatename, context, doctree) -> None:
    """The theme's button starts at the root of the site, links in the text at its published address."""
    root = context["pathto"]("", resource=True)
    if "body" in context:
        for name in ("lite/", ZIP):
            context["body"] = context["body"].replace(site_address(app.config) + name, root + name)
    for group in context.get("header_buttons", []):
        for button in group.get("buttons", []):
            if button.get("url", "").startswith(PAGE):
                button["url"] = root + button["url"]
                button.update(text="Run in your browser", tooltip="Run this page in your browser, with JupyterLite")
