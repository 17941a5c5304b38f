"""The claims ledger: the directives ``{claims-ledger}`` and ``{claims-corrections}``.

One row a claim, which opens to what the chapters' checks recorded; per paper, and the book's own results apart. Rows
are filtered by ``page.js``, through the classes carried, open, corrected, inferred and ours.
"""

from __future__ import annotations

import html
import json
from collections import Counter
from pathlib import Path

from docutils import nodes
from docutils.statemachine import StringList
from pybtex.database import parse_file
from pybtex.richtext import Text
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from .environment import ledger_folder
from .form import ledger_id, sentence, summary_of

logger = logging.getLogger(__name__)

BOOK, CLAIMS, REFERENCES = "book/", "book/claims.yml", "book/references.bib"
NOTES = {"correction": "Corrected", "inferred": "Inferred", "remark": "Remark"}
OURS = "ours"


def read_claims(app) -> list[dict]:
    """The entries of ``book/claims.yml``, their ids checked."""
    from nntk_lib.book.ledger import load_claims  # after environment.prepare: the library of this tree

    return load_claims(Path(app.srcdir) / CLAIMS)


def read_records(app, claim_id: str) -> list[dict]:
    """What ``nntk_lib.book.ledger.check`` recorded for a claim, in the order of the checks."""
    from nntk_lib.book.ledger import record_file

    path = record_file(ledger_folder(app), claim_id)
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else []


def group_of(claim: dict) -> str:
    return OURS if claim.get("ours") else claim["paper"]


class LedgerSummary(nodes.General, nodes.Element):
    """Stands where the counts will be."""


class LedgerTable(nodes.General, nodes.Element):
    """Stands where one group's rows will be; its children are the statements and their notes, already parsed."""


class ClaimsDirective(SphinxDirective):
    """What both directives need: the claims, the papers' names, and text parsed as the page's own."""

    def prepare(self) -> list[dict]:
        for name in (CLAIMS, REFERENCES):
            self.env.note_dependency(str(Path(self.env.srcdir) / name))
        self.references = parse_file(str(Path(self.env.srcdir) / REFERENCES)).entries
        return read_claims(self.env.app)

    def section(self, key: str, name: str) -> nodes.section:
        section = nodes.section(ids=[f"{name}-{key}"], names=[f"{name}-{key}"])
        title = "The book's own results" if key == OURS else title_of(self.references[key])
        section += nodes.title("", title)
        return section

    def parse(self, text: str, into: nodes.Element) -> nodes.Element:
        self.state.nested_parse(StringList(text.splitlines(), CLAIMS), self.content_offset, into)
        return into


class ClaimsLedger(ClaimsDirective):
    """``{claims-ledger}``: a summary and one section of rows for each paper, and for the book's own results."""

    def run(self) -> list[nodes.Node]:
        if not hasattr(self.env, "nntk_ledger_pages"):
            self.env.nntk_ledger_pages = set()
        self.env.nntk_ledger_pages.add(self.env.docname)
        claims = self.prepare()
        groups = sorted(dict.fromkeys(map(group_of, claims)), key=lambda key: key == OURS)
        sections = []
        for key in groups:
            section = self.section(key, "ledger")
            if key != OURS:
                section += self.parse(f"{{cite}}`{key}`", nodes.container())
            table = LedgerTable(claims=[claim for claim in claims if group_of(claim) == key])
            for claim in table["claims"]:
                notes = [f"*{word}.* {claim[field]}" for field, word in NOTES.items() if claim.get(field)]
                table += self.parse("\n\n".join([claim["statement"], *notes]), nodes.container())
            section += table
            sections.append(section)
        names = {key: section[0].astext() for key, section in zip(groups, sections, strict=True)}
        return [LedgerSummary(claims=claims, groups=names), *sections]


