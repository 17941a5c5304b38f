"""Numbers of parts and chapters are what the folders and files say, whatever is not written yet.

``book/6-synthesis/05-how-fast`` is 6.5; the companion page of a chapter, ``05-how-fast-measured``, is 6.5b, and so are
its figures, equations and statements.
"""

from __future__ import annotations

import re
from functools import wraps

from docutils import nodes
from sphinx_external_toc.collectors import TocTreeCollectorWithStyles as Collector

PLACE = re.compile(r"book/(\d)-[a-z-]+/(?:index|(\d\d)-[a-z0-9-]+?(-measured)?)")


def number_of(docname: str) -> tuple | None:
    """(6, 5) of a chapter, (6,) of a part's first page, (6, "5b") of a companion; None of any other page."""
    place = PLACE.fullmatch(docname)
    if place is None:
        return None
    part, chapter, companion = int(place[1]), place[2], place[3]
    if chapter is None:
        return (part,)
    return (part, f"{int(chapter)}b") if companion else (part, int(chapter))


def take_over(app) -> None:
    """Pages are numbered in their order; what Sphinx numbers afterwards is to use ours."""
    ordered = Collector.assign_section_numbers
    if getattr(ordered, "of_folders", False):
        return

    @wraps(ordered)
    def assign(self, env):
        numbers = {name: number for name in env.found_docs if name in env.tocs and (number := number_of(name))}
        for docname in numbers:  # what an earlier build left: the collector would take it for its own
            for node in (env.titles[docname], *env.tocs[docname].findall(nodes.reference)):
                node.attributes.pop("secnumber", None)
        changed = ordered(self, env)
        for docname, number in numbers.items():
            anchors = env.toc_secnumbers.get(docname, {})
            env.toc_secnumbers[docname] = {**dict.fromkeys(anchors), "": number}  # headings have none
            env.titles[docname]["secnumber"] = number
            title, *headings = env.tocs[docname].findall(nodes.reference)
            title["secnumber"] = number
            for heading in headings:
                heading.attributes.pop("secnumber", None)
        return changed

    assign.of_folders = True
    Collector.assign_section_numbers = assign
