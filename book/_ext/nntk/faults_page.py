"""The directive ``{faults}``: libraries that are wrong on purpose, and the claims that noticed.

The rows are those of ``book/faults.json``, which ``make rehearsal`` writes.
"""

from __future__ import annotations

import json
from pathlib import Path

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from .form import ledger_id
from .ledger_page import entry, read_claims

FILE, LEDGER = "book/faults.json", "book/appendix/ledger"
ROOMS = "below nntk_lib"


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
        rows = [self.row(name, fault, claims) for name, fault in sorted(record["faults"].items())]
        group = nodes.tgroup(cols=3)
        group += [nodes.colspec(colwidth=width) for width in (36, 34, 30)]
        heads = ("what is wrong", f"where, {ROOMS}", "noticed by")
        group += nodes.thead("", nodes.row("", *(entry(head) for head in heads)))
        group += nodes.tbody("", *rows)
        return [nodes.paragraph("", counts), nodes.table("", group, classes=["faults"])]

    def row(self, name: str, fault: dict, claims: dict) -> nodes.row:
        module, _, function = fault["where"].partition(":")
        where = nodes.entry("", nodes.paragraph("", "", nodes.literal("", f"{module}: {function}")))
        noticed = nodes.paragraph()
        for i, claim in enumerate(fault["claims"]):
            noticed += [nodes.Text(", ")] * bool(i) + [self.link(claims[claim])]
        return nodes.row("", entry(name), where, nodes.entry("", noticed))

    def link(self, claim: dict) -> nodes.Node:
        """To the claim's row of the ledger; paper has no such rows."""
        text = f"{claim['paper'].rstrip('0123456789')} {claim['number']}"
        if self.env.app.builder.format != "html":
            return nodes.Text(text)
        page = self.env.app.builder.get_relative_uri(self.env.docname, LEDGER)
        return nodes.reference("", text, refuri=f"{page}#{ledger_id(claim['id'])}", internal=True)
