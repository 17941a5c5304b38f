"""Notebooks as readers get them, in JupyterLite and as a download: a reference to another page is a link.

JupyterLab renders the book's directives (jupyterlab-myst), but it knows one notebook at a time: what a role such as
``{ref}`` or ``{cite:t}`` points to on another page has neither a number nor a place there. Here each becomes a link to
the published page, with the text that it has in the book. References within a page are left to JupyterLab, which
numbers each page by itself.

The set-up cell fetches the library of the repository's main branch. On a page it fetches that of the page's own commit,
so that a notebook that was taken along runs with the library it was written for.
"""

from __future__ import annotations

import json
import re
import subprocess
from functools import lru_cache
from pathlib import Path
from urllib.parse import urljoin

from docutils import nodes
from sphinx.addnodes import pending_xref

from .ledger_page import title_of
from .site import site_address

ROLE = re.compile(r"\{(ref|numref|prf:ref|eq|doc|download|cite:[pt])\}`([^`<]*?)(?:\s*<([^`>]+)>)?`")
MAIN = "/archive/main.zip"
BIBLIOGRAPHY = "book/appendix/bibliography"


def reader_notebook(app, docname: str) -> str:
    """The text of a page's notebook with its references to other pages resolved."""
    notebook = json.loads(Path(app.env.doc2path(docname)).read_text(encoding="utf-8"))
    place = f"/archive/{published_commit(app.srcdir) or 'main'}.zip"
    for cell in notebook["cells"]:
        text = "".join(cell["source"]).replace(MAIN, place)
        if cell["cell_type"] == "markdown":
            text = ROLE.sub(lambda match: resolved(app, docname, match), text)
        cell["source"] = text.splitlines(keepends=True)
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


@lru_cache(1)
def published_commit(root: str) -> str:
    """The commit of the sources, if a branch of the remote has it, and nothing otherwise."""
    try:
        ask = lambda *words: subprocess.check_output(["git", *words], cwd=root, text=True, stderr=subprocess.DEVNULL)
        return ask("rev-parse", "HEAD").strip() if ask("branch", "--remotes", "--contains", "HEAD").strip() else ""
    except (OSError, subprocess.CalledProcessError):  # no git, or no repository
        return ""


def resolved(app, docname: str, match: re.Match) -> str:
    """A role as a Markdown link, or as it is when it points into its own page."""
    role, text, target = match[1], match[2], match[3] or match[2]
    if role.startswith("cite"):
        return citations(app, role, target)
    if role == "download":
        repository = app.config.html_theme_options
        path = urljoin(docname, target)
        return f"[{text}]({repository['repository_url']}/blob/{repository['repository_branch']}/{path})"
    domain, kind = {"prf:ref": ("prf", "ref"), "eq": ("math", "eq")}.get(role, ("std", role))
    words = nodes.inline(text, text)
    explicit = match[3] is not None
    node = pending_xref(
        "", words, refdomain=domain, reftype=kind, reftarget=target, refexplicit=explicit, refdoc=docname
    )
    found = app.env.get_domain(domain).resolve_xref(app.env, docname, app.builder, kind, target, node, words)
    if found is None:
        return match[0]  # points nowhere, and Sphinx has said so
    reference = found if isinstance(found, nodes.reference) else found.next_node(nodes.reference)
    here = app.builder.get_target_uri(docname)
    place = urljoin(here, reference.get("refuri") or "#" + reference["refid"])
    if place.startswith(here + "#") and role != "numref":  # JupyterLab does not number the figures of code cells
        return match[0]
    return f"[{found.astext()}]({site_address(app.config)}{place})"


def citations(app, role: str, keys: str) -> str:
    entries = app.env.get_domain("cite").bibdata.data.entries  # parsed once, by sphinxcontrib-bibtex
    place = site_address(app.config) + app.builder.get_target_uri(BIBLIOGRAPHY)
    links = ", ".join(f"[{title_of(entries[key.strip()])}]({place})" for key in keys.split(","))
    return f"({links})" if role == "cite:p" else links