class ClaimsCorrections(ClaimsDirective):
    """``{claims-corrections} correction`` (or ``inferred``): the notes of that kind, paper by paper."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        field, claims = self.arguments[0], self.prepare()
        found = []
        for key in dict.fromkeys(claim["paper"] for claim in claims):
            noted = [claim for claim in claims if claim["paper"] == key and claim.get(field)]
            if not noted:
                continue
            section = self.section(key, f"{field}s")
            lines = [f"- **{claim['number']}.** {' '.join(claim[field].split())}" for claim in noted]
            section += self.parse("\n".join(lines), nodes.container())
            found.append(section)
        return found


def title_of(entry) -> str:
    """Authors and year, as in "Cai et al. (2019)"."""
    names = [str(Text.from_latex(" ".join(person.last_names))) for person in entry.persons["author"]]
    authors = {1: names[0], 2: " and ".join(names)}.get(len(names), f"{names[0]} et al.")
    return f"{authors} ({entry.fields['year']})"


def resolve(app, doctree, docname) -> None:
    """After every notebook has run: fill in what was measured."""
    for node in list(doctree.findall(LedgerSummary)):
        node.replace_self(summary(app, node["claims"], node["groups"]))
    for node in list(doctree.findall(LedgerTable)):
        rows = [row(app, docname, claim, text) for claim, text in zip(node["claims"], node.children, strict=True)]
        node.replace_self(nodes.container("", *rows, classes=["ledger"]))


def summary(app, claims: list[dict], groups: dict[str, str]) -> nodes.table:
    """A line for each paper: how many claims, carried, open, corrected, inferred, and with how many measurements."""
    heads = ["source", "claims", "carried", "open", "corrected", "inferred", "checks"]
    lines = []
    for key, name in groups.items():
        own = [claim for claim in claims if group_of(claim) == key]
        count = Counter(claim["status"] for claim in own)
        records = [record for claim in own if claim["status"] == "carried" for record in read_records(app, claim["id"])]
        noted = [sum(bool(claim.get(field)) for claim in own) for field in ("correction", "inferred")]
        lines.append([name, len(own), count["carried"], count["open"], *noted, len(records)])
    total = ["together", *(sum(column) for column in list(zip(*lines, strict=True))[1:])]
    texts = [[nodes.paragraph("", str(cell)) for cell in line] for line in [*lines, total]]
    return table_of(heads, [30, *[10] * (len(heads) - 1)], texts, "ledger-summary")


def row(app, docname: str, claim: dict, text: nodes.Element) -> nodes.container:
    """One claim: number, statement and what came of it; opened, its notes and measurements."""
    records = read_records(app, claim["id"]) if claim["status"] == "carried" else []
    if claim["status"] == "carried" and not records:
        logger.warning(
            "claim %s is marked as carried by %s, which has not checked it",
            claim["id"],
            claim["chapter"],
            location=docname,
        )
    statement, *notes = text.children
    state = summary_of(records) if records else f"open: {place(app, claim)}"
    kinds = [claim["status"], *(field for field in ("correction", "inferred", OURS) if claim.get(field))]
    head = f'<details id="{ledger_id(claim["id"])}"><summary><b>{html.escape(claim["number"])}</b> '
    made = nodes.container("", raw(head), classes=["ledger-claim", *kinds])
    made += nodes.inline("", "", *statement.children, classes=["ledger-statement"])
    made += raw(f' <span class="ledger-state">{html.escape(state)}</span></summary>')
    made += notes
    if records:
        made += measured(app, docname, claim, records)
    if claim.get("catches"):
        made += nodes.paragraph("", f"Would have failed with this fault in the library: {claim['catches']}.")
    made += nodes.paragraph("", "", nodes.literal("", claim["id"]))
    made += raw("</details>")
    return made


def place(app, claim: dict) -> str:
    """Where an open claim will be carried: the number of the chapter to come."""
    part, _, chapter = claim["chapter"].partition("/")
    return f"chapter {part[0]}.{int(chapter[:2])}" if chapter[:2].isdigit() else part


def measured(app, docname: str, claim: dict, records: list[dict]) -> nodes.bullet_list:
    """The measurements, each linked to its place in the chapter."""
    page = app.builder.get_relative_uri(docname, BOOK + claim["chapter"])
    found = nodes.bullet_list()
    for record in records:
        link = nodes.reference("", sentence(record), refuri=f"{page}#{record['anchor']}", internal=True)
        found += nodes.list_item("", nodes.paragraph("", "", link))
    return found


def raw(text: str) -> nodes.raw:
    return nodes.raw("", text, format="html")


def table_of(heads: list[str], widths: list[int], rows: list[list[nodes.Element]], name: str) -> nodes.table:
    """A table of the class `name`, a node for each cell."""
    group = nodes.tgroup(cols=len(heads))
    group += [nodes.colspec(colwidth=width) for width in widths]
    for part, lines in ((nodes.thead, [[nodes.paragraph("", head) for head in heads]]), (nodes.tbody, rows)):
        group += part("", *(nodes.row("", *(nodes.entry("", cell) for cell in line)) for line in lines))
    return nodes.table("", group, classes=[name])


def purge(app, env, docname) -> None:
    getattr(env, "nntk_ledger_pages", set()).discard(docname)
