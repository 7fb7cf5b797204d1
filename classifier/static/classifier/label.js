"use strict";
// Labelling by keyboard. Pictures are fetched ahead and labels are sent behind, so that nobody waits in between.

(() => {
  const area = document.querySelector("[data-labelling]");
  const find = (name) => area.querySelector(`[data-${name}]`);
  const image = find("current");
  const buttons = [...area.querySelectorAll("[data-class]")];
  const said = find("said");
  const order = document.querySelector("[data-order]");
  const LOW = 15; // pictures that are left when more are fetched

  let waiting = []; // to be labelled, the current one first
  let done = []; // what can be undone: {picture, change: a promise of its id}
  const seen = new Set(); // never to be sent again
  let fetching = null;
  let left = 0;
  let exhausted = false;
  let sending = Promise.resolve(); // one after the other, in the order of the keys

  async function post(address, fields) {
    const headers = { Accept: "application/json", "X-CSRFToken": document.body.dataset.csrf };
    let response, answer;
    try {
      response = await fetch(address, { method: "POST", body: new URLSearchParams(fields), headers });
      answer = await response.json();
    } catch {
      throw new Error("The site cannot be reached.");
    }
    if (!response.ok) throw new Error(answer.error || "This cannot be done now.");
    return answer;
  }

  function fetchMore() {
    if (fetching || exhausted || waiting.length > LOW) return;
    fetching = (async () => {
      try {
        const answer = await post(area.dataset.queue, { order: order.value, skip: [...seen].join(",") });
        exhausted = answer.pictures.length === 0;
        left = Math.max(answer.left - unsent(), 0);
        for (const picture of answer.pictures) {
          seen.add(picture.id);
          new Image().src = picture.image; // it is in the cache when its turn comes
          waiting.push(picture);
        }
      } catch (error) {
        said.textContent = `${error.message} Trying again…`;
        window.setTimeout(() => { fetching = null; fetchMore(); }, 3000);
        return;
      }
      fetching = null;
      show();
    })();
  }

  const pending = new Set();
  const unsent = () => pending.size;

  function show() {
    const [picture] = waiting;
    document.querySelector("[data-left]").textContent = left.toLocaleString();
    find("undo-label").disabled = done.length === 0;
    for (const button of [...buttons, find("skip"), find("trash")]) button.disabled = !picture;
    if (!picture) {
      image.hidden = true;
      find("empty").hidden = false;
      find("empty").textContent = exhausted ? "That was the last one. Well done." : "Loading…";
      find("file").textContent = "\u00a0";
      for (const button of buttons) showShare(button, []);
      return;
    }
    find("empty").hidden = true;
    image.hidden = false;
    if (!image.src.endsWith(picture.image)) image.src = picture.image;
    image.alt = picture.file;
    find("file").textContent = picture.file;
    for (const button of buttons) showShare(button, picture.suggestions);
  }

  function showShare(button, suggestions) {
    const place = suggestions.findIndex((one) => String(one.class) === button.dataset.class);
    button.querySelector("[data-share]").textContent = place < 0 ? "" : `${Math.round(100 * suggestions[place].share)} %`;
    button.classList.toggle("suggested", place === 0);
    button.setAttribute("aria-pressed", place === 0);
  }

  function nameOf(pk) {
    return area.querySelector(`[data-class="${pk}"] .label-name`).textContent;
  }

  // Send in the background; what fails comes again after the picture that the next key is meant for.
  function send(picture, address, fields, words) {
    pending.add(picture.id);
    const change = sending.then(() => post(address, fields)).then((answer) => answer.change);
    sending = change.catch(() => {});
    const act = { picture, change };
    done.push(act);
    said.textContent = words;
    change.then(() => pending.delete(picture.id), (error) => {
      pending.delete(picture.id);
      if (!done.includes(act)) return; // it was undone meanwhile
      done = done.filter((other) => other !== act);
      waiting.splice(1, 0, picture);
      left += 1;
      said.textContent = `${error.message} ${picture.file} comes again.`;
      show();
    });
  }

  function label(pk) {
    const picture = waiting.shift();
    if (!picture) return;
    left = Math.max(0, left - 1);
    send(picture, area.dataset.label, { ids: picture.id, to: pk }, `${picture.file}: ${nameOf(pk)}`);
    show();
    fetchMore();
  }

  function skip() {
    const picture = waiting.shift();
    if (picture) done.push({ picture, change: null });
    said.textContent = picture ? `${picture.file}: skipped` : "";
    show();
    fetchMore();
  }

  function trash() {
    const picture = waiting.shift();
    if (!picture) return;
    left = Math.max(0, left - 1);
    send(picture, area.dataset.delete, { ids: picture.id }, `${picture.file}: moved to the trash`);
    show();
    fetchMore();
  }

  async function undo() {
    const act = done.pop();
    if (!act) return;
    waiting.unshift(act.picture);
    if (act.change) left += 1;
    said.textContent = `${act.picture.file}: undone`;
    show();
    if (!act.change) return;
    try {
      const pk = await act.change;
      sending = sending.then(() => post(area.dataset.undo.replace("/0/", `/${pk}/`), {})).catch((error) => {
        said.textContent = error.message;
      });
    } catch { /* it was never sent */ }
  }

  // What the version had not seen when it was fetched: ask again until it has.
  async function askAgain() {
    const unknown = waiting.filter((picture) => !picture.suggestions.length);
    if (!unknown.length) return;
    try {
      const answer = await post(area.dataset.suggest, { ids: unknown.map((picture) => picture.id).join(",") });
      for (const picture of unknown) picture.suggestions = answer.suggestions[picture.id] || [];
      show();
    } catch { /* the next time then */ }
  }
  if (area.dataset.suggest) window.setInterval(askAgain, 2000);

  area.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.dataset.class) label(button.dataset.class);
    if ("skip" in button.dataset) skip();
    if ("trash" in button.dataset) trash();
    if ("undoLabel" in button.dataset) undo();
  });

  // Typing narrows the classes; Enter takes the first that is left.
  const search = find("find");
  const found = () => buttons.filter((button) => !button.hidden);
  search.addEventListener("input", () => {
    const wanted = search.value.trim().toLowerCase();
    for (const button of buttons) button.hidden = !button.querySelector(".label-name").textContent.toLowerCase().includes(wanted);
  });
  search.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== "Escape") return;
    event.preventDefault();
    event.stopPropagation();
    const [first] = found();
    if (event.key === "Enter" && search.value.trim() && first) label(first.dataset.class);
    search.value = "";
    for (const button of buttons) button.hidden = false;
    search.blur();
  });

  document.addEventListener("keydown", (event) => {
    if (event.altKey || event.target.matches("input, select, textarea, summary, a")) return;
    if ((event.ctrlKey || event.metaKey) && event.key !== "z") return;
    const key = event.key.toLowerCase();
    const numbered = area.querySelector(`[data-key="${CSS.escape(key)}"]`);
    const suggested = area.querySelector(".suggested");
    if (numbered) label(numbered.dataset.class);
    else if (key === "enter" && suggested && !event.target.matches("button:not(.suggested)")) label(suggested.dataset.class);
    else if (key === "s" || key === "arrowright") skip();
    else if (key === "u" || key === "z" || key === "backspace") undo();
    else if (key === "delete") trash();
    else if (key === "/") search.focus();
    else return;
    event.preventDefault();
  });

  // Whoever leaves while labels are on their way is asked.
  window.addEventListener("beforeunload", (event) => {
    if (unsent()) event.preventDefault();
  });
  order.addEventListener("change", () => order.form.requestSubmit());
  fetchMore();
})();
