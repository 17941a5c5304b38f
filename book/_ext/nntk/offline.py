"""The book without a network: MathJax from this site, and the whole site as one zip.

MathJax comes from the package sphinx-mathjax-offline, which holds the npm release byte for byte. The package's own
extension copies all 24 MB; without MathJax's menu, a page can only ask for what is named in ``WANTED``.
"""

from __future__ import annotations

import re
import shutil
import zipfile
from importlib.util import find_spec
from pathlib import Path

from .site import site_address

MATHJAX = "mathjax"  # below _static, as in mathjax_path
WANTED = ("tex-mml-chtml.js", "output/chtml/fonts/woff-v2/*.woff", "input/tex/extensions/*.js")
ZIP = "nntk-book.zip"
LEFT_OUT = ("lite/", "_images/cards/", ZIP, ".buildinfo")  # JupyterLite cannot run from a disk
ONLINE = re.compile(r'(href=")(?:\./|(?:\.\./)+)?(lite/|' + re.escape(ZIP) + ")")
DATE = (1980, 1, 1, 0, 0, 0)  # of every file, so that equal pages give an equal zip


def copy_mathjax(app) -> None:
    """Before the first page is written: Sphinx takes a script's hash for its address."""
    if app.builder.format != "html":
        return
    package = Path(find_spec("sphinx-mathjax-offline").origin).parent / "static" / "mathjax"
    for source in (path for pattern in WANTED for path in package.glob(pattern)):
        target = Path(app.outdir) / "_static" / MATHJAX / source.relative_to(package)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)


def write_zip(app, exception) -> None:
    """Last of all: what the others wrote is in it, and what needs a server points to the published book."""
    if exception is not None or app.builder.name != "html":
        return
    root, address = Path(app.outdir), site_address(app.config)
    files = [path for path in sorted(root.glob("**/*")) if path.is_file()]
    with zipfile.ZipFile(root / ZIP, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in files:
            name = path.relative_to(root).as_posix()
            if name.startswith(LEFT_OUT) or path.suffix == ".map":
                continue
            content = path.read_bytes()
            if path.suffix == ".html":
                content = ONLINE.sub(rf"\g<1>{address}\2", content.decode()).encode()
            entry = zipfile.ZipInfo(f"{Path(ZIP).stem}/{name}", DATE)
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED)
