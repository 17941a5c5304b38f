"""The set-up cell stops where it cannot help, and a page's notebook fetches the library of its own commit."""

from __future__ import annotations

import os
import subprocess
import sys

from nntk import notebooks
from sources import SET_UP

MISSING = """
import importlib.util
from IPython.core.interactiveshell import InteractiveShell
importlib.util.find_spec = lambda name: None
done = InteractiveShell.instance().run_cell({cell!r})
print("ENDED WITH", type(done.error_in_exec).__name__, done.error_in_exec)
"""


def test_without_a_network_it_stops_and_says_what_to_do(tmp_path):
    """Where the library is missing and pip reaches nothing; on a path without git."""
    given = {**os.environ, "PIP_PROXY": "http://127.0.0.1:9", "PIP_RETRIES": "0", "PATH": "", "HOME": str(tmp_path)}
    command = [sys.executable, "-c", MISSING.format(cell=SET_UP)]
    done = subprocess.run(command, cwd=tmp_path, env=given, capture_output=True, text=True, timeout=120)
    assert "ENDED WITH ImportError The library nntk_lib could not be fetched" in done.stdout, done.stdout + done.stderr
    assert "pip install -r requirements.txt" in done.stdout and "git" not in SET_UP.replace("github", "")


def git(folder, *words) -> str:
    author = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main"]
    return subprocess.check_output(["git", *author, *words], cwd=folder, text=True, stderr=subprocess.DEVNULL).strip()


def test_the_commit_is_one_that_the_remote_has(tmp_path):
    remote, clone = tmp_path / "remote", tmp_path / "clone"
    commit = notebooks.published_commit.__wrapped__
    assert commit(str(tmp_path)) == ""
    remote.mkdir()
    git(remote, "init")
    git(remote, "commit", "--allow-empty", "-m", "one")
    assert commit(str(remote)) == ""
    git(tmp_path, "clone", str(remote), str(clone))
    assert commit(str(clone)) == git(remote, "rev-parse", "HEAD") != ""
    git(clone, "commit", "--allow-empty", "-m", "two")
    assert commit(str(clone)) == ""
