"""Binder, rehearsed: its Python, its Jupyter, ``requirements.txt`` on top of it, and a reader with a mouse and keys.

Every chapter is run by JupyterLab itself, in a clone, with the browser's network cut off; then its explorers are moved.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from statistics import median

import pytest
from lab import WIDGET, assert_ran, drag, execute, explorers, redrawn, shown
from sources import CONFIG, ROOT, WHOLE, calls, name_of

pytestmark = pytest.mark.browser

# What repo2docker 2026.4.0, the program behind Binder, has for Python 3.12 before it comes to requirements.txt.
BINDER = ["jupyterlab==4.4.9", "notebook==7.4.7", "jupyter_server==2.17.0", "ipykernel==7.0.1"]
BINDER += ["ipywidgets==8.1.7", "jupyterlab_widgets==3.0.15", "widgetsnbextension==4.0.14"]
# Of what Colab has before the set-up cell runs; its page shows the widgets of ipywidgets 7 only.
COLAB = ["ipython==7.34.0", "ipykernel==6.17.1", "ipywidgets==7.7.1", "numpy==2.0.2", "matplotlib==3.10.0"]
COLAB += ["scikit-learn==1.6.1", "scipy", "tqdm", "nbclient"]
# Said by jupyterlab-myst about references to other pages, and by it and JupyterLab about each other's versions.
KNOWN = ("Cross reference target was not found", "shared singleton module", "shared module", "reading 'node'")


def plain_environment(**extra) -> dict[str, str]:
    """The environment variables without those that change what Python or the library does."""
    ours = ("NNTK_", "PYTHON", "JUPYTER", "OPENBLAS", "OMP_", "MPL", "VIRTUAL_ENV")
    return {**{key: value for key, value in os.environ.items() if not key.startswith(ours)}, **extra}


def interpreter() -> str:
    """The Python of runtime.txt if this machine has it, else the one of this test."""
    wanted = (ROOT / "runtime.txt").read_text(encoding="utf-8").strip().replace("-", "")
    try:
        there = subprocess.run([wanted, "--version"], capture_output=True).returncode == 0
    except FileNotFoundError:
        there = False
    return wanted if there else sys.executable


def environment(name: str, clone: Path, *installs: list[str]) -> Path:
    """The programs of a virtual environment under ``_build``, made anew when what goes into it has changed."""
    folder, python = ROOT / "_build" / f"{name}-venv", interpreter()
    sources = [clone / "requirements.txt", clone / "pyproject.toml", *sorted((clone / "nntk_lib").rglob("*.*"))]
    content = repr((python, installs)).encode() + b"".join(path.read_bytes() for path in sources)
    stamp, digest = folder / "made-of", hashlib.sha256(content).hexdigest()
    if not stamp.exists() or stamp.read_text() != digest:
        shutil.rmtree(folder, ignore_errors=True)
        commands = [[python, "-m", "venv", folder]]
        commands += [[folder / "bin" / "python", "-m", "pip", "install", "-q", *install] for install in installs]
        for command in commands:
            subprocess.run(command, cwd=clone, env=plain_environment(), check=True)
        stamp.write_text(digest)
    return folder / "bin"


@pytest.fixture(scope="session")
def binder(clone) -> Path:
    return environment("binder", clone, BINDER, ["-r", "requirements.txt"])


@pytest.fixture(scope="module")
def server(binder, clone, tmp_path_factory):
    """The address and token of a Jupyter server in the clone, started by a user who never started one."""
    home = tmp_path_factory.mktemp("home")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = ["bash", "start", binder / "jupyter", "lab", "--no-browser", "--allow-root", "--ip=127.0.0.1"]
    command += [f"--port={port}", "--expose-app-in-browser"]
    command += ["--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    variables = plain_environment(HOME=str(home), JUPYTER_RUNTIME_DIR=str(home))
    with open(home / "log", "w") as log:
        process = subprocess.Popen(command, cwd=clone, env=variables, stdout=log, stderr=log)
    try:
        file = waited_for(lambda: next(home.glob("jpserver-*.json"), None))
        running = json.loads(waited_for(file.read_text))
        yield running["url"], running["token"]
    finally:
        process.terminate()
        process.wait(timeout=30)


def waited_for(something, seconds=60):
    """The first value of a function that is not empty."""
    for _ in range(10 * seconds):
        if value := something():
            return value
        time.sleep(0.1)
    raise TimeoutError("the Jupyter server has not started")


@pytest.fixture(scope="module")
def ran(browser, server, clone, binder, chapter, records):
    """A chapter that JupyterLab has opened, run and saved: the page, and its cells as saved. Errors fail on exit."""
    (address, token), problems = server, []
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.route(lambda url: not url.startswith((address, "data:", "blob:")), lambda route: route.abort())
    context.set_default_timeout(60_000)
    page = context.new_page()
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    path = chapter.relative_to(ROOT).as_posix()
    page.goto(f"{address}lab/workspaces/{chapter.stem}/tree/{path}?token={token}")
    page.wait_for_function("window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel?.status == 'idle'")
    start = time.perf_counter()
    execute(page, "notebook:run-all-cells")
    seconds = round(time.perf_counter() - start, 1)
    execute(page, "docmanager:save")
    session = next(each for each in api(server, "sessions") if each["path"] == path)
    row = {"Python": python_of(binder), "run s": seconds, "peak MB": peak_memory(session["kernel"]["id"])}
    records["binder"][name_of(chapter)] = row
    yield page, json.loads((clone / path).read_text(encoding="utf-8"))["cells"]
    context.close()
    api(server, f"sessions/{session['id']}", "DELETE")
    assert not [text for text in problems if not any(known in text for known in KNOWN)]


def api(server, path: str, method="GET"):
    """What the Jupyter server answers."""
    address, token = server
    headers = {"Authorization": f"token {token}"}
    request = urllib.request.Request(f"{address}api/{path}", headers=headers, method=method)
    with urllib.request.urlopen(request) as answer:
        return json.loads(answer.read() or "null")


def python_of(programs: Path) -> str:
    return re.search(r"version = (\S+)", (programs.parent / "pyvenv.cfg").read_text())[1]


def peak_memory(kernel: str) -> int | str:
    """The largest memory that a kernel has had, in MB; only Linux says it."""
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # a process that has ended meanwhile
            if f"kernel-{kernel}" in (process / "cmdline").read_text():
                return int(re.search(r"VmHWM:\s*(\d+)", (process / "status").read_text())[1]) // 1024
    return "unknown"


def test_runs_without_an_error(ran, chapter):
    """Every code cell was run, none ended in an error, and the chapter's explorers are live."""
    page, cells = ran
    assert_ran(cells)
    assert len(list(explorers(page, cells))) == len(calls(chapter, "explorer"))


