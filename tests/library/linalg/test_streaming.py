"""Threads: what a call holds of its process is given back, however calls overlap, fail or fork."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import nntk_lib


def on_two_threads(script: str) -> str:
    """What a script beside this one says in a process of its own."""
    path = os.pathsep.join([str(Path(nntk_lib.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    settings = {"OPENBLAS_NUM_THREADS": "2", "NNTK_THREADS": "2", "PYTHONPATH": path}
    options = {"capture_output": True, "text": True, "timeout": 120}
    done = subprocess.run([sys.executable, Path(__file__).with_name(script)], env=os.environ | settings, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_an_interrupt_at_any_point_leaves_threads_and_blas_working():
    assert int(on_two_threads("interrupted_anywhere.py")) > 100


@pytest.mark.skipif(not hasattr(os, "fork"), reason="children are forked")
def test_a_call_leaves_its_process_as_it_was():
    facts = on_two_threads("process_state.py").splitlines()
    assert len(facts) == 16 and not [fact for fact in facts if not fact.endswith(": True")], facts
