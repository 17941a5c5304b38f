"""What the published pages say of themselves.

* Where they are: ``site_address`` derives the book's address from ``repository.url`` of ``_config.yml``.
* Each page's canonical address, description, and what a link to it shows elsewhere (Open Graph, with a picture made of
  the page's title and first figure).
* The edition (``CITATION.cff``), in the place of ``{version}``, ``{date}`` and ``{changelog}`` in the footer.
* sitemap.xml, robots.txt, .nojekyll, 404.html, and a page that redirects for every page that has moved (``redirects``:
  old name to new name, both without suffix).
"""

from __future__ import annotations

import datetime
import re
import textwrap
from html import escape, unescape
from pathlib import Path
from string import Template
from urllib.parse import urlsplit

import matplotlib
import yaml
from docutils import nodes
from PIL import Image, ImageDraw, ImageFont, ImageOps
from sphinx.util import logging
from sphinx.util.osutil import relative_uri

logger = logging.getLogger(__name__)

SHORTEST, LONGEST = 40, 210  # characters of a description
FORMULA = "\N{REPLACEMENT CHARACTER}"  # stands for a formula in a text
CARDS, CARD = "_images/cards", (1200, 630)
INK, GREY, ACCENT = "#222832", "#59626e", "#176de8"

SITEMAP = Template("""<?xml version="1.0" encoding="utf-8"?>
<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">
$places
</urlset>
""")


def site_address(config) -> str:
    """Where the book is published, with a final slash: ``html_baseurl``, or else on GitHub Pages."""
    if config.html_baseurl:
        return config.html_baseurl.rstrip("/") + "/"
    owner, name = urlsplit(config.html_theme_options["repository_url"]).path.strip("/").split("/")
    host = f"{owner.lower()}.github.io"
    return f"https://{host}/" if name.lower() == host else f"https://{host}/{name}/"


def edition(folder) -> tuple[str, str]:
    """Version and date of the edition, as in ("1.0.0", "5 March 2027")."""
    citation = yaml.safe_load((Path(folder) / "CITATION.cff").read_text(encoding="utf-8"))
    date = datetime.date.fromisoformat(str(citation["date-released"]))
    return str(citation["version"]), f"{date.day} {date:%B %Y}"


def configure(app, config) -> None:
    """Before anything is written: the address, from which Sphinx makes the canonical links, and the footer."""
    config.html_baseurl = site_address(config)
    options = config.html_theme_options
    if "{version}" in options.get("extra_footer", ""):
        version, date = edition(app.srcdir)
        changelog = f"{options['repository_url']}/blob/{options['repository_branch']}/CHANGELOG.md"
        for name, value in (("version", version), ("date", date), ("changelog", changelog)):
            options["extra_footer"] = options["extra_footer"].replace(f"{{{name}}}", value)


# ---- each page -------------------------------------------------------------------------------------------


def describe_page(app, pagename, templatename, context, doctree) -> None:
    """Add what search engines and links elsewhere show of a page."""
    if pagename == app.config.root_doc:
        context["docstitle"] = ""  # the page's own title is the book's
    if doctree is None or app.builder.name != "html":
        return
    title, text = unescape(re.sub("<.*?>", "", context["title"])), description(doctree)
    if len(text) < SHORTEST:
        logger.warning("no description: the page does not start with a plain sentence", location=pagename)
    picture, alt = first_picture(app, pagename)
    card = f"{CARDS}/{pagename.replace('/', '-')}.png"
    draw_card(Path(app.outdir) / card, title, text, picture, app.config.project)
    tags = {
        "og:type": "website" if pagename == app.config.root_doc else "article",
        "og:site_name": app.config.project,
        "og:title": title,
        "og:description": text,
        "og:url": context["pageurl"],
        "og:image": app.config.html_baseurl + card,
        "og:image:width": str(CARD[0]),
        "og:image:height": str(CARD[1]),
        "og:image:alt": f"{title}. {alt or text}",
    }
    lines = [f'<meta property="{name}" content="{escape(value)}" />' for name, value in tags.items()]
    lines.append(f'<meta name="description" content="{escape(text)}" />')
    lines.append('<meta name="twitter:card" content="summary_large_image" />')
    context["metatags"] += "\n" + "\n".join(lines) + "\n"


