"""The printed book: what Sphinx's LaTeX builder does not do by itself.

The PDF shows the pages as the site shows them, with the same numbers: all are taken from Sphinx's records of the site
and written into the LaTeX source (``latex_writer``). Only the LaTeX builder is changed:

1. an explorer becomes its default picture with its caption and the values shown;
2. of a cell whose code is folded on the site only the output is printed;
3. a claim of the ledger becomes a paragraph with its measurements, because nothing opens on paper;
4. statements, proofs, exercises and solutions get environments of their own; solutions are printed where they stand;
5. the parts of ``_toc.yml`` become parts, its pages chapters.

The environments and the fonts are set in ``nntk-book.sty`` beside this file.
"""

from __future__ import annotations

import re
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.builders.latex.nodes import thebibliography
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import texescape
from sphinx.util.fileutil import copy_asset_file

from .latex_writer import BookTranslator, PrintBlock
from .ledger_page import LedgerTable, measured, place, read_records
from .site import edition

FRONT = "At a glance"  # the landing page's content, whose title is the book's
SCALE = 85  # % of a figure's size on the site: its letters are as large as those of a caption
PICTURES = ("application/pdf", "image/png")
ENVIRONMENTS = {"exercise": "nntkexercise", "solution": "nntksolution"}


# ---- outputs of cells --------------------------------------------------------------------------------------


class PrintOutputs(SphinxPostTransform):
    """Explorers and folded code; before myst-nb chooses one format of each output."""

    default_priority = 3
    builders = ("latex",)

    def run(self, **options) -> None:
        for node in list(self.document.findall(nodes.container)):
            kind = node.get("nb_element")
            if kind == "cell_code":
                node["classes"] = []
            elif kind == "cell_code_source" and node.parent.get("hide_mode") in ("input", "all"):
                node.parent.remove(node)
            elif kind == "mime_bundle":
                self.replace(node, {part["mime_type"]: part for part in node.children})

    def replace(self, bundle, formats: dict[str, nodes.Element]) -> None:
        data = bundle.parent.parent.get("cell_metadata", {}).get("nntk")
        pictures = [formats[name] for name in PICTURES if name in formats]
        if data and pictures:
            bundle.replace_self(explorer(data, next(pictures[0].findall(nodes.image))))


def explorer(data: dict[str, str], image: nodes.image) -> nodes.figure:
    """The figure that stands for an explorer: default picture, caption, the values it shows."""
    figure = nodes.figure("", image, ids=[data["name"]], classes=["explorer"])
    figure += nodes.caption("", "", nodes.strong("", "Interactive on the site. "), *emphasized(data["caption"]))
    figure += nodes.legend("", nodes.paragraph("", "Shown: " + data["shown"]))
    return figure


def emphasized(text: str) -> list[nodes.Node]:
    """Text in which ``<em>`` is the only markup."""
    parts = re.split(r"</?em>", text)
    return [(nodes.emphasis if i % 2 else nodes.inline)("", part) for i, part in enumerate(parts)]


# ---- the assembled document --------------------------------------------------------------------------------


def arrange(app, doctree, docname) -> None:
    """Once all pages stand in one document: give it the form of a printed book."""
    if app.builder.name != "latex":
        return
    front_matter(doctree, app.config.root_doc)
    part_headings(app.env, doctree)
    for node in list(doctree.findall(nodes.Admonition)):
        if environment := block_of(node):
            print_block(node, environment)
    for node in list(doctree.findall(nodes.rubric)):
        if isinstance(node.next_node(descend=False, siblings=True), nodes.paragraph):  # a folded hint
            node.next_node(descend=False, siblings=True).insert(0, nodes.strong("", f"{node.astext()}. "))
            node.parent.remove(node)
    for image in doctree.findall(nodes.image):
        image.attributes.pop("width", None)
        image["scale"] = SCALE
    bibliography_in_place(doctree)
    for table in list(doctree.findall(LedgerTable)):
        table.replace_self(printed_claims(app, docname, table))


