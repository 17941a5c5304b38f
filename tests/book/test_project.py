"""The project's own files agree with each other, and say nothing about the machine they were written on."""

from __future__ import annotations

import ast
import io
import re
import tokenize
import tomllib

import pytest
import yaml
from packaging.requirements import Requirement
from sources import BOOK, ROOT, documents, name_of, tracked_files

import nntk_lib

BINARY = {".png", ".webp", ".ico", ".woff2", ".npz"}
# Written in pieces, so that this file does not match itself.
HOSTS = ["pypi" + ".org", "python" + "hosted.org", "npmjs" + ".org", "npmjs" + ".com", "deb." + "debian.org"]
MACHINE = re.compile(r"(?<![\w.:/-])/(work|tmp|home|root|Users|opt)" + r"/\w")


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def project() -> dict:
    return tomllib.loads(text_of("pyproject.toml"))["project"]


def test_one_version():
    citation = yaml.safe_load(text_of("CITATION.cff"))
    newest = re.search(r"^## (\d+\.\d+\.\d+)", text_of("CHANGELOG.md"), re.MULTILINE)[1]
    assert project()["version"] == nntk_lib.__version__ == citation["version"] == newest


def test_one_repository_address():
    address = yaml.safe_load(text_of("_config.yml"))["repository"]["url"]
    citation = yaml.safe_load(text_of("CITATION.cff"))
    assert address == citation["url"] == citation["repository-code"] == project()["urls"]["Repository"]


def test_one_title_and_author():
    config, citation = yaml.safe_load(text_of("_config.yml")), yaml.safe_load(text_of("CITATION.cff"))
    assert citation["title"].startswith(config["title"])
    assert text_of("README.md").startswith(f"# {config['title']}\n")
    names = {config["author"], citation["authors"][0]["name"], project()["authors"][0]["name"]}
    assert len(names) == 1


def recipe(target: str) -> list[str]:
    """The commands of a target of the Makefile, as one would type them."""
    block = re.search(rf"^{target}:[^\n]*\n((?:\t[^\n]*\n)+)", text_of("Makefile"), re.MULTILINE)[1]
    lines = [line.strip().replace("$(IN)", ".venv/bin/") for line in block.splitlines()]
    return [line for line in lines if not line.startswith("@")]


@pytest.mark.parametrize("target", ["book", "test"])
def test_readme_shows_the_commands_behind(target):
    blocks = re.findall(r"```sh\n(.*?)```", text_of("README.md"), re.DOTALL)
    plain = next(block for block in blocks if f"# make {target}\n" in block)
    shown = plain.split(f"# make {target}\n")[1].split("\n\n")[0].strip().splitlines()
    assert shown == recipe(target)


def test_readme_lists_every_dependency():
    names = [re.match(r"[\w-]+", item)[0].lower() for item in project()["dependencies"]]
    for extra in project()["optional-dependencies"].values():
        names += [re.match(r"[\w-]+", item)[0].lower() for item in extra]
    table = text_of("README.md").split("## Dependencies")[1].split("\n## ")[0]
    assert not [name for name in names if not re.search(rf"\b{re.escape(name)}\b", table)]


def test_recipes_are_a_line_or_two():
    for target in re.findall(r"^([a-z]+):", text_of("Makefile"), re.MULTILINE):
        assert len(recipe(target)) <= 3, target


def test_library_runs_without_the_book_builder():
    """What a kernel needs is in requirements.txt and the runtime dependencies; none of it builds pages."""
    wanted = [line for line in text_of("requirements.txt").splitlines() if line and not line.startswith("#")]
    assert "." in wanted
    assert not re.search("sphinx|jupyter-book|myst-|pytest", " ".join(wanted + project()["dependencies"]))


def test_table_of_contents_lists_every_page():
    listed = set(documents())
    pages = {"book/" + name_of(path) for path in BOOK.glob("**/*") if path.suffix in (".md", ".ipynb")}
    assert listed == {page for page in pages if ".ipynb_checkpoints" not in page}


def test_chapters_come_in_the_order_of_their_numbers():
    chapters = [page for page in documents() if re.match(r"book/\d", page) and not page.endswith("/index")]
    assert len(chapters) > 30 and chapters == sorted(chapters)


@pytest.mark.parametrize("folder", ["nntk_lib", "book/_ext"])
def test_modules_are_short(folder):
    """At most 200 lines of code: without blank lines, comments and docstrings."""
    lengths = {path.relative_to(ROOT).as_posix(): lines_of_code(path) for path in (ROOT / folder).glob("**/*.py")}
    assert len(lengths) >= 10
    assert not {name: lines for name, lines in lengths.items() if lines > 200}


def lines_of_code(path) -> int:
    text = path.read_text(encoding="utf-8")
    shape = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    found = {
        line
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type not in shape
        for line in range(token.start[0], token.end[0] + 1)
    }
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node, clean=False):
            found -= set(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    return len(found)


def test_lines_of_code(tmp_path):
    path = tmp_path / "module.py"
    text = '"""Says\n\nwhat."""\n\nx = 1  # one\n\n# no code\ndef f():\n    """Docs."""\n    return (x,\n  2)\n'
    path.write_text(text)
    assert lines_of_code(path) == 4


# ---- the tested versions ---------------------------------------------------------------------------------


def constraints() -> dict[str, str]:
    """The versions of ``.ci/constraints.txt`` by name, as pip compares names."""
    lines = [line for line in text_of(".ci/constraints.txt").splitlines() if not line.startswith("#")]
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in (line.split("==") for line in lines)}


def test_every_direct_dependency_is_constrained():
    extras = project()["optional-dependencies"]
    wanted = [Requirement(item) for item in [*project()["dependencies"], *extras["book"], *extras["test"]]]
    for item in wanted:
        version = constraints().get(re.sub(r"[-_.]+", "-", item.name).lower())
        assert version and item.specifier.contains(version), f"{item} is not met: run make constraints"


def test_the_environments_are_made_with_the_constraints():
    """`make` and a reader's own commands install the same; only the workflow that tries the newest does not."""
    install = re.search(r"^\t\$\(IN\)python -m (pip install .*'\.\[book,test\]')", text_of("Makefile"), re.MULTILINE)[1]
    plain = install.replace("--quiet ", "").replace("$(PINNED)", "--constraint .ci/constraints.txt")
    assert f".venv/bin/python -m {plain}\n" in text_of("README.md")
    assert "PINNED = $(if $(CONSTRAINTS),--constraint $(CONSTRAINTS))" in text_of("Makefile").splitlines()


@pytest.mark.parametrize("path", tracked_files(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_nothing_of_the_machine(path):
    if path.suffix in BINARY:
        pytest.skip("binary")
    text = path.read_text(encoding="utf-8")
    assert not [host for host in HOSTS if host in text]
    found = MACHINE.search(text)
    assert not found, text[max(0, found.start() - 30) : found.end() + 30]


def test_the_reference_shows_every_room_once():
    pages = [path.read_text(encoding="utf-8") for path in (BOOK / "appendix").glob("library-*.md")]
    shown = [room for text in pages for room in re.search(r"\{library-reference\} (.*)", text)[1].split()]
    inside = (ROOT / "nntk_lib").iterdir()
    rooms = {path.stem for path in inside if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert sorted(shown) == sorted(rooms - {"__init__", "__pycache__"})