def description(doctree) -> str:
    """The page's first sentence; when it is long or has a formula, its clauses before that."""
    section = doctree.next_node(nodes.section)
    paragraph = next((child for child in section.children if isinstance(child, nodes.paragraph)), ())
    pieces = [FORMULA if child.next_node(nodes.math, include_self=True) else child.astext() for child in paragraph]
    text = " ".join("".join(pieces).split())
    sentence = re.match(r".+?[.?!](?=$| [A-Z])", text)
    if sentence and len(sentence[0]) <= LONGEST and FORMULA not in sentence[0]:
        return sentence[0]
    head = text.split(FORMULA)[0][:LONGEST]
    for mark in ("[;:]", ","):
        ends = [found.start() for found in re.finditer(rf"{mark}(?=\s)", head) if found.start() >= SHORTEST]
        if ends:
            return head[: ends[-1]] + "."
    return ""


def first_picture(app, pagename) -> tuple[Path | None, str]:
    """The first picture that the page computes, and its alternative text."""
    for image in app.env.get_doctree(pagename).findall(nodes.image):  # as read: an explorer still has its picture
        if image.parent.get("mime_type") == "image/png":
            beside = "".join(raw.astext() for raw in image.parent.parent.findall(nodes.raw))
            found = re.search(r'class="nntk-picture"(?: role="img" aria-label|><img [^>]*?alt)="(.*?)"', beside)
            return Path(app.srcdir, image["uri"]), unescape(found[1]) if found else image.get("alt", "")
    return None, ""


def draw_card(path: Path, title: str, text: str, picture: Path | None, book: str) -> None:
    """The picture of a link: the title above the page's first figure, or above its description."""
    fonts = Path(matplotlib.get_data_path(), "fonts", "ttf")
    bold, normal, small = (
        ImageFont.truetype(fonts / name, size)
        for name, size in (("DejaVuSans-Bold.ttf", 42), ("DejaVuSans.ttf", 34), ("DejaVuSans.ttf", 24))
    )
    card = Image.new("RGB", CARD, "white")
    draw = ImageDraw.Draw(card)
    draw.rectangle((0, 0, CARD[0], 10), fill=ACCENT)
    heading = "\n".join(textwrap.wrap(title, 42, break_on_hyphens=False))
    draw.multiline_text((60, 40), heading, INK, bold, spacing=10)
    top = draw.multiline_textbbox((60, 40), heading, bold, spacing=10)[3] + 24
    if picture:
        image = ImageOps.contain(Image.open(picture).convert("RGBA"), (1080, 570 - top), Image.Resampling.LANCZOS)
        card.paste(image, ((CARD[0] - image.width) // 2, top), image)
    else:
        draw.multiline_text((60, top + 40), "\n".join(textwrap.wrap(text, 54)), INK, normal, spacing=14)
    if title != book:
        draw.text((60, 582), book, GREY, small)
    path.parent.mkdir(parents=True, exist_ok=True)
    card.save(path, optimize=True)


# ---- the site --------------------------------------------------------------------------------------------


def write_files(app) -> list:
    """What a server, a search engine, or a reader with an old address asks for; while a warning still counts."""
    if app.builder.name != "html":
        return []
    address, env, home = app.config.html_baseurl, app.env, app.config.root_doc
    pages = {name: app.builder.get_target_uri(name) for name in env.collect_relations()}  # in reading order
    titles = {name: escape(env.titles[name].astext()) for name in pages}
    values = {
        "book": escape(app.config.project),
        "address": address,
        "home": pages[home],
        "contents": "\n".join(f'<li><a href="{uri}">{titles[name]}</a></li>' for name, uri in pages.items()),
        "places": "\n".join(f"<url><loc>{escape(address + uri)}</loc></url>" for uri in pages.values()),
    }
    write(app, "sitemap.xml", SITEMAP.substitute(values))
    write(app, "robots.txt", f"User-agent: *\nAllow: /\nSitemap: {address}sitemap.xml\n")
    write(app, "404.html", template("404.html").substitute(values))
    moved = {} if home == "index" else {"index": home}
    for old, new in {**moved, **app.config.redirects}.items():
        if old in pages or new not in pages:
            logger.warning("redirects: %s must not be a page, and %s must be one", old, new)
            continue
        here = app.builder.get_target_uri(old)
        place = {"title": titles[new], "address": address + pages[new], "link": relative_uri(here, pages[new])}
        write(app, here, template("redirect.html").substitute(place))
    return []


def template(name: str) -> Template:
    return Template(Path(__file__).with_name(name).read_text(encoding="utf-8"))


def write(app, name: str, text: str) -> None:
    path = Path(app.outdir, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
