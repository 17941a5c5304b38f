"""The directive ``{faults}``: libraries that are wrong on purpose, and the claims that noticed.

The rows are those of ``book/faults.json``, which ``make rehearsal`` writes.
"""

from __future__ import annotations

import json
from pathlib import Path

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from .form import ledger_id
from .ledger_page import OURS, entry, read_claims

FILE, LEDGER = "book/faults.json", "book/appendix/ledger"


class Faults(SphinxDirective):
    """A sentence with the counts, and a table of one row a fault."""

    def run(self) -> list[nodes.Node]:
        path = Path(self.env.srcdir) / FILE
        self.env.note_dependency(str(path))
        record = json.loads(path.read_text(encoding="utf-8"))
        claims = {claim["id"]: claim for claim in read_claims(self.env.app)}
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
        group = nodes.tgroup(cols=2)
        group += [nodes.colspec(colwidth=50) for _ in range(2)]
        group += nodes.thead("", nodes.row("", entry("what is wrong, and where"), entry("noticed by")))
        group += nodes.tbody("", *rows)
        return [nodes.paragraph("", counts), nodes.table("", group, classes=["faults"])]

    def row(self, name: str, fault: dict, claims: dict) -> nodes.row:
        module, _, function = fault["where"].partition(":")
        where = nodes.literal("", f"{module}: {function}")
        what = nodes.entry("", nodes.paragraph("", name), nodes.paragraph("", "", where))
        noticed = nodes.paragraph()
        for i, claim in enumerate(fault["claims"]):
            noticed += [nodes.Text(", ")] * bool(i) + [self.link(claims[claim])]
        return nodes.row("", what, nodes.entry("", noticed))

    def link(self, claim: dict) -> nodes.Node:
        """To the claim's row of the ledger; paper has no such rows."""
        source = "Ours" if claim.get(OURS) else claim["paper"].rstrip("0123456789").capitalize()
        text = f"{source}: {claim['number']}"
        if self.env.app.builder.format != "html":
            return nodes.Text(text)
        page = self.env.app.builder.get_relative_uri(self.env.docname, LEDGER)
        return nodes.reference("", text, refuri=f"{page}#{ledger_id(claim['id'])}", internal=True)
