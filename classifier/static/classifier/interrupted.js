"use strict";
// Archives of which parts are missing: listed, to go on with or to be discarded.

function isSameFile(one, file) {
  return one.name === file.name && one.size === file.size && one.last_modified === file.lastModified;
}

class InterruptedUploads {
  constructor(uploader) {
    this.uploader = uploader;
    this.address = uploader.area.dataset.resumable;
    this.place = uploader.part("interrupted");
    if (this.place) this.show();
  }

  async show() {
    if (!this.place) return;
    try {
      const found = (await askApi("GET", this.address)).response;
      this.place.replaceChildren(...found.map((one) => this.row(one)));
      this.place.hidden = !found.length;
    } catch (error) {
      this.place.hidden = true; // the upload itself says what is wrong
    }
  }

  row(one) {
    const row = document.createElement("li");
    const text = document.createElement("span");
    text.textContent = `${one.name}: ${sizeInWords(one.offset)} of ${sizeInWords(one.size)}, choose the file again to go on`;
    const choose = document.createElement("label");
    choose.className = "button small";
    const input = document.createElement("input");
    input.type = "file";
    input.setAttribute("aria-label", `Choose ${one.name} again`);
    input.addEventListener("change", () => this.goOn(one, input.files[0]));
    choose.append("Choose", input);
    const discard = document.createElement("button");
    Object.assign(discard, { type: "button", className: "small", textContent: "Discard" });
    discard.setAttribute("aria-label", `Discard ${one.name}`);
    discard.addEventListener("click", () => this.discard(one));
    row.append(text, choose, discard);
    return row;
  }

  goOn(one, file) {
    if (!file) return undefined;
    if (isSameFile(one, file)) return this.uploader.sendArchive(file);
    return this.uploader.say(`This is another file: name, size or date are not those of “${one.name}”.`);
  }

  async discard(one) {
    if (!window.confirm(`Discard what has come of ${one.name}?`)) return;
    try {
      await askApi("DELETE", `${this.address}/${one.id}`);
    } catch (error) {
      this.uploader.say(error.message);
    }
    await this.show();
  }
}
