"""Search finds statements and exercises by name.

Sphinx's search index lists titles with their places; a statement's title there is only what stands in its brackets.
Here it becomes the whole name, as in "Theorem 2.3.3 (Convergence in the infinite-width limit)", and
``book/_static/search.js`` finds titles by their words.
"""

from __future__ import annotations


def name_statements(app) -> list:
    """Complete the titles in the index, after the last page and before the index is written."""
    if app.builder.format != "html":
        return []
    statements, titles = getattr(app.env, "proof_list", {}), app.builder.indexer._all_titles
    for docname, counters in app.env.toc_fignumbers.items():
        names = {
            label: f"{statements.get(label, {}).get('realtype', counter).title()} {'.'.join(map(str, number))}"
            for counter, numbers in counters.items()
            for label, number in numbers.items()
        }
        titles[docname] = [
            (with_name(names[place], title) if place in names else title, place)
            for title, place in titles.get(docname, [])
        ]
    return []


def with_name(name: str, title: str) -> str:
    """A title that an earlier build completed is completed anew: the number may have changed."""
    return name + " " + title[title.index("(") :] if "(" in title else name