def test_the_text_is_rendered(ran):
    """No directive, role or formula is left as it was typed."""
    page, cells = ran
    for number, cell in enumerate(cells):
        if cell["cell_type"] == "markdown":
            text = shown(page, number).locator(".jp-InputArea > .myst").inner_text()
            assert not re.search(r"[:`]{3}|\{[\w:]+\}`|\$", text), text


def test_every_control_redraws(ran, chapter, records):
    """Sliders by the keyboard, to their other end; lists by every option."""
    page, cells = ran
    times = []
    for box in explorers(page, cells):
        for slider in box.locator("[role=slider]").all():
            at_end = slider.get_attribute("aria-valuenow") == slider.get_attribute("aria-valuemax")
            slider.focus()
            times.append(redrawn(page, box, page.keyboard.press, "Home" if at_end else "End"))
        for menu in box.locator("select").all():
            others = menu.evaluate("e => [...e.options].filter(o => !o.selected).map(o => o.label)")
            times += [redrawn(page, box, menu.select_option, label=label) for label in others]
    if times:
        row = records["binder"][name_of(chapter)]
        row["redraw ms"], row["slowest ms"] = round(median(times)), round(max(times))


def test_sliders_are_dragged(ran):
    """The first slider of every explorer that has one."""
    page, cells = ran
    for box in explorers(page, cells):
        if box.locator(".noUi-base").count():
            drag(page, box)


def test_play_moves_the_picture(ran):
    """Play, and stop, for every explorer that has them."""
    page, cells = ran
    for box in explorers(page, cells):
        if box.locator(".widget-play").count():
            play, stop = box.locator(".widget-play button").all()[:2]
            play.click()
            page.wait_for_function("watched.pictures >= 2")
            stop.click()


@pytest.mark.skipif(not WHOLE, reason="Colab's packages: make rehearsal")
def test_colab(clone, tmp_path):
    """The notebook where numpy and others are, and the library is not: its set-up cell fetches it, and needs no git.

    The address is that of a zip of the clone.
    """
    programs = environment("colab", clone, COLAB)
    there = Path(shutil.make_archive(str(tmp_path / "main"), "zip", clone.parent, clone.name)).as_uri()
    text = (clone / "book" / "index.ipynb").read_text(encoding="utf-8")
    address = f"{CONFIG['repository']['url']}/archive/main.zip"
    assert text.count(address) == 1
    (tmp_path / "index.ipynb").write_text(text.replace(address, there), encoding="utf-8")
    command = [programs / "jupyter", "execute", "--inplace", "index.ipynb"]
    subprocess.run(command, cwd=tmp_path, env=plain_environment(HOME=str(tmp_path)), check=True)
    cells = json.loads((tmp_path / "index.ipynb").read_text(encoding="utf-8"))["cells"]
    assert [out for cell in cells for out in cell.get("outputs", []) if WIDGET in out.get("data", {})]
    versions = subprocess.run([programs / "pip", "list"], capture_output=True, text=True, check=True).stdout
    assert re.search(r"ipywidgets +7\.7\.1", versions) and re.search(r"numpy +2\.0\.2", versions)
    subprocess.run([programs / "pip", "uninstall", "-qy", "nntk-lib"], check=True)
