"""The book's own Sphinx extension, so that a plain ``jupyter-book build .`` does the right thing.

Each module has one job; here is what they do, in the order in which a build does it.

preflight     what a build needs is there
environment   what the chapters' kernels inherit          site      addresses, descriptions, cards, what has moved
reruns        which pages are read, and so run, again     access    repairs for screen readers and keyboards
execution     runs the chapters, on every core            search    statements are found by their numbers
form          what cells become on a page                 numbers   of parts and chapters, as the folders have them
ledger_page   the pages of the ledger (``faults_page``)  offline   MathJax from this site; the zip
reference     the directive ``{library-reference}``       lite      JupyterLite (``notebooks``: what readers get there)
choosing      the directive ``{how-to-choose}``           latex     the printed book (``latex_writer``)
"""

from __future__ import annotations

from . import (
    access,
    choosing,
    environment,
    execution,
    faults_page,
    latex,
    ledger_page,
    lite,
    numbers,
    offline,
    preflight,
    reference,
    reruns,
    search,
    site,
)

# Handlers run in this order; with a priority below 500 before those of other extensions, above it after them.
EVENTS = [
    ("config-inited", preflight.check_path, 300),
    ("config-inited", lite.configure, 400),
    ("config-inited", site.configure, 500),
    ("builder-inited", preflight.check_wheels, 400),
    ("builder-inited", environment.prepare, 500),
    ("builder-inited", offline.copy_mathjax, 500),
    ("builder-inited", latex.prepare, 500),
    ("builder-inited", numbers.take_over, 500),
    ("env-get-outdated", reruns.outdated_pages, 500),
    ("env-before-read-docs", reruns.forget_records, 500),
    ("env-before-read-docs", execution.run_notebooks, 500),
    ("env-purge-doc", ledger_page.purge, 500),
    ("source-read", execution.with_outputs, 500),
    ("autodoc-process-docstring", reference.keep_formulas, 400),  # before napoleon, as the next one
    ("autodoc-process-docstring", reference.escape_bars, 400),
    ("missing-reference", reference.resolve_docstring_name, 500),
    ("doctree-resolved", latex.arrange, 400),  # before the ledger's table is filled in
    ("doctree-resolved", ledger_page.resolve, 500),
    ("doctree-resolved", access.unique_ids, 900),
    ("html-page-context", site.describe_page, 900),  # after the theme, as the next two
    ("html-page-context", access.repair_page, 900),
    ("html-page-context", lite.relative_links, 900),
    ("html-collect-pages", site.write_files, 500),
    ("html-collect-pages", search.name_statements, 500),
    ("build-finished", lite.build, 400),
    ("build-finished", execution.write_times, 500),
    ("build-finished", reruns.forget_failed_build, 500),
    ("build-finished", offline.write_zip, 999),
]


def connect(app, *modules) -> None:
    """The handlers of some of the modules, without any of all."""
    for event, handler, priority in EVENTS:
        if not modules or handler.__module__ in [module.__name__ for module in modules]:
            app.connect(event, handler, priority)


def setup(app) -> dict:
    app.add_config_value("redirects", {}, "html", dict)
    app.setup_extension("sphinx.ext.githubpages")  # .nojekyll
    before = app.registry.css_files.copy(), app.registry.js_files.copy()
    app.setup_extension("jupyterlite_sphinx")
    # What it adds to every page serves directives we do not use, and one of them is a font from another site.
    app.registry.css_files, app.registry.js_files = before
    lite.take_over(app)
    connect(app)
    for node in (ledger_page.LedgerSummary, ledger_page.LedgerTable, latex.PrintBlock):
        app.add_node(node)
    app.add_directive("claims-ledger", ledger_page.ClaimsLedger)
    app.add_directive("claims-corrections", ledger_page.ClaimsCorrections)
    app.add_directive("faults", faults_page.Faults)
    app.add_directive("library-reference", reference.LibraryReference)
    app.add_directive("how-to-choose", choosing.HowToChoose)
    app.add_post_transform(latex.PrintOutputs)
    return {"version": "1", "env_version": 2, "parallel_read_safe": False, "parallel_write_safe": True}
