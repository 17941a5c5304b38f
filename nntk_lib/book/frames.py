"""The served face of an explorer: frames rendered once, packed small, shown without a kernel.

A page of the book is read without Python behind it, so every picture that a control can ask for
is rendered when the book is built. Matplotlib writes about 40 kB of SVG a picture and a hundred pictures
differ in a few lines only; here each picture is cut into its drawing elements, an element that
occurs in several pictures is stored once, and a picture is the list of its elements. A picture that SVG
describes badly (ten thousand points, a large matrix) is stored as WebP instead, whichever is smaller.
The result is one ``<figure>`` with native controls; ``book/_static/explore.js`` moves it.
"""

from __future__ import annotations

import base64
import html
import io
import itertools
import json
import re
from xml.etree import ElementTree

import numpy as np

from ..exceptions import NNTKError
from .controls import control_html

SVG_STYLE = {"svg.fonttype": "none", "mathtext.fontset": "dejavusans"}
NO_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}
INK = re.compile(r"#([0-5][0-9a-f])\1\1\b")  # greys darker than #606060 become the page's text colour
COMPRESSED = {"d", "x", "y"}  # attributes whose numbers are rounded to 0.01 pt
PICTURE_DPI = 192  # 2 x 96, for screens with two device pixels a CSS pixel
SAMPLES = 5  # frames that are drawn first, to choose the format


def figure_png(figure, dpi=144) -> bytes:
    """PNG of a Matplotlib figure on white."""
    return _saved(figure, format="png", dpi=dpi, facecolor="white")


def figure_webp(figure) -> bytes:
    """WebP of a Matplotlib figure on white, two device pixels a CSS pixel."""
    return _saved(figure, format="webp", dpi=PICTURE_DPI, facecolor="white", pil_kwargs={"quality": 85})


def figure_pdf(figure) -> bytes:
    """PDF of a Matplotlib figure, without the date."""
    return _saved(figure, format="pdf", metadata={"CreationDate": None})


def _saved(figure, **options) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, **options)
    return buffer.getvalue()


def figure_svg(figure, name: str, ids: dict[str, str]) -> list[str]:
    """SVG of a figure as a list of lines, one drawing element each; deterministic, ready for dark pages.

    Text stays text, the background is transparent, black and dark greys become ``currentColor``, white
    becomes the page's background. Definitions are renamed to ``name-0``, ``name-1``, ... so that two
    explorers of a page never share an id; `ids` keeps the names from frame to frame and is extended.
    """
    import matplotlib

    buffer = io.StringIO()
    with matplotlib.rc_context({**SVG_STYLE, "svg.hashsalt": name}):
        figure.savefig(buffer, format="svg", transparent=True, metadata=NO_METADATA)
    text = re.sub(r"\sxmlns(:xlink)?=\"[^\"]*\"", "", buffer.getvalue()).replace("xlink:href", "href")
    root = ElementTree.fromstring(text)
    _, _, width, height = root.get("viewBox").split()
    head = (
        f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" fill="currentColor" '
        'stroke-linejoin="round" stroke-linecap="butt" aria-hidden="true" focusable="false">'
    )
    lines = [_line(element, name, ids) for element in _drawing_elements(root)]
    return [head, *lines, "</svg>"]


def _drawing_elements(parent):
    """The elements of an SVG in drawing order, without the groups that only carry a name."""
    for element in parent:
        if element.tag in ("metadata", "style"):
            continue
        if element.tag == "g" and set(element.keys()) <= {"id"}:
            yield from _drawing_elements(element)
        elif element.tag != "defs" or element.find("style") is None:
            yield element


def _line(element, name, ids) -> str:
    """One element as one line of text, shortened and with the page's colours."""
    for part in element.iter():
        part.tail = None
        if len(part):
            part.text = None
        if part.tag == "g":
            part.attrib.pop("id", None)
        for key, value in part.attrib.items():
            part.set(key, _attribute(key, value))
        if part.get("transform", "").startswith("rotate(-0 "):
            del part.attrib["transform"]
    line = ElementTree.tostring(element, encoding="unicode").replace(" />", "/>").replace("\n", " ")

    def renamed(match):
        return match[1] + ids.setdefault(match[2], f"{name}-{len(ids)}")

    return re.sub(r'(\bid="|href="#|url\(#)([\w.]+)', renamed, line)


def _attribute(key, value) -> str:
    if key in COMPRESSED:
        value = re.sub(r"-?\d+\.\d{3,}", lambda m: f"{float(m[0]):.2f}".rstrip("0").rstrip("."), value)
        return re.sub(r"\s*([A-Za-z])\s*", r"\1", value).strip() if key == "d" else value
    if key == "href":
        return re.sub(r"\s", "", value)
    if key == "style":
        value = re.sub(r"'DejaVu Sans'(,[^;]*)?", "'DejaVu Sans',Verdana,sans-serif", value)
        value = INK.sub("currentColor", value).replace("#ffffff", "var(--nntk-paper,#fff)")
        return value.replace(": ", ":").replace("; ", ";")
    return value


