"""Threads: what a call holds of its process is given back, however calls overlap, fail or fork."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import nntk_lib


@pytest.mark.skipif(not hasattr(os, "fork"), reason="children are forked")
def test_a_call_leaves_its_process_as_it_was():
    script = Path(__file__).with_name("process_state.py")
    path = os.pathsep.join([str(Path(nntk_lib.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    settings = {"OPENBLAS_NUM_THREADS": "2", "NNTK_THREADS": "2", "PYTHONPATH": path}
    options = {"capture_output": True, "text": True, "timeout": 120}
    done = subprocess.run([sys.executable, script], env=os.environ | settings, **options)
    assert done.returncode == 0, done.stderr
    facts = done.stdout.splitlines()
    assert len(facts) == 15 and not [fact for fact in facts if not fact.endswith(": True")], facts
