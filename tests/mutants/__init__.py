"""Libraries that are wrong on purpose, and who has to notice: a test of the library and claims of the book.

A mutant replaces one named function, in a process of its own:

    python tests/mutants "sign of the drift flipped"

runs its test and, for each of its claims, those cells of the claim's page that its checks need, and prints what came of
them. Without a name all are tried, and ``book/faults.json`` written. The faults are listed in the modules of this
package, one for each chapter and ``general`` for those of several.
"""

from __future__ import annotations

import importlib
import pkgutil

from .machine import Mutant, cells_of

__all__ = ["MUTANTS", "Mutant", "cells_of"]

MUTANTS: dict[str, Mutant] = {}
for _module in pkgutil.iter_modules(__path__):
    if _module.name not in ("machine", "record", "__main__"):
        _table = importlib.import_module(f"{__name__}.{_module.name}").MUTANTS
        assert not _table.keys() & MUTANTS.keys(), "two mutants of one name"
        MUTANTS |= _table
