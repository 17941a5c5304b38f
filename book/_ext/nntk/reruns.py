"""Which pages are read, and so run, again.

Sphinx reads a page when its file has changed. All are read when the library, or a package it stands on, has changed;
the pages that show the ledger are always read. After a build that gave warnings nothing is taken for done, so that the
next one cannot pass by skipping what failed.
"""

from __future__ import annotations

import hashlib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from sphinx.util import logging

from .environment import ledger_folder
from .ledger_page import BOOK, CLAIMS, read_claims

logger = logging.getLogger(__name__)

PACKAGES = ("numpy", "scipy", "matplotlib", "scikit-learn", "ipywidgets")


def fingerprint(app) -> str:
    """A hash of the library's sources and of the versions of the packages it stands on."""
    digest = hashlib.sha256()
    for path in sorted((Path(app.srcdir) / "nntk_lib").glob("**/*.py")):
        digest.update(path.relative_to(app.srcdir).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    for name in PACKAGES:
        try:
            digest.update(f"{name} {version(name)}\0".encode())
        except PackageNotFoundError:
            digest.update(f"{name} missing\0".encode())
    return digest.hexdigest()


def outdated_pages(app, env, added, changed, removed) -> list[str]:
    """Every page when the library changed; always the pages that show the ledger."""
    current, previous = fingerprint(app), getattr(env, "nntk_fingerprint", None)
    env.nntk_fingerprint = current
    if previous not in (None, current):
        logger.info("nntk_lib has changed: every page is run again")
        return sorted(env.found_docs)
    return sorted(getattr(env, "nntk_ledger_pages", set()))


def forget_records(app, env, docnames) -> None:
    """Before chapters run again, drop what their last run recorded."""
    from nntk_lib.book.ledger import record_file  # after environment.prepare: the library of this tree

    if not (Path(app.srcdir) / CLAIMS).exists():
        return
    for claim in read_claims(app):
        if BOOK + claim["chapter"] in docnames:
            record_file(ledger_folder(app), claim["id"]).unlink(missing_ok=True)


def forget_failed_build(app, exception) -> None:
    """Sphinx keeps its state after warnings, and the next build would skip the page that warned."""
    if exception is None and app._warncount:
        (Path(app.doctreedir) / "environment.pickle").unlink(missing_ok=True)
