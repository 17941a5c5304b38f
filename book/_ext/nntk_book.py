"""The book's own Sphinx extension: frames and records of the build, the claims ledger, the library reference.

Loaded by ``_config.yml``, so that a plain ``jupyter-book build .`` does the right thing. It

1. tells the notebooks, through two environment variables that their kernels inherit, to render the explorers'
   frames (``NNTK_RENDER_FRAMES``) and where to record each checked claim (``NNTK_LEDGER``);
2. has every page run again when the library, or a package it stands on, has changed since the last build;
3. forgets the last build when it gave warnings, so that the next one cannot pass by skipping what failed;
4. provides the directives ``{claims-ledger}`` and ``{library-reference}``.
"""

from __future__ import annotations

import builtins
import hashlib
import importlib
import json
import os
import re
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from docutils import nodes
from docutils.statemachine import StringList
from pybtex.database import parse_file
from pybtex.richtext import Text
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

logger = logging.getLogger(__name__)

PACKAGES = ("numpy", "scipy", "matplotlib", "scikit-learn", "ipywidgets")
BOOK, CLAIMS, REFERENCES = "book/", "book/claims.yml", "book/references.bib"
COLUMNS = (("Claim", 16), ("Statement", 36), ("Measured", 14), ("Bound", 14), ("Slack", 10), ("Verdict", 10))


# ---- records of the checked claims ------------------------------------------------------------------------


def read_claims(app) -> list[dict]:
    """The entries of ``book/claims.yml``, their ids checked."""
    from nntk_lib.book.ledger import load_claims  # after prepare_environment: the library of this tree

    return load_claims(Path(app.srcdir) / CLAIMS)


def ledger_folder(app) -> Path:
    return Path(app.outdir).parent / "ledger"


def read_records(app, claim_id: str) -> list[dict]:
    """What ``nntk_lib.book.ledger.check`` recorded for a claim, in the order of the checks."""
    from nntk_lib.book.ledger import record_file

    path = record_file(ledger_folder(app), claim_id)
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else []


# ---- the build's events ------------------------------------------------------------------------------------


def prepare_environment(app) -> None:
    """Set what the notebooks' kernels inherit; this tree's library goes before an installed one."""
    ledger_folder(app).mkdir(parents=True, exist_ok=True)
    os.environ["NNTK_RENDER_FRAMES"] = "1"
    os.environ["NNTK_LEDGER"] = str(ledger_folder(app))
    profile = Path(app.outdir).parent / "ipython" / "profile_default"
    profile.mkdir(parents=True, exist_ok=True)
    formats = 'get_config().InlineBackend.figure_formats = {"png", "pdf"}\n'  # for the pages, for the printed book
    (profile / "ipython_kernel_config.py").write_text(formats, encoding="utf-8")
    os.environ["IPYTHONDIR"] = str(profile.parent)
    paths = [str(app.srcdir), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    os.environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(paths))
    sys.path.insert(0, str(app.srcdir))


