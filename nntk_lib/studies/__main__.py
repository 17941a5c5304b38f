"""``python -m nntk_lib.studies NAME``: run what is missing of a study."""

from __future__ import annotations

import argparse
import importlib
import os
import pkgutil
from pathlib import Path

from . import __path__ as here
from .runner import Study, run


def studies() -> dict[str, Study]:
    """The studies of this package, by name."""
    modules = (importlib.import_module(f"{__package__}.{found.name}") for found in pkgutil.iter_modules(here))
    found = [study for module in modules for study in getattr(module, "STUDIES", ())]
    return {study.name: study for study in found}


def main(words: list[str] | None = None) -> None:
    known = studies()
    parser = argparse.ArgumentParser(prog="python -m nntk_lib.studies", description=__doc__)
    parser.add_argument("name", choices=sorted(known))
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="processes of this machine")
    parser.add_argument("--cluster", default="", help="a dask scheduler in place of them, as tcp://host:8786")
    parser.add_argument("--file", type=Path, help="where the results go; default: the library's own file")
    parser.add_argument("--states", type=Path, help="folder of unfinished runs, seen by all workers; default: beside")
    given = parser.parse_args(words)
    file = given.file or Path(here[0]) / f"{given.name}.jsonl"
    run(known[given.name], file, given.workers, given.cluster, given.states, progress=True)


if __name__ == "__main__":
    main()
