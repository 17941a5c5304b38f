"""Repairs of the pages for screen readers, keyboards, and browsers that do not store; book/_static has the others."""

from __future__ import annotations

from functools import wraps

from docutils import nodes

REPAIRS = {
    'role="doc-biblioentry"': 'role="listitem"',  # the items of a list
    '<th class="head"><p></p></th>': "<td></td>",  # the corner of a table heads nothing
    '<summary aria-label="Toggle hidden content">': "<summary>",  # it is named by what it shows
}


def repair_page(app, pagename, templatename, context, doctree) -> None:
    """Roles and names in the text; names for the theme's folding triangles; the page's own entry; a storage."""
    storage = context["pathto"]("_static/storage.js", resource=True)
    first = f'<script src="{storage}"></script>'  # before the theme's own
    context["metatags"] = first + context.get("metatags", "")
    for old, new in REPAIRS.items():
        context["body"] = context.get("body", "").replace(old, new)
    sidebar = context.get("generate_toctree_html")
    if sidebar is None:
        return

    @wraps(sidebar)
    def with_names(*args, **options):
        soup = sidebar(*args, **options)
        for summary in soup.find_all("summary"):
            entry = summary.find_parent("li").find("a")
            summary["aria-label"] = f"Pages of {entry.get_text(strip=True)}"
        for entry in soup.select("li.active > a.current"):
            entry["aria-current"] = "page"
        return soup

    context["generate_toctree_html"] = with_names


def unique_ids(app, doctree, docname) -> None:
    """Keep the first of equal ids: sphinx-proof and sphinx-exercise give one to many sections of a page."""
    if app.builder.name == "latex":  # there all pages are one document, and an id goes with its page's name
        return
    seen = set()
    for node in doctree.findall(nodes.Element):
        if isinstance(node, nodes.section) or "proof" in node.get("ids", []):
            node["ids"] = [name for name in node["ids"] if name not in seen]
        seen.update(node.get("ids", []))
