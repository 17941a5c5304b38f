"""The form of a page: what a notebook's cells become between their run and the page.

* Cells that stand together and are tagged ``hide-input`` show their outputs, in order, and then all their code in ONE
  fold. So a page that begins with a sentence and the cells of an explorer has the explorer under the sentence.
* The checks of a claim become one badge, where the page checks it first; it opens to the measurements.
* A figure gets its alternative text and the numbers of its caption.

What an output is, it says itself, in its metadata (``nntk_lib.book``); nothing is read out of HTML.
"""

from __future__ import annotations

import html
import itertools
import posixpath

import nbformat
from nbformat import NotebookNode

LEDGER = "book/appendix/ledger"
ROOM = "At 100 % of its room a measurement would be at the edge of failing; where a bound is attained, it is."
FOLDED, GONE = "hide-input", "remove-cell"


def arrange(notebook: NotebookNode, docname: str, claims: dict[str, dict]) -> NotebookNode:
    """The notebook with its cells as the page shows them."""
    checks: dict[str, list[dict]] = {}
    made = []
    for is_code, cells in itertools.groupby(notebook.cells, key=lambda cell: cell.cell_type == "code"):
        run = list(cells)
        made += arranged(run, checks) if is_code else run
    for cell in made:
        if places := cell.metadata.pop("nntk_badges", None):
            badges = "\n".join(badge(docname, claims.get(name, {}), checks[name]) for name in places)
            lines = "\n".join(printed(claims.get(name, {}), checks[name]) for name in places)
            bundle = {"text/html": f'<div class="nntk-badges">\n{badges}\n</div>', "text/markdown": lines}
            cell.outputs = [nbformat.v4.new_output("display_data", bundle)]
    notebook.cells = made
    return notebook


def arranged(run: list[NotebookNode], checks: dict[str, list[dict]]) -> list[NotebookNode]:
    """Neighbouring code cells: shown ones as they are, of folded ones the outputs, and one fold at the end."""
    made, folded = [], []
    for cell in run:
        tags = cell.metadata.get("tags", [])
        if GONE in tags:
            made.append(cell)
            continue
        new, outputs = [], []
        for output in cell.outputs:
            data = output.get("metadata", {}).get("nntk", {})
            if data.get("kind") == "check":
                found = checks.setdefault(data["record"]["id"], [])
                new += [] if found else [data["record"]["id"]]
                found.append(data["record"])
            elif data.get("kind") == "caption":
                fill_caption(cell, data["values"])
            else:
                outputs.append(output)
                if data.get("kind") == "explorer":
                    cell.metadata["nntk"] = data  # for the printed book
        for output in outputs:
            describe(output, cell.metadata.get("mystnb", {}).get("image", {}).get("alt", ""))
        cell.outputs = outputs
        if FOLDED in tags:
            folded.append(cell.source)
            cell.metadata["tags"] = ["remove-input"]
            made += [cell] if outputs else []
        else:
            made.append(cell)
        if new:
            made.append(piece(cell, "badges", "# what was checked", tags=["remove-input"], nntk_badges=new))
    if folded:
        made.append(piece(run[0], "code", "\n\n".join(folded), tags=[FOLDED]))
    return made


def piece(cell: NotebookNode, name: str, source: str, **metadata) -> NotebookNode:
    return nbformat.v4.new_code_cell(source, id=f"{cell.id}-{name}"[:64], metadata=metadata)


def fill_caption(cell: NotebookNode, values: dict[str, str]) -> None:
    figure = cell.metadata.get("mystnb", {}).get("figure", {})
    for name, value in values.items():
        figure["caption"] = figure.get("caption", "").replace(f"{{{name}}}", value)


def describe(output: NotebookNode, alt: str) -> None:
    """The alternative text of a figure that is drawn as SVG."""
    text, start = output.get("data", {}).get("text/html", ""), '<div class="nntk-picture"'
    if text.startswith(start):
        output.data["text/html"] = f'{start} role="img" aria-label="{html.escape(alt)}"{text.removeprefix(start)}'


# ---- badges ----------------------------------------------------------------------------------------------


def badge(docname: str, claim: dict, records: list[dict]) -> str:
    """The checks of one claim on one page: a line that opens to the measurements."""
    name = records[0]["id"]
    fails = not all(record["ok"] for record in records)
    link = posixpath.relpath(LEDGER, posixpath.dirname(docname)) + ".html#" + ledger_id(name)
    return (
        f'<details class="nntk-badge{" nntk-fails" if fails else ""}"><summary title="{ROOM}">'
        f"<b>{html.escape(claim.get('number', name))}</b> {'does not hold' if fails else 'checked'}: "
        f"{html.escape(summary_of(records))}</summary>\n{measurements(records)}\n"
        f'<p><a href="{link}">In the ledger</a>: <code>{name}</code></p></details>'
    )


def summary_of(records: list[dict]) -> str:
    """How many measurements, and how much of its room the tightest of them used."""
    from nntk_lib.book.ledger import used_text

    count = f"{len(records)} measurement{'s' * (len(records) > 1)}"
    known = [record for record in records if used_text(record)]
    tightest = max(known, key=lambda record: float(record["used"]), default=None)
    return count if tightest is None else f"{count}, tightest uses {used_text(tightest)} of its room"


def measurements(records: list[dict]) -> str:
    """A list with one line for each measurement, each with the anchor that the ledger links to."""
    lines = [f'<li id="{record["anchor"]}">{html.escape(sentence(record))}</li>' for record in records]
    return "<ul>" + "\n".join(lines) + "</ul>"


def sentence(record: dict) -> str:
    """What was measured, and what was claimed: "update over its bound: 0.31 ≤ 1 (31 % of its room)"."""
    from nntk_lib.book.ledger import SIGNS, bound_text, used_text

    note = f"{record['note']}: " if record.get("note") else ""
    measured = f"{float(record['measured']):.3g} {SIGNS[record['relation']]} {bound_text(record)}"
    return note + measured.replace("-", "\N{MINUS SIGN}") + used_text(record, " ({} of its room)")


def printed(claim: dict, records: list[dict]) -> str:
    """The badge on paper, where nothing opens: Markdown."""
    return f"*{claim.get('number', records[0]['id'])}*, checked: {summary_of(records)}.\n"


def ledger_id(claim_id: str) -> str:
    return "ledger-" + claim_id.replace("/", "-")
