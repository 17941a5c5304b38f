"""A way to open a page with every foreign request blocked, and with every error kept; the zip, unpacked."""

from __future__ import annotations

import zipfile
from contextlib import contextmanager

import pytest


@pytest.fixture(scope="session")
def unpacked(html, tmp_path_factory):
    """The zip of the whole site as a reader has it on a disk: the address of its one folder."""
    folder = tmp_path_factory.mktemp("disk with a space")
    zipfile.ZipFile(html / "nntk-book.zip").extractall(folder)
    (top,) = folder.iterdir()
    return top.as_uri()


@pytest.fixture(scope="session")
def open_page(site, browser):
    """``open_page(name)``: a context that gives the loaded page; foreign requests and errors fail on exit.

    With another root than the local server's, which is a disk then, the browser is offline. ``before`` is a script that
    runs before those of every page.
    """

    def answer(route, root, problems):
        url = route.request.url
        if url.startswith(root) or url.startswith(("data:", "blob:")):
            route.continue_()
        else:
            problems.append(f"foreign request: {url}")
            route.abort()

    def complain(message, problems):
        if message.type in ("error", "warning"):
            problems.append(f"console {message.type}: {message.text}")

    @contextmanager
    def opened(name: str, root: str = site, before: str = ""):
        problems: list[str] = []
        screen = {"width": 1280, "height": 800}
        context = browser.new_context(viewport=screen, color_scheme="light", offline=root != site)
        if before:
            context.add_init_script(before)
        page = context.new_page()
        page.on("pageerror", lambda error: problems.append(f"error: {error}"))
        page.on("console", lambda message: complain(message, problems))
        page.on("response", lambda r: problems.append(f"{r.status}: {r.url}") if r.status >= 400 else None)
        context.route("**/*", lambda route: answer(route, root, problems))
        page.goto(f"{root}/{name}.html", wait_until="load")
        page.wait_for_function("() => !document.querySelector('.math') || window.MathJax?.startup?.promise")
        page.evaluate("() => window.MathJax?.startup?.promise.then(() => true)")
        try:
            yield page
        finally:
            context.close()
        assert not problems, f"{name}:\n" + "\n".join(problems)

    return opened
