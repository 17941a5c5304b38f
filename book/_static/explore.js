/* Moves the explorers of a page (HTML written by nntk_lib/book/frames.py), and enlarges pictures on a phone. No dependencies, works from file://.
   An explorer carries its pictures as a table of lines and, per frame, the list of its lines. */
(function () {
  "use strict";

  function setUp(figure) {
    if (figure.dataset.ready) return; // the theme may load this file twice
    const inputs = Array.from(figure.querySelectorAll("[data-param]"));
    const picture = figure.querySelector(".nntk-picture");
    const readout = figure.querySelector(".nntk-readout");
    const source = figure.querySelector("script.nntk-frames");
    let data = null;
    let shown = -1;

    function load() {
      data = data || JSON.parse(source.textContent);
      return data;
    }

    function count(input) {
      return input.options ? input.options.length : Number(input.max) + 1;
    }

    function wanted() { // the last control runs fastest, as in Explorer.grid
      return inputs.reduce((index, input) => index * count(input) + Number(input.value), 0);
    }

    function update() {
      const frame = wanted();
      if (frame === shown) return;
      const lines = load().frames[frame].map((i) => data.table[i]);
      const image = picture.querySelector("img");
      if (image) image.src = lines[0];
      else picture.innerHTML = lines.join("\n");
      inputs.forEach(function (input, i) {
        const text = data.values[i][Number(input.value)];
        const output = input.parentNode.querySelector("output");
        if (output) output.textContent = text;
        if (!input.options) input.setAttribute("aria-valuetext", text);
      });
      readout.textContent = data.readouts[frame];
      figure.dataset.frame = shown = frame;
    }

    inputs.forEach((input) => input.addEventListener("input", update));
    figure.querySelectorAll(".nntk-button").forEach((button) => setUpPlay(button, readout, update));
    shown = inputs.every(isAtDefault) ? wanted() : -1;
    figure.dataset.frame = wanted();
    update(); // a browser that restores the controls of a page left earlier gets the picture that belongs to them
    figure.querySelector(".nntk-controls").hidden = false;
    picture.after(zoomButton(figure));
    figure.dataset.ready = "true";
  }

  function zoomButton(figure) { // explore.css shows it on phones
    const button = document.createElement("button");
    button.type = "button";
    button.className = "nntk-zoom";
    button.textContent = "Enlarge";
    button.addEventListener("click", function () {
      button.textContent = figure.classList.toggle("nntk-large") ? "Fit the screen" : "Enlarge";
    });
    return button;
  }

  function isAtDefault(input) {
    if (input.options) return Array.from(input.options).every((option) => option.selected === option.defaultSelected);
    return input.value === input.defaultValue;
  }

  function setUpPlay(button, readout, update) {
    const input = button.parentNode.querySelector("input");
    let timer = 0;

    function stop() {
      window.clearInterval(timer);
      timer = 0;
      button.setAttribute("aria-pressed", "false");
      readout.setAttribute("aria-live", "polite");
    }

    function step() {
      input.value = Number(input.value) + 1;
      if (input.value === input.max) stop(); // before the last update, so that the last frame is announced
      update();
    }

    button.addEventListener("click", function () {
      if (timer) {
        stop();
        return;
      }
      if (input.value === input.max) {
        input.value = 0;
        update();
      }
      readout.setAttribute("aria-live", "off"); // a frame every few tenths of a second cannot be read out
      button.setAttribute("aria-pressed", "true");
      timer = window.setInterval(step, Number(button.dataset.interval));
    });
    input.addEventListener("input", function () {
      if (timer) stop();
    });
  }

  function start() {
    document.querySelectorAll("figure.nntk-explorer").forEach(setUp);
    document.querySelectorAll("figure:not(.nntk-explorer)").forEach(function (figure) {
      const picture = figure.querySelector(".nntk-picture");
      if (picture && !figure.querySelector(".nntk-zoom")) picture.after(zoomButton(figure));
    });
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
