"""The claims ledger: the directive ``{claims-ledger}``, filled in with what the chapters' checks recorded."""

from __future__ import annotations

import json
from pathlib import Path

from docutils import nodes
from docutils.statemachine import StringList
from pybtex.database import parse_file
from pybtex.richtext import Text
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from .environment import ledger_folder

logger = logging.getLogger(__name__)

BOOK, CLAIMS, REFERENCES = "book/", "book/claims.yml", "book/references.bib"
COLUMNS = (("Claim", 16), ("Statement", 36), ("Measured", 14), ("Bound", 14), ("Slack", 10), ("Verdict", 10))


def read_claims(app) -> list[dict]:
    """The entries of ``book/claims.yml``, their ids checked."""
    from nntk_lib.book.ledger import load_claims  # after environment.prepare: the library of this tree

    return load_claims(Path(app.srcdir) / CLAIMS)


def read_records(app, claim_id: str) -> list[dict]:
    """What ``nntk_lib.book.ledger.check`` recorded for a claim, in the order of the checks."""
    from nntk_lib.book.ledger import record_file

    path = record_file(ledger_folder(app), claim_id)
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else []


class LedgerSummary(nodes.General, nodes.Element):
    """Stands where the counts will be."""


class LedgerTable(nodes.General, nodes.Element):
    """Stands where one paper's table will be; its children are the statements, already parsed."""


class ClaimsLedger(SphinxDirective):
    """``{claims-ledger}``: a summary and one section with a table for each paper."""

    def run(self) -> list[nodes.Node]:
        if not hasattr(self.env, "nntk_ledger_pages"):
            self.env.nntk_ledger_pages = set()
        self.env.nntk_ledger_pages.add(self.env.docname)
        for name in (CLAIMS, REFERENCES):
            self.env.note_dependency(str(Path(self.env.srcdir) / name))
        claims = read_claims(self.env.app)
        references = parse_file(str(Path(self.env.srcdir) / REFERENCES)).entries
        papers = list(dict.fromkeys(claim["paper"] for claim in claims))
        return [LedgerSummary(claims=claims), *(self.section(key, claims, references) for key in papers)]

    def section(self, key: str, claims: list[dict], references) -> nodes.section:
        """One paper: its authors as title, the citation, and the table."""
        section = nodes.section(ids=[f"ledger-{key}"], names=[f"ledger-{key}"])
        section += nodes.title("", title_of(references[key]) if key in references else key)
        section += self.parse(f"{{cite}}`{key}`", nodes.container())
        table = LedgerTable(claims=[claim for claim in claims if claim["paper"] == key])
        for claim in table["claims"]:
            text = claim["statement"]
            if claim.get("correction"):
                text += f"\n\n*Corrected here.* {claim['correction']}"
            table += self.parse(text, nodes.container())
        section += table
        return section

    def parse(self, text: str, into: nodes.Element) -> nodes.Element:
        self.state.nested_parse(StringList(text.splitlines(), CLAIMS), self.content_offset, into)
        return into


def title_of(entry) -> str:
    """Authors and year, as in "Cai et al. (2019)"."""
    names = [str(Text.from_latex(" ".join(person.last_names))) for person in entry.persons["author"]]
    authors = {1: names[0], 2: " and ".join(names)}.get(len(names), f"{names[0]} et al.")
    return f"{authors} ({entry.fields['year']})"


def resolve(app, doctree, docname) -> None:
    """After every notebook has run: fill in what was measured."""
    for node in list(doctree.findall(LedgerSummary)):
        node.replace_self(summary(app, node["claims"]))
    for node in list(doctree.findall(LedgerTable)):
        node.replace_self(ledger_table(app, docname, node))


def summary(app, claims: list[dict]) -> nodes.paragraph:
    carried = [claim for claim in claims if claim["status"] == "carried"]
    checks = [check for claim in carried for check in read_records(app, claim["id"])]
    held = sum(bool(check["ok"]) for check in checks)
    text = (
        f"{len(claims)} claims: {len(carried)} carried by a chapter, with {len(checks)} measurements, {held} "
        f"of which hold; {len(claims) - len(carried)} open, to be carried by a chapter not yet written."
    )
    return nodes.paragraph("", text, classes=["ledger-summary"])


def ledger_table(app, docname: str, table: LedgerTable) -> nodes.table:
    group = nodes.tgroup(cols=len(COLUMNS))
    group += [nodes.colspec(colwidth=width) for _, width in COLUMNS]
    group += nodes.thead("", nodes.row("", *(entry(title) for title, _ in COLUMNS)))
    body = nodes.tbody()
    for claim, statement in zip(table["claims"], table.children, strict=True):
        body += claim_rows(app, docname, claim, statement)
    group += body
    return nodes.table("", group, classes=["ledger"])


def claim_rows(app, docname: str, claim: dict, statement: nodes.Element) -> list[nodes.row]:
    """One row for each measurement; the claim and its statement span them."""
    chapter = BOOK + claim["chapter"]
    records = read_records(app, claim["id"]) if claim["status"] == "carried" else []
    if claim["status"] == "carried" and not records:
        logger.warning(
            "claim %s is marked as carried by %s, which has not checked it",
            claim["id"],
            claim["chapter"],
            location=docname,
        )
    span = {"morerows": len(records) - 1} if len(records) > 1 else {}
    name = nodes.entry("", nodes.paragraph("", claim["number"]), **span)
    name += nodes.paragraph("", "", nodes.literal("", claim["id"]))
    head = [name, nodes.entry("", *statement.children, **span)]
    if not records:
        where = nodes.emphasis("", f"open: planned for {claim['chapter']}")
        cell = nodes.entry("", nodes.paragraph("", "", where), morecols=len(COLUMNS) - 3)
        return [nodes.row("", *head, cell)]
    rows = []
    for record in records:
        link = app.builder.get_relative_uri(docname, chapter) + "#" + record["anchor"]
        rows.append(nodes.row("", *(head if not rows else []), *measurement(record, link)))
    return rows


def measurement(record: dict, link: str) -> list[nodes.entry]:
    verdict = nodes.reference("", "holds" if record["ok"] else "fails", refuri=link, internal=True)
    measured = entry(number(record["measured"]))
    if record.get("note"):
        measured += nodes.paragraph("", record["note"], classes=["ledger-note"])
    relation = {"<=": "\u2264", ">=": "\u2265", "in": "in"}.get(record["relation"], record["relation"])
    return [
        measured,
        entry(f"{relation} {number(record['bound'])}"),
        entry(number(record["slack"])),
        nodes.entry("", nodes.paragraph("", "", verdict)),
    ]


def number(value) -> str:
    """Four significant digits; an interval in brackets."""
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(number(item) for item in value) + "]"
    return value if isinstance(value, str) or value is None else f"{value:.4g}".replace("-", "\u2212")


def entry(text: str) -> nodes.entry:
    return nodes.entry("", nodes.paragraph("", text or ""))


def purge(app, env, docname) -> None:
    getattr(env, "nntk_ledger_pages", set()).discard(docname)
