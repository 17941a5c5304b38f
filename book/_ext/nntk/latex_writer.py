"""Sphinx's LaTeX writer with the headings of a book and the numbers of the site; used by ``latex``."""

from __future__ import annotations

from docutils import nodes
from sphinx import addnodes
from sphinx.writers.latex import LaTeXTranslator

LEVELS = ("chapter", "section", "subsection", "subsubsection", "paragraph")
COUNTED = {"figure": r"\thefigure", "table": r"\thetable"}


class PrintBlock(nodes.Admonition, nodes.Element):
    """A statement, a proof, an exercise or a solution; printed in the LaTeX environment `env`."""


class BookTranslator(LaTeXTranslator):
    """Takes numbers from Sphinx's records of the site, and writes them where TeX would count."""

    def number(self, counter: str, node) -> str:
        numbers = self.builder.env.toc_fignumbers.get(self.curfilestack[-1], {}).get(counter, {})
        return next((".".join(map(str, numbers[name])) for name in node["ids"] if name in numbers), "")

    def visit_title(self, node) -> None:
        section = node.parent
        if isinstance(section, PrintBlock):
            kind = f"{section['kind'].title()} {self.number(section['counter'], section)}" if section["kind"] else ""
            labels = "".join(rf"\label{{{name}}}" for name in section["labels"])
            self.body.append("{" + self.hypertarget_to(section, anchor=True) + labels + kind)
            self.context.append("}\n")
        elif isinstance(section, nodes.section) and not self.this_is_the_title:
            self.visit_heading(section)
        else:
            super().visit_title(node)
            return
        self.in_title = 1

    def visit_heading(self, section) -> None:
        depth, page = 0, section
        while not isinstance(page.parent, (addnodes.start_of_file, nodes.document)):
            depth, page = depth + isinstance(page, nodes.section), page.parent
        level = LEVELS[min(depth, len(LEVELS) - 1)]
        if depth == 0:
            number = self.builder.env.toc_secnumbers.get(self.curfilestack[-1], {}).get("", ())
            level = "part" if len(number) == 1 else "chapter"
            self.body.append(rf"\nntknumber{{{level}}}{{{'.'.join(map(str, number))}}}")
        self.body.append(rf"\{level}{{")
        self.context.append("}\n" + self.hypertarget_to(section))

    def visit_math_block(self, node) -> None:
        start = len(self.body)
        try:
            super().visit_math_block(node)
        finally:
            number = self.number("displaymath", node) if node.get("label") else ""
            if number:
                self.body[start] = self.body[start].replace(r"\label{", rf"\tag{{{number}}}\label{{", 1)

    def visit_figure(self, node) -> None:
        self.set_number("figure", node)
        super().visit_figure(node)

    def visit_table(self, node) -> None:
        self.set_number("table", node)
        if isinstance(node[0], nodes.title):
            self.body.append(r"\needspace{15\baselineskip}" + "\n")  # the caption stays with the table
        super().visit_table(node)

    def set_number(self, counter: str, node) -> None:
        self.body.append(rf"\renewcommand{{{COUNTED[counter]}}}{{{self.number(counter, node)}}}" + "\n")

    def visit_caption(self, node) -> None:
        super().visit_caption(node)
        if "explorer" in node.parent.get("classes", []):  # has no number on the site either
            self.body[-1] = r"\caption*{"

    def visit_PrintBlock(self, node) -> None:
        self.body.append("\n" + rf"\begin{{{node['env']}}}")
        if not isinstance(node[0], nodes.title):
            self.body.append("{}")
        self.no_latex_floats += 1

    def depart_PrintBlock(self, node) -> None:
        self.body.append(rf"\end{{{node['env']}}}" + "\n")
        self.no_latex_floats -= 1
