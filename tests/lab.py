"""JupyterLab in a browser, on a server or without one: run cells, and move explorers as a reader does."""

from __future__ import annotations

WIDGET = "application/vnd.jupyter.widget-view+json"
WATCH = """box => {
  window.watched = {moved: 0, drawn: 0, pictures: 0};
  const moved = () => { watched.moved = performance.now(); };
  for (const event of ['keydown', 'mousemove', 'change']) box.addEventListener(event, moved, true);
  let last = box.querySelector('img').src;
  new MutationObserver(() => {
    const now = box.querySelector('img')?.src;
    if (now && now !== last) {
      last = now; watched.drawn = performance.now(); watched.pictures += 1;
    }
  }).observe(box, {subtree: true, childList: true, attributes: true});
}"""
RUN = "name => { window.done = false; jupyterapp.commands.execute(name).then(() => { window.done = true; }); }"
SAY = """async code => {
  const run = jupyterapp.shell.currentWidget.sessionContext.session.kernel.requestExecute({code});
  let said = '';
  run.onIOPub = message => { if (message.header.msg_type === 'stream') said += message.content.text; };
  await run.done;
  return said;
}"""


def execute(page, command: str, minutes=15) -> None:
    """A command of JupyterLab, waited for."""
    page.evaluate(RUN, command)
    page.wait_for_function("window.done", timeout=60_000 * minutes)


def said(page, code: str) -> str:
    """What some code prints in the kernel of the notebook shown."""
    return page.evaluate(SAY, code)


def shown(page, number: int):
    """A cell, scrolled to the top: JupyterLab keeps only those in the page that are seen."""
    page.evaluate("number => jupyterapp.shell.currentWidget.content.scrollToItem(number, 'start')", number)
    cell = page.locator(f".jp-Notebook .jp-Cell[data-windowed-list-index='{number}']")
    cell.wait_for()
    return cell


def assert_ran(cells) -> None:
    """Every code cell was run, in order, and none ended in an error."""
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    errors = [out["evalue"] for cell in code for out in cell["outputs"] if out["output_type"] == "error"]
    assert not errors
    counts = [cell["execution_count"] for cell in code]
    assert None not in counts and counts == sorted(set(counts))


def explorers(page, cells):
    """The live explorers, one after the other; ``watched`` tells when the reader and the picture moved."""
    for number, cell in enumerate(cells):
        if any(WIDGET in out.get("data", {}) for out in cell.get("outputs", [])):
            box = shown(page, number).locator(".jp-OutputArea .widget-vbox").first
            box.locator("img").wait_for()
            box.scroll_into_view_if_needed()
            box.evaluate(WATCH)
            yield box


def redrawn(page, box, act, *args, **options) -> float:
    """Do something that must change picture and readout; the milliseconds from the last event to the new picture."""
    readout = box.locator(".widget-html").nth(1)
    before, pictures = readout.inner_text(), page.evaluate("watched.pictures")
    act(*args, **options)
    page.wait_for_function("before => watched.pictures > before", arg=pictures)
    page.wait_for_timeout(300)  # what was still on its way
    assert readout.inner_text() != before and not readout.locator("b").count(), readout.inner_text()
    assert len(box.locator("img").get_attribute("alt")) >= 40
    return page.evaluate("watched.drawn - watched.moved")


def drag(page, box) -> None:
    """The explorer's first slider, from one end to the other; the picture follows on the way."""
    track, handle = (box.locator(part).first.bounding_box() for part in (".noUi-base", ".noUi-handle"))
    x, y = handle["x"] + handle["width"] / 2, handle["y"] + handle["height"] / 2
    to_left = x > track["x"] + track["width"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    end = track["x"] + (-5 if to_left else track["width"] + 5)
    redrawn(page, box, page.mouse.move, end, y, steps=10)
    page.mouse.up()