def front_matter(doctree, root: str) -> None:
    """The landing page's content becomes a chapter before the first part."""
    page = next(doctree.findall(nodes.section))
    own = [node for node in page.children[1:] if "toctree-wrapper" not in node.get("classes", [])]
    for node in own:
        page.remove(node)
    chapter = nodes.section("", nodes.title("", FRONT), *own, ids=["at-a-glance"])
    page.insert(1, addnodes.start_of_file("", chapter, docname=root))


def part_headings(env, doctree) -> None:
    """Captions of ``_toc.yml`` become parts; a numbered part is opened by its first page instead."""
    captions = {
        toctree["includefiles"][0]: toctree["caption"]
        for toctree in env.get_doctree(env.config.root_doc).findall(addnodes.toctree)
        if toctree["includefiles"] and toctree.get("caption")
    }
    for page in list(doctree.findall(addnodes.start_of_file)):
        if page["docname"] in captions and not env.toc_secnumbers.get(page["docname"]):
            caption = texescape.escape(captions[page["docname"]], "lualatex")
            heading = rf"\nntknumber{{part}}{{}}\part{{{caption}}}"
            page.parent.insert(page.parent.index(page), nodes.raw("", heading, format="latex"))


def bibliography_in_place(doctree) -> None:
    """Sphinx moves the entries behind the last page; they belong to the page that lists them."""
    for entries in list(doctree.findall(thebibliography)):
        entries.parent.remove(entries)
        place = entries[0]["docname"]
        page = next(page for page in doctree.findall(addnodes.start_of_file) if page["docname"] == place)
        next(page.findall(nodes.section)).append(entries)


def block_of(node) -> str:
    """The LaTeX environment of a node, empty when Sphinx's own is right."""
    kind = type(node).__name__.split("_")[0]
    if "countertype" in node:
        return "nntkstatement"
    if "proof" in node.get("classes", []):
        return "nntkproof"
    return ENVIRONMENTS.get(kind, "")


def print_block(node, environment: str) -> None:
    children = [inner for child in node.children for inner in (child.children if is_frame(child) else [child])]
    block = PrintBlock("", *children, ids=node["ids"], env=environment)
    block["kind"], block["counter"] = node.get("realtype", ""), node.get("countertype", "")
    # sphinx-exercise refers to an exercise by a label of its own
    block["labels"] = [f"exercise:{node['label']}"] if environment == "nntkexercise" else []
    if environment == "nntkproof":
        del block["ids"][:]  # all proofs have the same
        first = next(block.findall(nodes.Text))
        if first.startswith("Proof. "):
            first.parent.insert(0, nodes.emphasis("", "Proof. "))
            first.parent.replace(first, nodes.Text(first[len("Proof. ") :]))
    node.replace_self(block)


def is_frame(node) -> bool:
    """The section that sphinx-proof and sphinx-exercise put around a text."""
    return isinstance(node, nodes.section) and not isinstance(node.next_node(), nodes.title)


def printed_claims(app, docname: str, table: LedgerTable) -> list[nodes.Node]:
    printed = []
    for claim, statement in zip(table["claims"], table.children, strict=True):
        head = nodes.paragraph("", "", nodes.strong("", claim["number"]), nodes.Text(" "))
        head += nodes.literal("", claim["id"])
        records = read_records(app, claim["id"]) if claim["status"] == "carried" else []
        found = measured(app, docname, claim, records) if records else nodes.paragraph("", f"open: {place(app, claim)}")
        rows = nodes.container("", found, classes=["measured"])
        printed.append(nodes.container("", head, *statement.children, rows, classes=["ledgerclaim"]))
    return printed


def prepare(app) -> None:
    """The writer, the style file beside the LaTeX source, the edition on the title page."""
    if app.builder.name == "latex":
        app.set_translator("latex", BookTranslator)  # in setup() it would keep the theme from setting its own for HTML
        app.builder.context["release"], app.builder.context["date"] = edition(app.srcdir)
        copy_asset_file(str(Path(__file__).with_name("nntk-book.sty")), app.outdir)
