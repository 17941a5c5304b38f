/* What a page needs and style sheets cannot do: stops of the Tab key, places, focus, names, paper. No dependencies. */
(function () {
  "use strict";

  // A formula or picture wider than its place scrolls by itself; then, and only then, the Tab key stops at it.
  const watch = new ResizeObserver(function (entries) { // also when a folded proof opens
    entries.forEach(function ({ target }) {
      if (target.scrollWidth > target.clientWidth) target.tabIndex = 0;
      else target.removeAttribute("tabindex");
    });
  });

  function watchAll() {
    const wide = ".nntk-picture, span.math, div.math, div.math mjx-container";
    document.querySelectorAll(wide).forEach((element) => watch.observe(element));
  }

  // A link into a page leads to the place that formulas, once they are set, have moved; going back does not.
  let moved = performance.getEntriesByType("navigation")[0].type !== "navigate";
  ["wheel", "touchmove", "keydown", "pointerdown"].forEach(function (kind) {
    window.addEventListener(kind, () => { moved = true; }, { once: true, passive: true });
  });

  function settle() {
    watchAll();
    const target = document.querySelector(":target");
    if (target && !moved) target.scrollIntoView({ behavior: "instant" });
  }

  window.addEventListener("load", function () {
    if (window.MathJax && window.MathJax.startup) window.MathJax.startup.promise.then(settle);
    else settle();
  });

  // The theme takes the focus from its buttons when they are pressed; a reader without a mouse gets it back.
  let pressed = null;

  function giveBack() {
    if (pressed && document.activeElement === document.body) pressed.focus();
  }

  document.addEventListener("click", function (event) {
    pressed = event.detail === 0 ? event.target.closest("button") : null; // 0: by the keyboard
    window.setTimeout(giveBack);
  }, true);
  document.querySelectorAll("dialog").forEach(function (dialog) {
    dialog.addEventListener("close", () => window.setTimeout(giveBack));
  });

  // A solution's button says what it shows: "Show Exercise 2.1.1 (A block by hand)".
  window.addEventListener("load", function () {
    document.querySelectorAll(".toggle-button").forEach(function (button) {
      const exercise = button.parentElement.querySelector("a");
      if (!exercise) return;
      exercise.id = button.id + "-of";
      button.removeAttribute("aria-label");
      button.setAttribute("aria-labelledby", button.id + " " + exercise.id);
      button.querySelector("svg").setAttribute("aria-hidden", "true");
    });
  });

  // The ledger's rows by kind. What a link leads to is shown, whatever is chosen.
  function filterRows(rows, kind) {
    rows.forEach((row) => row.classList.toggle("ledger-hidden", Boolean(kind) && !row.classList.contains(kind)));
  }

  function addFilter(rows) {
    const group = document.createElement("fieldset");
    group.className = "ledger-filter";
    group.innerHTML = "<legend>Show</legend>";
    const kinds = { "": "all", carried: "carried", open: "open", correction: "corrected", inferred: "inferred", ours: "the book's own" };
    Object.entries(kinds).forEach(function ([kind, name]) {
      const count = kind ? rows.filter((row) => row.classList.contains(kind)).length : rows.length;
      if (kind && (count === 0 || count === rows.length)) return; // nothing to choose
      const label = document.createElement("label");
      label.innerHTML = `<input type="radio" name="ledger-kind" autocomplete="off"${kind ? "" : " checked"}> ${name} (${count})`;
      label.firstChild.addEventListener("change", () => filterRows(rows, kind));
      group.append(label);
    });
    document.querySelector(".ledger").closest("section").before(group);
  }

  const rows = Array.from(document.querySelectorAll(".ledger-claim"));
  if (rows.length) addFilter(rows);

  function openTarget() { // a link to a row, or to a measurement in a badge, opens it
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const fold = target && target.closest("details");
    if (!fold) return;
    fold.open = true;
    const row = fold.closest(".ledger-hidden");
    if (row) row.classList.remove("ledger-hidden");
    target.scrollIntoView();
  }

  window.addEventListener("hashchange", openTarget);
  openTarget();

  // On paper nothing is folded, and nothing is dark.
  const root = document.documentElement;
  let opened = [];
  let theme = root.dataset.theme;

  window.addEventListener("beforeprint", function () {
    opened = Array.from(document.querySelectorAll("article details:not([open])"));
    opened.forEach((folded) => { folded.open = true; });
    theme = root.dataset.theme;
    root.dataset.theme = "light";
  });

  window.addEventListener("afterprint", function () {
    opened.forEach((folded) => { folded.open = false; });
    root.dataset.theme = theme;
  });
})();
