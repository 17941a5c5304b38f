"""A way to open a page with every foreign request blocked, and with every error kept."""

from __future__ import annotations

import importlib.util
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from sources import ROOT


@pytest.fixture(scope="session")
def mathjax_files() -> tuple[str, Path]:
    """Where MathJax is loaded from, and the same release on disk (the browser checks its hash)."""
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["sphinx"]["config"]
    package = Path(importlib.util.find_spec("sphinx-mathjax-offline").origin).parent
    return config["mathjax_path"].rsplit("/", 1)[0] + "/", package / "static" / "mathjax"


@pytest.fixture(scope="session")
def open_page(site, browser, mathjax_files):
    """``open_page(name)``: a context that gives the loaded page; foreign requests and errors fail on exit."""
    address, folder = mathjax_files

    def answer(route, problems):
        url = route.request.url
        if url.startswith(site) or url.startswith(("data:", "blob:")):
            route.continue_()
        elif url.startswith(address) and (folder / url.removeprefix(address)).is_file():
            headers = {"Access-Control-Allow-Origin": "*"}
            route.fulfill(path=folder / url.removeprefix(address), headers=headers)
        else:
            problems.append(f"foreign request: {url}")
            route.abort()

    def complain(message, problems):
        if message.type in ("error", "warning"):
            problems.append(f"console {message.type}: {message.text}")

    @contextmanager
    def opened(name: str):
        problems: list[str] = []
        context = browser.new_context(viewport={"width": 1280, "height": 800}, color_scheme="light")
        page = context.new_page()
        page.on("pageerror", lambda error: problems.append(f"error: {error}"))
        page.on("console", lambda message: complain(message, problems))
        page.on("response", lambda r: problems.append(f"{r.status}: {r.url}") if r.status >= 400 else None)
        context.route("**/*", lambda route: answer(route, problems))
        page.goto(f"{site}/{name}.html", wait_until="load")
        page.wait_for_function("() => !document.querySelector('.math') || window.MathJax?.startup?.promise")
        page.evaluate("() => window.MathJax?.startup?.promise.then(() => true)")
        try:
            yield page
        finally:
            context.close()
        assert not problems, f"{name}:\n" + "\n".join(problems)

    return opened
