"use strict";
// Doing something with pictures without leaving the page: cards that went disappear, and every act can be undone.

const FOLLOWS_CLASS = new Set(["wrong_label", "contradiction"]); // findings that another class settles
const GOES = /\/samples\/(delete|restore|unlabel|move)$/;
const TOUCHES = { split: ["split"], group: ["group", "duplicate"], untag: ["tag"] }; // filters, by the act

async function act(address, body) {
  const headers = { Accept: "application/json", "X-CSRFToken": document.body.dataset.csrf };
  try {
    const response = await fetch(address, { method: "POST", body, headers });
    const answer = await response.json();
    if (!response.ok) return { error: answer.error || "This cannot be done now." };
    return answer;
  } catch {
    return { error: "The site cannot be reached. Nothing was changed; try again." };
  }
}

function currentFilter() {
  return new URLSearchParams(document.querySelector("[data-samples] [name=filter]").value);
}

// Which cards no longer belong on this page after an act.
function leaves(address, data) {
  const filter = currentFilter();
  const action = (address.match(GOES) || [])[1];
  if (action === "move") {
    if (filter.get("unlabelled") || FOLLOWS_CLASS.has(filter.get("finding"))) return true;
    return filter.has("class_id") && data.get("to") !== filter.get("class_id");
  }
  if (action === "unlabel") return filter.has("class_id") || FOLLOWS_CLASS.has(filter.get("finding"));
  return Boolean(action);
}

// Whether only the site knows which cards still belong here: whole groups change their split together.
function unsettles(address) {
  const filter = currentFilter();
  return (TOUCHES[address.split("/").at(-1)] || []).some((name) => filter.has(name));
}

document.addEventListener("submit", async (event) => {
  const form = event.target;
  const button = event.submitter;
  if (!form.matches("[data-samples]") || !/\/samples\//.test(button?.getAttribute("formaction"))) return;
  event.preventDefault();
  const ids = Selection.chosen().map((box) => box.value);
  await change(button.getAttribute("formaction"), new FormData(form, button), ids);
});

// The ids of what is chosen go in one field, however many there are: a site takes some thousand fields only.
document.addEventListener("formdata", ({ target, formData }) => {
  if (!target.matches("[data-samples]") || !formData.has("sample")) return;
  if (!formData.get("all")) formData.set("ids", formData.getAll("sample").join(","));
  formData.delete("sample");
});

async function change(address, data, ids) {
  if (data.has("to")) data.set("to", data.getAll("to").at(-1)); // of the button that was pressed, if it says where to
  document.body.classList.add("acting");
  const answer = await act(address, data);
  document.body.classList.remove("acting");
  if (answer.error) return notify(answer.error, { wrong: true });
  if (data.get("to") === "new" || data.get("all") || unsettles(address)) {
    sessionStorage.setItem("poetsweb-said", JSON.stringify(answer));
    return window.location.reload(); // there is a new class, or more went than is shown
  }
  const place = Selection.boxes().findIndex((box) => ids.includes(box.value));
  if (leaves(address, data)) removeCards(ids);
  nameClass(ids, answer);
  Selection.set(Selection.boxes(), false);
  const held = document.activeElement;
  if (held === document.body || held.disabled) focusCard(place); // or the keyboard would begin at the top again
  notify(answer.sentence, answer);
}

// Show the class that cards have now, where they show one.
function nameClass(ids, { class: name }) {
  if (name === undefined) return;
  for (const id of ids) {
    const shown = document.getElementById(`sample-${id}`)?.querySelector("[data-class-name]");
    if (shown) shown.textContent = name;
  }
}

function focusCard(place) {
  const boxes = Selection.boxes();
  boxes[Math.min(place, boxes.length - 1)]?.focus({ preventScroll: true });
}

function removeCards(ids) {
  const form = Selection.form();
  for (const id of ids) document.getElementById(`sample-${id}`)?.remove();
  const count = document.querySelector("[data-count]");
  const left = Math.max(0, Number(form.dataset.total) - ids.length);
  if (form.dataset.total !== "") form.dataset.total = left; // else it is not known yet
  if (count) {
    count.dataset.count = left;
    count.textContent = `${left.toLocaleString()} picture${left === 1 ? "" : "s"}`;
  }
  if (!document.querySelector("[data-grid] .sample")) window.location.reload();
}

// A sentence at the foot of the page, with a way back.
function notify(sentence, { change: pk, changed, wrong } = {}) {
  document.querySelector(".toast")?.remove();
  const toast = document.createElement("div");
  toast.className = `toast note ${wrong ? "error" : "success"}`;
  toast.setAttribute("role", "status");
  toast.append(Object.assign(document.createElement("span"), { textContent: sentence }));
  if (pk && changed !== 0) {
    const button = Object.assign(document.createElement("button"), { type: "button", className: "small", textContent: "Undo" });
    button.dataset.undo = pk;
    toast.append(button);
  }
  (document.querySelector("dialog[open]") || document.body).append(toast); // a dialog covers all else
}

document.addEventListener("click", (event) => {
  if (event.target.matches("[data-undo]")) undo(event.target.dataset.undo);
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "z" || !(event.ctrlKey || event.metaKey) || event.target.matches("input:not([type=checkbox]), textarea")) return;
  const button = document.querySelector("[data-undo]");
  if (button) undo(button.dataset.undo);
});

async function undo(pk) {
  const project = window.location.pathname.match(/^(.*\/projects\/[^/]+\/)/)[1];
  const answer = await act(`${project}history/${pk}/undo`, new FormData());
  if (answer.error) return notify(answer.error, { wrong: true });
  sessionStorage.setItem("poetsweb-said", JSON.stringify(answer));
  window.location.reload();
}

document.addEventListener("DOMContentLoaded", () => {
  const said = sessionStorage.getItem("poetsweb-said");
  if (!said) return;
  sessionStorage.removeItem("poetsweb-said");
  const answer = JSON.parse(said);
  notify(answer.sentence, answer);
});

// Dragging a picture, with all that are chosen, onto a class.
document.addEventListener("pointerdown", (event) => {
  const card = event.target.closest("[data-grid] .sample");
  if (card && event.pointerType === "mouse" && document.querySelector("[data-drop-classes]")) card.draggable = true;
});
document.addEventListener("dragstart", (event) => {
  const card = event.target.closest?.("[data-grid] .sample");
  if (!card) return;
  const box = card.querySelector("[name=sample]");
  if (!box.checked) Selection.set(Selection.boxes().filter((other) => other !== box), false);
  box.checked = true;
  Selection.show();
  event.dataTransfer.setData("text/plain", Selection.count());
  event.dataTransfer.effectAllowed = "move";
  document.querySelector("[data-drop-classes]").hidden = false;
});
document.addEventListener("dragend", () => {
  const classes = document.querySelector("[data-drop-classes]");
  if (classes) classes.hidden = true;
});
for (const kind of ["dragenter", "dragover"]) {
  document.addEventListener(kind, (event) => {
    const target = event.target.closest?.("[data-drop-on]");
    for (const other of document.querySelectorAll("[data-drop-on].over")) other.classList.toggle("over", other === target);
    if (!target) return;
    event.preventDefault();
    target.classList.add("over");
  });
}
document.addEventListener("drop", (event) => {
  const target = event.target.closest?.("[data-drop-on]");
  if (!target) return;
  event.preventDefault();
  const form = Selection.form();
  const move = form.querySelector("[formaction$='/samples/move']").getAttribute("formaction");
  const data = new FormData(form);
  data.set("to", target.dataset.dropOn);
  change(move, data, Selection.chosen().map((box) => box.value));
});