def fingerprint(app) -> str:
    """A hash of the library's sources and of the versions of the packages it stands on."""
    digest = hashlib.sha256()
    for path in sorted((Path(app.srcdir) / "nntk_lib").glob("**/*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
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
    from nntk_lib.book.ledger import record_file

    if not (Path(app.srcdir) / CLAIMS).exists():
        return
    for claim in read_claims(app):
        if BOOK + claim["chapter"] in docnames:
            record_file(ledger_folder(app), claim["id"]).unlink(missing_ok=True)


def forget_failed_build(app, exception) -> None:
    """Sphinx keeps its state after warnings, and the next build would skip the page that warned."""
    if exception is None and app._warncount:
        (Path(app.doctreedir) / "environment.pickle").unlink(missing_ok=True)


def write_report(app, exception) -> None:
    """Leave the run time of each notebook in ``_build/times.json``."""
    if exception is not None:
        return
    times = {}
    for docname in sorted(app.env.found_docs):
        data = app.env.metadata.get(docname, {}).get("exec_data") or nb_execution(app, docname)
        if data and data.get("runtime"):
            times[docname] = round(data["runtime"], 2)
    (Path(app.outdir).parent / "times.json").write_text(json.dumps(times, indent=1) + "\n", encoding="utf-8")


def nb_execution(app, docname: str) -> dict | None:
    """myst-nb's record of a page's execution, if the page was executed."""
    return getattr(app.env, "nb_metadata", {}).get(docname, {}).get("exec_data")


# ---- the claims ledger -------------------------------------------------------------------------------------


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


def resolve_ledger(app, doctree, docname) -> None:
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


def unique_ids(app, doctree, docname) -> None:
    """Keep the first of equal ids: sphinx-proof and sphinx-exercise give one to many sections of a page."""
    if app.builder.name == "latex":  # there all pages are one document, and an id goes with its page's name
        return
    seen = set()
    for node in doctree.findall(nodes.Element):
        if isinstance(node, nodes.section) or "proof" in node.get("ids", []):
            node["ids"] = [name for name in node["ids"] if name not in seen]
        seen.update(node.get("ids", []))


def purge_ledger(app, env, docname) -> None:
    getattr(env, "nntk_ledger_pages", set()).discard(docname)


# ---- the library reference ---------------------------------------------------------------------------------


class LibraryReference(SphinxDirective):
    """``{library-reference}``: one section for each module of ``nntk_lib``, from its docstrings."""

    def run(self) -> list[nodes.Node]:
        holder = nodes.container()
        for path in sorted((Path(self.env.srcdir) / "nntk_lib").glob("[a-z]*.py")):
            self.env.note_dependency(str(path))
            holder += self.section(f"nntk_lib.{path.stem}")
        return holder.children

    def section(self, name: str) -> nodes.section:
        importlib.import_module(name)
        section = nodes.section(ids=["module-page-" + name.replace(".", "-").replace("_", "-")], names=[name])
        section += nodes.title("", "", nodes.literal("", name))
        lines = ["```{eval-rst}", f".. automodule:: {name}", "   :members:", "```"]
        self.state.nested_parse(StringList(lines, name), self.content_offset, section)
        return section


def escape_bars(app, what, name, obj, options, lines: list[str]) -> None:
    """Docstrings write absolute values as ``|x|``, which reStructuredText would take for a substitution."""
    literal = None  # the indentation of the line that opened a literal block
    for i, line in enumerate(lines):
        indent = len(line) - len(line.lstrip())
        if literal is not None and line.strip() and indent <= literal:
            literal = None
        if literal is None and not line.lstrip().startswith(">>>"):
            parts = re.split(r"(``.*?``|`[^`]*`)", line)
            lines[i] = "".join(part if part[:1] == "`" else part.replace("|", r"\|") for part in parts)
        if literal is None and line.rstrip().endswith("::"):
            literal = indent


def resolve_docstring_name(app, env, node, contnode):
    """Resolve names in docstrings.

    A bare name, such as ``ShapeError`` under "Raises", means the one object of the library that ends in it;
    Python's own names, and the words of a type described in prose, are left as text.
    """
    if node.get("refdomain") != "py":
        return None
    target = node["reftarget"]
    found = [(name, item) for name, item in env.domaindata["py"]["objects"].items() if name.endswith("." + target)]
    if len(found) == 1:
        name, item = found[0]
        return app.builder.env.get_domain("py").resolve_xref(
            env, node["refdoc"], app.builder, node["reftype"], name, node, contnode
        )
    prose = node["reftype"] == "class" and not target.startswith("nntk_lib")
    return contnode if prose or hasattr(builtins, target) else None


def setup(app) -> dict:
    app.connect("builder-inited", prepare_environment)
    app.connect("env-get-outdated", outdated_pages)
    app.connect("env-before-read-docs", forget_records)
    app.connect("env-purge-doc", purge_ledger)
    app.connect("doctree-resolved", resolve_ledger)
    app.connect("doctree-resolved", unique_ids, priority=900)
    app.connect("autodoc-process-docstring", escape_bars, priority=400)  # before napoleon
    app.connect("missing-reference", resolve_docstring_name)
    app.connect("build-finished", write_report)
    app.connect("build-finished", forget_failed_build)
    app.add_node(LedgerSummary)
    app.add_node(LedgerTable)
    app.add_directive("claims-ledger", ClaimsLedger)
    app.add_directive("library-reference", LibraryReference)
    return {"version": "1", "env_version": 1, "parallel_read_safe": False, "parallel_write_safe": True}