def pack(frames: list[list[str]]) -> tuple[list[str], list[list[int]]]:
    """Store every line once: (table of the lines, per frame the list of its indexes into the table)."""
    index: dict[str, int] = {}
    packed = [[index.setdefault(line, len(index)) for line in frame] for frame in frames]
    return list(index), packed


def unpack(table: list[str], indexes: list[int]) -> str:
    """The picture that a list of indexes stands for; the script on the page does the same."""
    return "\n".join(table[i] for i in indexes)


def _weight(frames) -> int:
    table, packed = pack(frames)
    return len(json.dumps([table, packed], ensure_ascii=False, separators=(",", ":")).encode())


def render(explorer) -> dict:
    """All frames of an explorer: format, size in CSS pixels, default's index, table, frames, readouts.

    A few frames, spread over the grid, are drawn first, and say which format is the smaller one.
    """
    grid = list(explorer.grid())
    ids: dict[str, str] = {}
    faces = {"svg": lambda figure: figure_svg(figure, explorer.name, ids), "webp": _data_uri}
    made: dict[str, dict[int, list[str]]] = {kind: {} for kind in faces}
    readouts: dict[int, str] = {}

    def draw(i, *kinds):
        figure, readout = explorer.draw_at(**grid[i])
        readouts[i] = explorer.describe(grid[i], readout)
        for kind in kinds:
            made[kind][i] = faces[kind](figure)
        return figure

    spread = np.unique(np.linspace(0, len(grid) - 1, SAMPLES).round().astype(int)).tolist()
    for i in spread:
        figure = draw(i, "svg", *(["webp"] if i in (spread[0], spread[-1]) else []))
    kind = "webp" if _webp_is_smaller(list(made["svg"].values()), list(made["webp"].values()), len(grid)) else "svg"
    for i in range(len(grid)):
        if i not in made[kind]:
            figure = draw(i, kind)
    table, packed = pack([made[kind][i] for i in range(len(grid))])
    return {
        "format": kind,
        "size": [round(96 * inches) for inches in figure.get_size_inches()],
        "default": grid.index(explorer.defaults()),
        "table": table,
        "frames": packed,
        "readouts": [readouts[i] for i in range(len(grid))],
    }


def _webp_is_smaller(svg: list[list[str]], webp: list[list[str]], count: int) -> bool:
    """Whether all frames weigh less as WebP than as packed SVG, judged by some of both.

    The first SVG frame brings the lines that all share, each further one only its own, so the weight of
    the whole is extrapolated from the growth.
    """
    shared = _weight(svg[:1])
    growth = (_weight(svg) - shared) / max(1, len(svg) - 1)
    return len("".join(itertools.chain(*webp))) / len(webp) * count < shared + growth * (count - 1)


def _data_uri(figure) -> list[str]:
    return ["data:image/webp;base64," + base64.b64encode(figure_webp(figure)).decode()]


def figure_html(explorer, rendered: dict) -> str:
    """The ``<figure>`` of an explorer: controls (hidden until the script runs), default picture, frames."""
    default = rendered["default"]
    picture = unpack(rendered["table"], rendered["frames"][default])
    alt = html.escape(explorer.alt)
    if rendered["format"] == "webp":
        width, height = rendered["size"]
        picture = f'<img src="{picture}" alt="{alt}" width="{width}" height="{height}">'
        frame = f'<div class="nntk-picture">{picture}</div>'
    else:
        frame = f'<div class="nntk-picture" role="img" aria-label="{alt}">{picture}</div>'
    values = [[control.text(v) for v in control.values] for control in explorer.params.values()]
    data = {"values": values, **{key: rendered[key] for key in ("table", "frames", "readouts")}}
    controls = [control_html(explorer.name, key, c) for key, c in explorer.params.items()]
    lines = [
        f'<figure class="nntk-explorer" id="{explorer.name}" data-format="{rendered["format"]}">',
        f'<div class="nntk-controls" role="group" aria-label="Controls" hidden>{"".join(controls)}</div>',
        frame,
        f'<p class="nntk-readout" aria-live="polite">{html.escape(rendered["readouts"][default])}</p>',
        f"<figcaption>{caption_html(explorer.caption)}</figcaption>",
        f'<script type="application/json" class="nntk-frames">{script_json(data)}</script>',
        "</figure>",
    ]
    return "\n".join(lines)


def script_json(data) -> str:
    """JSON that may stand inside a ``<script>``: nothing in it can close the element or open a comment."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return text.replace("</", "<\\/").replace("<!--", "\\u003c!--")


def caption_html(caption: str) -> str:
    """Escaped caption in which only ``<em>`` keeps its meaning; an unbalanced one is an error."""
    escaped = html.escape(caption, quote=False)
    if escaped.count("&lt;em&gt;") != escaped.count("&lt;/em&gt;"):
        raise NNTKError(f"caption {caption!r}: every <em> needs its </em>")
    return escaped.replace("&lt;em&gt;", "<em>").replace("&lt;/em&gt;", "</em>")
