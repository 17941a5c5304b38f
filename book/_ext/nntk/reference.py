"""The library reference: the directive ``{library-reference} room ...``, and how names in docstrings are understood."""

from __future__ import annotations

import builtins
import importlib
import re
from pathlib import Path

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective


class LibraryReference(SphinxDirective):
    """One section for each module of some rooms of ``nntk_lib``, from its docstrings."""

    required_arguments, final_argument_whitespace = 1, True

    def run(self) -> list[nodes.Node]:
        root, holder = Path(self.env.srcdir), nodes.container()
        for path in modules(root / "nntk_lib", self.arguments[0].split()):
            self.env.note_dependency(str(path))
            holder += self.section(".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__"))
        return holder.children

    def section(self, name: str) -> nodes.section:
        """A package shows what is defined in it, and not what it takes from its modules, which have their own."""
        module = importlib.import_module(name)
        section = nodes.section(ids=["module-page-" + name.replace(".", "-").replace("_", "-")], names=[name])
        section += nodes.title("", "", nodes.literal("", name))
        lines = ["```{eval-rst}", f".. automodule:: {name}", "   :members:", "```"]
        if hasattr(module, "__path__"):
            lines.insert(3, "   :ignore-module-all:")
        self.state.nested_parse(StringList(lines, name), self.content_offset, section)
        return section


def modules(library: Path, rooms: list[str]) -> list[Path]:
    """The files of the public modules of some rooms, in the order of these."""
    found = []
    for path in library.glob("**/*.py"):
        room, *inner = parts = path.relative_to(library).with_suffix("").parts
        if room not in rooms or inner[-1:] == ["__init__"] and path.stat().st_size == 0:
            continue
        if not any(part.startswith("_") for part in parts if part != "__init__"):
            found.append((rooms.index(room), parts, path))
    return [path for *_, path in sorted(found)]


def keep_formulas(app, what, name, obj, options, lines: list[str]) -> None:
    """What a module's text sets off by indentation, formulas and tables, is shown as it is written."""
    if what != "module":
        return
    found, above = [], ""  # the first line of the paragraph above
    for i, line in enumerate(lines):
        opens = not line[:4].strip() and line.strip() and i and not lines[i - 1].strip()
        if opens and above and not re.match(r"\s|[-*] |\d+\. ", above) and not last_of(found).endswith("::"):
            found += ["::", ""]
        if line.strip() and (not i or not lines[i - 1].strip()):
            above = line
        found.append(line)
    lines[:] = found


def last_of(lines: list[str]) -> str:
    return next((line.rstrip() for line in reversed(lines) if line.strip()), "")


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
        domain = app.builder.env.get_domain("py")
        resolved = domain.resolve_xref(env, node["refdoc"], app.builder, node["reftype"], name, node, contnode)
        if resolved is not None:  # else a word of a type described in prose, and the name of an attribute
            return resolved
    prose = node["reftype"] == "class" and not target.startswith("nntk_lib")
    return contnode if prose or hasattr(builtins, target) else None
