"""The directive ``{faults}``: libraries that are wrong on purpose, and the claims that noticed.

The rows are those of ``book/faults.json``, which ``make rehearsal`` writes.
"""

from __future__ import annotations

import json
from pathlib import Path

from docutils import nodes

from .form import ledger_id
from .ledger_page import OURS, ClaimsDirective, group_of, table_of, title_of

FILE, LEDGER = "book/faults.json", "book/appendix/ledger"


class Faults(ClaimsDirective):
    """A sentence with the counts, and a table of one row a fault."""

    def run(self) -> list[nodes.Node]:
        path = Path(self.env.srcdir) / FILE
        self.env.note_dependency(str(path))
        record = json.loads(path.read_text(encoding="utf-8"))
        claims = {claim["id"]: claim for claim in self.prepare()}
        made, faults = record["made"], record["faults"].values()
        pairs = [claim for fault in faults for claim in fault["claims"]]
        tests = sum(bool(fault["test"]) for fault in faults)
        counts = (
            f"On {made['date']}, {len(faults)} faults were tried one by one (Python {made['python']}, NumPy "
            f"{made['numpy']}): {len(set(pairs))} claims noticed one or more, in {len(pairs)} pairs of a fault and a "
            f"claim; a test of the library noticed {tests} of the faults as well."
        )
        named = {name[0].upper() + name[1:]: fault for name, fault in record["faults"].items()}
        rows = [self.row(name, named[name], claims) for name in sorted(named)]
        table = table_of(["what is wrong, and where", "noticed by"], [50, 50], rows, "faults")
        return [nodes.paragraph("", counts), table]

    def row(self, name: str, fault: dict, claims: dict) -> list[nodes.Element]:
        module, _, function = fault["where"].partition(":")
        where = nodes.literal("", f"{module}: {function}")
        what = nodes.container("", nodes.paragraph("", name), nodes.paragraph("", "", where))
        noticed = nodes.paragraph()
        for i, claim in enumerate(fault["claims"]):
            noticed += [nodes.Text(", ")] * bool(i) + [self.link(claims[claim])]
        return [what, noticed]

    def link(self, claim: dict) -> nodes.Node:
        """To the claim's row of the ledger; paper has no such rows."""
        group = group_of(claim)
        text = f"{'Ours' if group == OURS else title_of(self.references[group])}: {claim['number']}"
        if self.env.app.builder.format != "html":
            return nodes.Text(text)
        page = self.env.app.builder.get_relative_uri(self.env.docname, LEDGER)
        return nodes.reference("", text, refuri=f"{page}#{ledger_id(claim['id'])}", internal=True)
