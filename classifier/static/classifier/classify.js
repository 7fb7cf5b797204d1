"use strict";
// Pictures to answers: drop, paste or choose several; each is asked about in a request of its own.

const AT_ONCE = 2;
const LARGEST_PREVIEWS = 100;

class Classifier {
  constructor(form) {
    this.form = form;
    this.answers = document.querySelector("[data-answers]");
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

  async ask({ file, place }) {
    const body = new FormData();
    body.append("image", file);
    const headers = { "X-CSRFToken": document.body.dataset.csrf };
    try {
      const response = await fetch(window.location.pathname + window.location.search, { method: "POST", body, headers });
      const holder = document.createElement("template");
      holder.innerHTML = await response.text(); // our own server's fragment; names in it are escaped there
      const answer = holder.content.querySelector(".answer");
      if (!answer) throw new Error(holder.content.textContent.trim() || `The server answered with error ${response.status}.`);
      const preview = place.querySelector(".answer-picture");
      place.replaceWith(answer); // into this document first: a picture that changes documents loads anew
      answer.querySelector("[data-thumb]").replaceWith(preview);
    } catch (error) {
      place.classList.remove("busy");
      place.lastChild.textContent = error.message || "The connection was lost.";
    }
  }
}

for (const form of document.querySelectorAll("[data-classify]")) new Classifier(form);
