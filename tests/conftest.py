"""Fixtures of the whole suite: the built site, a local server for it, a browser."""

from __future__ import annotations

import functools
import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import HealthCheck, settings
from shared import RUNS, shared_folder
from sources import CI, HTML, ROOT, WEIGHTS

pytest_plugins = ["corners", "workers"]

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
FLAGS += ["--disable-sync", "--no-first-run"]

settings.register_profile("default", deadline=None)
settings.register_profile(
    "ci", deadline=None, derandomize=True, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("ci" if CI else "default")


@pytest.fixture(scope="session")
def html(tmp_path_factory):
    """The folder of the built pages, brought up to date by the strict build (it redoes only what changed).

    Of several workers the first builds, and the others wait.
    """
    shared = shared_folder(tmp_path_factory)
    with FileLock(shared / "build.lock"):
        said = shared / "build.txt"
        if not said.exists():
            said.write_text(build(shared / RUNS), encoding="utf-8")
        problems = said.read_text(encoding="utf-8")
    if problems:
        pytest.fail(f"the strict build failed\n{problems}", pytrace=False)
    return HTML


def build(runs: Path) -> str:
    """Build the book, with the notebooks that have been run; what it said if it failed."""
    program = Path(sys.executable).with_name("jupyter-book")
    command = [program, "build", str(ROOT), "-n", "-W", "--keep-going"]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, "NNTK_RUNS": str(runs)}, capture_output=True, text=True)
    return f"{done.stdout[-2000:]}\n{done.stderr[-8000:]}" if done.returncode else ""


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format, *args):
        pass


@pytest.fixture(scope="session")
def site(html):
    """The address of the built pages on a local server."""
    handler = functools.partial(QuietHandler, directory=str(html))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="session")
def browser():
    """A Chromium of the machine; without one the test is skipped, or fails in continuous integration."""
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        reason = "NO BROWSER TEST RAN: no Chromium or Chrome found; install one, or set CHROMIUM to its path"
        pytest.fail(reason, pytrace=False) if CI else pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield chromium
        chromium.close()


def pytest_terminal_summary(terminalreporter):
    """What pages weigh and how long notebooks take, as a table at the end of the run."""
    if not WEIGHTS:
        return
    times = ROOT / "_build" / "times.json"
    seconds = json.loads(times.read_text(encoding="utf-8")) if times.exists() else {}
    write = terminalreporter.write_line
    terminalreporter.section("page weights (kB) and run times (s)")
    write(f"{'page':44}{'html':>8}{'images':>8}{'scripts':>8}{'total':>8}{'run':>8}")
    for page, weight in sorted(WEIGHTS.items()):
        row = [*(weight[key] / 1000 for key in ("html", "images", "scripts")), sum(weight.values()) / 1000]
        run = f"{seconds[page]:8.1f}" if page in seconds else f"{'':8}"
        write(f"{page:44}" + "".join(f"{value:8.0f}" for value in row) + run)
