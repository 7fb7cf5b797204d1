"use strict";
// Choosing pictures in a grid: by click, by shift for a range, all shown, or all that match the filter of the page.

const Selection = {
  form: () => document.querySelector("[data-samples]"),
  boxes: () => [...document.querySelectorAll("[data-grid] [name=sample]")],
  last: null, // the box that was pressed last, where a range begins

  chosen() {
    return Selection.boxes().filter((box) => box.checked);
  },

  all() {
    return Selection.form().elements.all.value !== "";
  },

  set(boxes, checked) {
    for (const box of boxes) box.checked = checked;
    Selection.show();
  },

  chooseMatching(wanted) {
    Selection.form().elements.all.value = wanted ? "true" : "";
    Selection.show();
  },

  count() {
    return Selection.all() ? Number(Selection.form().dataset.total) || 1 : Selection.chosen().length;
  },

  // Say how many are chosen, and offer the rest where there is more than what is shown.
  show() {
    const form = Selection.form();
    if (!form) return;
    const text = form.querySelector("[data-chosen]");
    const more = form.querySelector("[data-choose-matching]");
    const count = Selection.count();
    const total = form.dataset.total === "" ? Infinity : Number(form.dataset.total); // not known yet
    const told = total === Infinity ? "" : `${total.toLocaleString()} `;
    text.dataset.hint = text.dataset.hint || text.textContent;
    text.textContent = Selection.all() ? `All ${told}selected` : count ? `${count.toLocaleString()} selected` : text.dataset.hint;
    for (const button of form.querySelectorAll("[data-needs-choice]")) button.disabled = count === 0;
    more.hidden = Selection.all() || !count || count >= total;
    more.textContent = `Select all ${told}that match`;
  },
};

document.addEventListener("change", (event) => {
  if (!event.target.matches("[data-grid] [name=sample]")) return;
  Selection.form().elements.all.value = "";
  Selection.show();
});

document.addEventListener("click", (event) => {
  const target = event.target;
  if (target.matches("[data-choose-all]")) {
    const boxes = Selection.boxes();
    const all = Selection.all() || boxes.every((box) => box.checked);
    Selection.form().elements.all.value = "";
    Selection.set(boxes, !all);
  }
  if (target.matches("[data-choose-matching]")) {
    Selection.set(Selection.boxes(), true);
    Selection.chooseMatching(true);
    document.querySelector("[data-choose-all]").focus(); // the button that was pressed is gone
  }
  if (target.matches("[data-grid] [name=sample]")) {
    if (event.shiftKey && Selection.last) chooseRange(Selection.last, target);
    Selection.last = target;
  }
});

// A click on the picture of a card reaches its box without the shift key, in some browsers.
document.addEventListener("click", (event) => {
  const label = event.target.closest("[data-grid] .sample label");
  if (!label || !event.shiftKey || event.target.matches("input")) return;
  event.preventDefault();
  const box = label.querySelector("input");
  box.checked = !box.checked;
  chooseRange(Selection.last || box, box);
  Selection.last = box;
}, true);

document.addEventListener("mousedown", (event) => {
  if (event.shiftKey && event.target.closest("[data-grid]")) event.preventDefault(); // no text is selected
});

function chooseRange(from, to) {
  const boxes = Selection.boxes();
  const [first, last] = [boxes.indexOf(from), boxes.indexOf(to)].sort((a, b) => a - b);
  if (first < 0) return;
  Selection.form().elements.all.value = "";
  Selection.set(boxes.slice(first, last + 1), to.checked);
}

// What comes later, as one scrolls, is chosen too where all are.
document.addEventListener("htmx:afterSettle", () => {
  const form = Selection.form();
  if (!form) return;
  form.dataset.total = document.querySelector("[data-count]")?.dataset.count ?? form.dataset.total;
  if (Selection.all()) Selection.set(Selection.boxes(), true);
  else Selection.show();
});

document.addEventListener("keydown", (event) => {
  if (!Selection.form() || document.querySelector("dialog[open]")) return;
  if (event.target.matches("input:not([type=checkbox]), select, textarea")) return;
  if (event.key === "a" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    Selection.set(Selection.boxes(), true);
  }
  if (event.key === "Escape") {
    Selection.form().elements.all.value = "";
    Selection.set(Selection.boxes(), false);
  }
});

// How large the cards are is remembered by this browser.
const TILE_SIZE = "poetsweb-tile-size";
function applyTileSize(value) {
  document.documentElement.style.setProperty("--tile", `${value}px`);
}
document.addEventListener("input", (event) => {
  if (!event.target.matches("[data-tile-size]")) return;
  applyTileSize(event.target.value);
  try { localStorage.setItem(TILE_SIZE, event.target.value); } catch { /* it is not remembered then */ }
});

document.addEventListener("DOMContentLoaded", () => {
  const slider = document.querySelector("[data-tile-size]");
  let size = null;
  try { size = Number(localStorage.getItem(TILE_SIZE)); } catch { /* the usual size then */ }
  if (slider && size) {
    slider.value = size;
    applyTileSize(size);
  }
  Selection.show();
});

// A filter is applied as soon as it is chosen.
document.addEventListener("change", (event) => {
  if (event.target.matches("[data-submits]")) event.target.form.requestSubmit();
});

// Empty fields stay out of the address.
document.addEventListener("submit", (event) => {
  if (!event.target.matches("form.filter")) return;
  for (const field of event.target.elements) field.disabled = field.disabled || (field.name && !field.value);
});
window.addEventListener("pageshow", () => {
  for (const field of document.querySelectorAll("form.filter :disabled")) field.disabled = false;
});
