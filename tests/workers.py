"""How the tests are shared among workers (``pytest -n auto``): one for each core, which work on units of tests.

A unit is run by one worker, in order: the cells of a notebook, the tests of a page that is opened once for all of them,
a file of tests, or one slow test alone. Units are taken in the order of ``RANKS``: first the notebooks, whose outputs
the build takes, then the build, while another worker does what needs no page; what takes long is not left for the end.
"""

from __future__ import annotations

import os
from pathlib import PurePosixPath

import pytest
from sources import GENERATED, documents

try:
    from xdist.scheduler import LoadScopeScheduling
except ImportError:  # then there is one worker, pytest itself
    LoadScopeScheduling = object

ALONE = {"test_mutants.py", "test_keyboard.py", "test_print.py"}
BY_PAGE = {"test_pages.py", "test_explorers.py"}
PAGES = sorted([*documents(), *GENERATED], key=len, reverse=True)  # a name within another one comes later
RANKS = [".ipynb", "test_binder.py", "test_html.py", "test_lite.py", "test_pdf.py", "test_mutants.py", "test_pages.py"]


def cores() -> int:
    """The processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def unit_of(nodeid: str) -> str:
    path, _, test = nodeid.partition("::")
    name = PurePosixPath(path).name
    if name in ALONE:
        return nodeid
    page = next((page for page in PAGES if page in test), "") if name in BY_PAGE else ""
    return f"{path} {page}"


class Units(LoadScopeScheduling):
    def _split_scope(self, nodeid: str) -> str:
        return unit_of(nodeid)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config) -> None:
    """A worker that hung is not replaced: the next one would hang in the same test."""
    if getattr(config.option, "maxworkerrestart", "0") is None:
        config.option.maxworkerrestart = "0"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    config.option.loadscopereorder = False  # the order is that of pytest_collection_modifyitems
    return Units(config, log)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config) -> int:
    return cores()


def pytest_collection_modifyitems(items) -> None:
    """Only among several workers: by itself pytest keeps the order of the files."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=rank)


def rank(item) -> int:
    found = [i for i, name in enumerate(RANKS) if name in (item.path.name, item.path.suffix)]
    return found[0] if found else len(RANKS)
