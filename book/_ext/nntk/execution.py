"""Run the notebooks that Sphinx is about to read, one on each core, and hand them over with their outputs.

Sphinx reads, and myst-nb would run, one page after the other; so ``_config.yml`` switches myst-nb's own execution off,
and what it reads in place of a notebook's file is the notebook as it was run here, a moment before. Nothing is kept:
outputs of an older library cannot come back.

The tests run every notebook themselves, in kernels with the settings of ``environment``, and name in the variable
NNTK_RUNS a folder with what they ran; only what is not in it is run here then.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import time
import traceback
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import nbformat
from myst_nb.sphinx_ import NbMetadataCollector
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from sphinx.util import logging

from .environment import ledger_folder
from .form import arrange
from .ledger_page import read_claims

logger = logging.getLogger(__name__)

RUN, RECORDS = "run.ipynb", "ledger"  # of one notebook, in its folder below NNTK_RUNS


@dataclass
class Run:
    """A notebook with its outputs, how long it took, and the traceback of the error that ended it, if one did."""

    text: str
    seconds: float
    error: str = ""
    reason: str = ""

    def save(self, folder: Path) -> None:
        """As a notebook that a later build can take; its seconds are part of its metadata."""
        notebook = nbformat.reads(self.text, as_version=4)
        notebook.metadata["seconds"] = self.seconds
        folder.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook, folder / RUN)


def saved(folder: Path, path: Path, ledger: Path) -> Run | None:
    """A notebook that the tests ran, if it is the one of the file; its records go to the ledger."""
    if not (folder / RUN).exists():
        return None
    notebook, source = (nbformat.read(file, as_version=4) for file in (folder / RUN, path))
    if [cell.source for cell in notebook.cells] != [cell.source for cell in source.cells]:
        return None
    shutil.copytree(folder / RECORDS, ledger, dirs_exist_ok=True)
    seconds = notebook.metadata.pop("seconds")
    return Run(nbformat.writes(notebook), seconds)


def run_notebooks(app, env, docnames: list[str]) -> None:
    """Run those of the pages to be read that are notebooks."""
    paths = {name: Path(env.doc2path(name)) for name in docnames}
    paths = {name: path for name, path in paths.items() if path.suffix == ".ipynb"}
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    app.nntk_claims = {claim["id"]: claim for claim in read_claims(app)}
    app.nntk_runs = {}
    if "NNTK_RUNS" in os.environ:
        runs, ledger = Path(os.environ["NNTK_RUNS"]), ledger_folder(app)
        found = {name: saved(runs / name, path, ledger) for name, path in paths.items()}
        app.nntk_runs = {name: run for name, run in found.items() if run}
        logger.info("took %d of %d notebooks from the tests", len(app.nntk_runs), len(paths))
    missing = {name: path for name, path in paths.items() if name not in app.nntk_runs}
    app.nntk_runs |= asyncio.run(run_all(missing, cores, app.config.nb_execution_timeout))


async def run_all(paths: dict[str, Path], cores: int, timeout: int) -> dict[str, Run]:
    """At most so many at a time; the largest first, since no core should wait long for the last one."""
    free = asyncio.Semaphore(cores)
    order = sorted(paths, key=lambda name: -paths[name].stat().st_size)
    runs = await asyncio.gather(*(run(name, paths[name], free, timeout) for name in order))
    return dict(zip(order, runs, strict=True))


async def run(name: str, path: Path, free: asyncio.Semaphore, timeout: int) -> Run:
    """One notebook, in its folder, from the first cell to the last or to the first error."""
    async with free:
        notebook = nbformat.read(path, as_version=4)
        client = NotebookClient(notebook, timeout=timeout, resources={"metadata": {"path": str(path.parent)}})
        begin, error, reason = time.perf_counter(), "", ""
        try:
            await client.async_execute()
        except (CellExecutionError, CellTimeoutError, DeadKernelError) as failure:
            error, reason = type(failure).__name__, traceback.format_exc()
        seconds = time.perf_counter() - begin
    logger.info("ran %s in %.0f s", name, seconds)
    return Run(nbformat.writes(notebook), seconds, error, reason)


def with_outputs(app, docname: str, source: list[str]) -> None:
    """Replace a notebook by what its run made of it; an error is a warning, which fails the strict build."""
    run = app.nntk_runs.pop(docname, None)
    if run is None:
        if "{code-cell}" in source[0] and not app.env.doc2path(docname).endswith(".ipynb"):
            logger.warning("a page with code cells has to be a notebook", location=docname)
        return
    source[0] = nbformat.writes(arrange(nbformat.reads(run.text, as_version=4), docname, app.nntk_claims))
    if run.error:
        logger.warning("%s\n%s", run.error, run.reason, location=docname, type="mystnb", subtype="exec")
    record = {"mtime": datetime.now().timestamp(), "runtime": run.seconds, "method": "force"}
    record |= {"succeeded": not run.error, "error": run.error or None, "traceback": None}
    NbMetadataCollector.set_exec_data(app.env, docname, record)


def write_times(app, exception) -> None:
    """Leave the run time of each notebook in ``_build/times.json``."""
    if exception is not None:
        return
    times = {}
    for name in sorted(app.env.found_docs):
        record = NbMetadataCollector.get_exec_data(app.env, name)
        if record and record.get("runtime"):
            times[name] = round(record["runtime"], 2)
    (Path(app.outdir).parent / "times.json").write_text(json.dumps(times, indent=1) + "\n", encoding="utf-8")
