"use strict";
// A picture large, above the grid: arrows walk, 1 to 9 label, Delete deletes, Escape closes.

const Viewer = {
  dialog: () => document.querySelector("[data-viewer]"),
  place: () => document.getElementById("viewer"),
  here: window.location.href, // the address of what is shown
  wanted: "", // the address of what was asked for last
  byKey: false, // whether the act under way was begun by a key
  acting: false, // a key that is pressed meanwhile is meant for the next picture, which is not there yet

  async open(address) {
    Viewer.wanted = address;
    const response = await fetch(address, { headers: { "HX-Request": "true" } }).catch(() => null);
    if (Viewer.wanted !== address) return undefined; // somebody has walked on meanwhile
    if (!response?.ok) return notify("The picture cannot be shown now.", { wrong: true });
    Viewer.place().innerHTML = await response.text();
    Viewer.here = address;
    htmx.process(Viewer.place());
    const dialog = Viewer.dialog();
    if (!dialog) return window.history.replaceState(null, "", address);
    if (!dialog.open) dialog.showModal();
    const close = dialog.querySelector("[data-close]");
    close.hidden = false;
    if (!dialog.contains(document.activeElement) || document.activeElement === dialog) close.focus();
    return undefined;
  },

  walk(direction) {
    const link = Viewer.place()?.querySelector(`[data-walk=${direction}]`);
    if (link && !Viewer.acting) Viewer.open(link.href);
    return Boolean(link);
  },

  async act(form, button, walks) {
    const data = new FormData(form, button);
    const address = button.getAttribute("formaction");
    const answer = await act(address, data);
    if (answer.error) return notify(answer.error, { wrong: true });
    notify(answer.sentence, answer);
    const next = Viewer.place().querySelector("[data-walk=next]")?.href;
    const card = document.getElementById(`sample-${data.get("ids")}`);
    const went = Boolean(card) && leaves(address, data);
    nameClass([data.get("ids")], answer);
    if (went) removeCards([data.get("ids")]);
    if (went && !next) return Viewer.dialog().close();
    return Viewer.open(next && (went || walks) ? next : Viewer.here);
  },
};

document.addEventListener("click", (event) => {
  const link = event.target.closest("[data-opens]");
  if (link && Viewer.place() && !(event.ctrlKey || event.metaKey || event.shiftKey)) {
    event.preventDefault();
    Viewer.open(link.href);
  }
  if (event.target.matches("[data-close]")) Viewer.dialog().close();
  if (event.target === Viewer.dialog()) Viewer.dialog().close(); // beside it
});
document.addEventListener("dblclick", (event) => {
  const link = event.target.closest("[data-grid] .sample")?.querySelector("[data-opens]");
  if (link) Viewer.open(link.href);
});

document.addEventListener("keydown", (event) => {
  const place = Viewer.place();
  if (!place || !place.querySelector("[data-picture]") || event.ctrlKey || event.metaKey || event.altKey) return;
  if (Viewer.dialog() && !Viewer.dialog().open) return;
  if (event.target.matches("input, select, textarea")) return;
  if (event.key === "ArrowRight" || event.key === "ArrowLeft") {
    if (Viewer.walk(event.key === "ArrowRight" ? "next" : "previous")) event.preventDefault();
    return;
  }
  const button = place.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
  if (button) {
    event.preventDefault();
    Viewer.byKey = true;
    button.click();
  }
});

// An act on the picture that is open: show it as it is now, or the next one, where it went or a key was pressed.
document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.matches("[data-acts]") || !event.submitter) return;
  event.preventDefault();
  if (Viewer.acting) return;
  const walks = Viewer.byKey;
  Viewer.byKey = false;
  Viewer.acting = true;
  await Viewer.act(form, event.submitter, walks).finally(() => { Viewer.acting = false; });
});
