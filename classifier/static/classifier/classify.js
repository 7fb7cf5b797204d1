"use strict";
// Pictures to answers: drop, paste or choose several; each is asked about in a request of its own.

const AT_ONCE = 2;
const LARGEST_PREVIEWS = 100;

class Classifier {
  constructor(form) {
    this.form = form;
    this.answers = document.querySelector("[data-answers]");
    this.files = new WeakMap(); // of the answers, to ask again why
    this.queue = [];
    this.busy = 0;
    const drop = form.querySelector("[data-drop]");
    for (const name of ["dragenter", "dragover"]) {
      drop.addEventListener(name, (event) => { event.preventDefault(); drop.classList.add("over"); });
    }
    for (const name of ["dragleave", "drop"]) drop.addEventListener(name, () => drop.classList.remove("over"));
    drop.addEventListener("drop", (event) => { event.preventDefault(); this.take(event.dataTransfer.files); });
    document.addEventListener("paste", (event) => this.take(event.clipboardData.files));
    const pick = form.querySelector("[data-pick]");
    pick.addEventListener("change", () => { this.take(pick.files); pick.value = ""; });
    this.answers.addEventListener("click", (event) => {
      const button = event.target.closest("[data-why]");
      if (button) this.explain(button.closest(".answer"), button);
    });
  }

  take(files) {
    for (const file of files) {
      const place = document.createElement("div");
      place.className = "card answer busy";
      place.append(this.preview(file), document.createTextNode("Classifying…"));
      this.answers.prepend(place);
      this.queue.push({ file, place });
    }
    while (this.answers.children.length > LARGEST_PREVIEWS) this.answers.lastElementChild.remove();
    for (let n = this.busy; n < AT_ONCE; n += 1) this.work();
  }

  preview(file) {
    const box = document.createElement("div");
    box.className = "answer-picture";
    const picture = document.createElement("img");
    picture.alt = "";
    picture.onload = () => URL.revokeObjectURL(picture.src);
    picture.onerror = () => picture.remove();
    picture.src = URL.createObjectURL(file);
    box.append(picture);
    return box;
  }

  async work() {
    this.busy += 1;
    for (let item = this.queue.shift(); item; item = this.queue.shift()) await this.ask(item);
    this.busy -= 1;
  }

  // Return the answer about a file; with why it is so for a class ("" for the likeliest) if that is wanted.
  async send(file, why) {
    const body = new FormData();
    body.append("image", file);
    if (why !== undefined) body.append("why", why);
    const headers = { "X-CSRFToken": document.body.dataset.csrf };
    const response = await fetch(this.form.action, { method: "POST", body, headers });
    const holder = document.createElement("template");
    holder.innerHTML = await response.text(); // our own server's fragment; names in it are escaped there
    const answer = holder.content.querySelector(".answer");
    if (!answer) throw new Error(holder.content.textContent.trim() || `The server answered with error ${response.status}.`);
    for (const part of answer.querySelectorAll("[data-scripted]")) part.hidden = false; // useless without this script
    return answer;
  }

  async explain(answer, button) {
    const place = answer.querySelector("[data-why-here]");
    button.disabled = true;
    place.classList.add("busy");
    try {
      const found = await this.send(this.files.get(answer), button.dataset.why);
      const why = found.querySelector("[data-why-part]");
      if (!why) throw new Error(found.querySelector(".error")?.textContent);
      const inside = place.contains(button);
      place.replaceChildren(why);
      // The button that was pressed is gone: whoever uses the keyboard goes on from what it brought.
      if (inside) { why.tabIndex = -1; why.focus(); }
    } catch (error) {
      place.textContent = error.message || "The connection was lost.";
    }
    place.classList.remove("busy");
    button.disabled = false;
  }

  async ask({ file, place }) {
    try {
      const answer = await this.send(file);
      const preview = place.querySelector(".answer-picture");
      place.replaceWith(answer); // into this document first: a picture that changes documents loads anew
      answer.querySelector("[data-thumb]").replaceWith(preview);
      this.files.set(answer, file);
    } catch (error) {
      place.classList.remove("busy");
      place.lastChild.textContent = error.message || "The connection was lost.";
    }
  }
}

function prepareForms() {
  for (const form of document.querySelectorAll("[data-classify]:not([data-ready])")) {
    form.dataset.ready = "";
    new Classifier(form);
  }
}
prepareForms();
document.addEventListener("part-renewed", prepareForms); // a training has ended, and its version can be asked
