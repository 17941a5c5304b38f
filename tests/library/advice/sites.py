"""Where the sources say something: every message of an exception or a warning, found in the syntax tree."""

from __future__ import annotations

import ast
import traceback
import warnings
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

import nntk_lib

ROOT = Path(nntk_lib.__file__).parent
#: Checks with an example of what would be right: the message is made where they are called.
EXAMPLES = ("instance", "having", "function")


@dataclass(frozen=True)
class Site:
    """One message: its file, its lines, and its constant text, with {} for what is filled in."""

    file: str
    first: int
    last: int
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.first} {self.text[:90]}"


def template(node: ast.AST) -> str:
    """The constant text of an expression."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(template(part) for part in node.values)
    return "{}"


@cache
def sites() -> tuple[Site, ...]:
    """All messages of the library."""
    found = []
    for path in sorted(ROOT.rglob("*.py")):
        file = str(path.relative_to(ROOT))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            call = node.exc if isinstance(node, ast.Raise) else node
            if not isinstance(call, ast.Call) or not call.args:
                continue
            name = getattr(call.func, "id", getattr(call.func, "attr", ""))
            if isinstance(node, ast.Raise) and not (file == "exceptions.py" and "{example}" in ast.unparse(call)):
                found.append(Site(file, node.lineno, node.end_lineno, template(call.args[0])))
            elif name == "warn" and file != "exceptions.py" or name == "warn" and template(call.args[0]) != "{}":
                found.append(Site(file, node.lineno, node.end_lineno, template(call.args[0])))
            elif isinstance(node, ast.Call) and name in EXAMPLES and file != "exceptions.py" and len(call.args) > 2:
                found.append(Site(file, node.lineno, node.end_lineno, f"Try {template(call.args[-1])}."))
    return tuple(found)


def said_by(function) -> tuple[str, Site]:
    """Call it; the message that it ends with, which may be a warning, and where that was made."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("error")
        try:
            function()
        except Exception as error:
            frames = [
                frame
                for frame in traceback.extract_tb(error.__traceback__)
                if Path(frame.filename).is_relative_to(ROOT)
            ]
            message = str(error)
        else:
            raise AssertionError("nothing was raised")
    assert frames, f"not an error of the library: {message}"
    frame = frames[-1]
    if frame.name in (*EXAMPLES, "warn") and frame.filename.endswith("exceptions.py"):
        frame = frames[-2]
    file = str(Path(frame.filename).relative_to(ROOT))
    here = [site for site in sites() if site.file == file and site.first <= frame.lineno <= site.last]
    fits = [site for site in here if all(part in message for part in site.text.split("{}"))]
    assert fits, f"{file}:{frame.lineno} is not a message of the library: {message}"
    return message, min(fits, key=lambda site: site.last - site.first)
