"""How fast the library is beside what a user would pick instead: the measurements in speed.json.

`make bench` writes the file; tests/benchmarks holds the suite. A record is one method on one problem:

group, case, method     the part of the suite, the problem's name, the method's name
m, d, n, gamma          neurons, inputs, samples, regularization; a neuron has d + 1 parameters
labels, act             "smooth" or "quiet" labels (tests/benchmarks/problems.py), activation
seconds, median, spread every repetition, their median, smallest and largest
memory_mb, base_mb      largest resident memory during the call, and after the imports, in units of 10^6 bytes
error                   largest difference from the first method of the case, relative to its largest entry, or None
iterations, flops, ...  what only some methods have
"""

from __future__ import annotations

import functools
import json
from pathlib import Path

FILE = Path(__file__).with_name("speed.json")


@functools.cache
def _data() -> dict:
    return json.loads(FILE.read_text(encoding="utf-8"))


def environment() -> dict:
    """Processor, cores, versions, and the date of each group."""
    return _data()["environment"]


def records(group: str | None = None, **where) -> list[dict]:
    """The records of a group whose entries equal those given.

    Parameters
    ----------
    group : str, optional
    **where
        For example ``method="nntk", d=2``.

    Returns
    -------
    list of dict
        In the order of the file.
    """
    wanted = where if group is None else where | {"group": group}
    return [row for row in _data()["records"] if all(row.get(key) == value for key, value in wanted.items())]


def record(group: str, **where) -> dict:
    """The one record that fits; raises `LookupError` if there is none or more than one."""
    found = records(group, **where)
    if len(found) != 1:
        raise LookupError(f"{len(found)} records in {group!r} fit {where}; exactly one is needed.")
    return found[0]
