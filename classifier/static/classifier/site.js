"use strict";
// Small things that every page may need.

// Ask before what cannot be undone.
document.addEventListener("submit", (event) => {
  const question = event.submitter?.dataset.confirm || event.target.dataset.confirm;
  if (question && !window.confirm(question)) event.preventDefault();
});

// A key is selected as a whole.
document.addEventListener("focusin", (event) => {
  if (event.target.matches("[data-select]")) event.target.select();
});

// An open menu closes when one clicks elsewhere or presses Escape.
function closeMenus(event) {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (event.type === "keydown" ? event.key === "Escape" : !menu.contains(event.target)) menu.open = false;
  }
}
document.addEventListener("click", closeMenus);
document.addEventListener("keydown", closeMenus);

// Settings that go with a choice are shown where it is made: data-shown-with="name=value value".
function showWhatGoesWith() {
  for (const fields of document.querySelectorAll("[data-shown-with]")) {
    const [name, values] = fields.dataset.shownWith.split("=");
    const chosen = document.querySelector(`[name=${name}]:checked`);
    fields.hidden = !chosen || !values.split(" ").includes(chosen.value);
  }
}
document.addEventListener("change", showWhatGoesWith);
document.addEventListener("DOMContentLoaded", showWhatGoesWith);
