"""Numba is optional: whatever it does, the step comes out."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import nntk_lib

STEP = """
import os, warnings
import numpy as np
from nntk_lib import Shallow, newton_step
net, X = Shallow("tanh"), np.linspace(-1, 1, 16)[:, None]
theta, y = net.init(2100, 1, rng=0), np.sin(3 * X[:, 0])
with warnings.catch_warnings(record=True) as found:
    warnings.simplefilter("always")
    steps = [newton_step(net, theta, X, y, 0.5).delta for _ in range(2)]
os.environ["NNTK_COMPILED"] = "0"
twin = newton_step(net, theta, X, y, 0.5).delta
print(*(np.abs(step - twin).max() / np.abs(twin).max() for step in steps))
print(*(f"{warning.category.__name__}: {warning.message}" for warning in found), sep="\\n", end="")
"""

# what `import numba` finds, and what the warning says
NUMBAS = {
    "a NumPy that it refuses": ("raise ImportError('Numba needs NumPy 2.4 or less')", "Numba needs NumPy 2.4 or less"),
    "half an installation": ("", "cannot import name 'njit'"),
    "a compiler that fails": (
        "def njit(**options):\n    def fail(*arguments):\n        raise OSError('no executable memory')\n"
        "    return lambda f: fail",
        "no executable memory",
    ),
    "no place to write": (
        "def njit(**options):\n    if options.pop('cache', False):\n"
        "        raise RuntimeError('cannot cache: no locator available')\n    return lambda f: f",
        "",
    ),
}


@pytest.mark.parametrize("name", NUMBAS)
def test_a_step_needs_no_numba(name, tmp_path):
    text, said = NUMBAS[name]
    (tmp_path / "numba.py").write_text(text)
    path = os.pathsep.join([str(tmp_path), str(Path(nntk_lib.__file__).parents[1])])
    done = subprocess.run(
        [sys.executable, "-c", STEP], capture_output=True, text=True, env=os.environ | {"PYTHONPATH": path}
    )
    assert done.returncode == 0, done.stderr
    errors, *warned = done.stdout.splitlines()
    assert all(float(error) <= 1e-12 for error in errors.split())
    assert len(warned) == bool(said), warned
    assert not said or (said in warned[0] and warned[0].startswith("RuntimeWarning: Numba is installed but does not"))
