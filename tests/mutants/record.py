"""Every mutant with its test and all of its claims, and what came of it: ``book/faults.json``, shown in the appendix.

Each mutant has a process of its own, as many at a time as there are cores; about forty minutes on two. While chapters
are written, those suffice that are new or have other claims than before: ``python tests/mutants --new``.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import numpy as np
from sources import BOOK, ROOT
from workers import cores

from .machine import Mutant

FILE = BOOK / "faults.json"
CAUGHT = 1  # pytest's exit status when a test has failed: not when there is no such test


def said(*arguments: str) -> dict:
    """What came of the mutant; compiled loops, frames and records are off, and every kernel has one thread."""
    env = {key: value for key, value in os.environ.items() if not key.startswith(("NNTK_", "PYTEST_", "COV_"))}
    env |= {"NNTK_COMPILED": "0", "NNTK_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    env["PYTHONPATH"] = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    command = [sys.executable, "-P", str(ROOT / "tests" / "mutants"), *arguments]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout) | {"printed": done.stderr}


def wanted(mutants: dict[str, Mutant]) -> dict[str, dict]:
    """What the file says when all that should notice do."""
    return {name: {"where": m.target, "test": m.test, "claims": list(m.claims)} for name, m in mutants.items()}


def record_all(mutants: dict[str, Mutant], only_new: bool = False) -> list[str]:
    """Write the file; the mutants that a test or a claim of theirs did not notice."""
    known = json.loads(FILE.read_text(encoding="utf-8"))["faults"] if only_new else {}
    known = {name: fault for name, fault in wanted(mutants).items() if known.get(name) == fault}
    tried = [name for name in mutants if name not in known]
    with ThreadPoolExecutor(cores()) as pool:
        found = dict(zip(tried, pool.map(said, tried), strict=True))
    made = {"date": date.today().isoformat(), "python": platform.python_version(), "numpy": np.__version__}
    faults = {
        name: known.get(name)
        or {
            "where": fault["where"],
            "test": fault["test"] if found[name].get("test") == CAUGHT else "",
            "claims": [claim for claim in fault["claims"] if found[name][claim]],
        }
        for name, fault in wanted(mutants).items()
    }
    FILE.write_text(json.dumps({"made": made, "faults": faults}, indent=1) + "\n", encoding="utf-8")
    return [name for name, fault in wanted(mutants).items() if faults[name] != fault]
