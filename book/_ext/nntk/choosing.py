"""The directive ``{how-to-choose}``: the library's table of directions, damping rules, routes and losses."""

from __future__ import annotations

import importlib

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective


class HowToChoose(SphinxDirective):
    """One section for each table of ``nntk_lib.book.choosing``, as a list: a phone has no room for four columns."""

    def run(self) -> list[nodes.Node]:
        choosing = importlib.import_module("nntk_lib.book.choosing")
        self.env.note_dependency(choosing.__file__)
        return [self.section(title, choices) for title, choices in choosing.TABLES.items()]

    def section(self, title: str, choices) -> nodes.section:
        name = "choose-" + title.lower().replace(" ", "-").replace("'", "")
        section = nodes.section(ids=[name], names=[name])
        section += nodes.title("", title)
        lines = []
        for choice in choices:
            lines += [f"{{py:obj}}`{choice.name}`", f": {choice.what}.", ""]
            lines += [f"  *Cost*: {choice.cost}. *When*: {choice.when}", ""]
        self.state.nested_parse(StringList(lines, "nntk_lib.book.choosing"), self.content_offset, section)
        return section
