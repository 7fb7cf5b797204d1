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
      const sending = this.uploader.parts;
      const left = found.filter((one) => !(sending && isSameFile(one, sending.file)));
      this.place.replaceChildren(...left.map((one) => this.row(one)));
      this.place.hidden = !left.length;
    } catch (error) {
      this.place.hidden = true; // the upload itself says what is wrong
    }
  }

  row(one) {
    const row = document.createElement("li");
    const name = document.createElement("strong");
    name.textContent = one.name;
    const text = document.createElement("span");
    const [came, missing] = [one.offset, one.size - one.offset].map(sizeInWords);
    text.append(name, ` ${came} of ${sizeInWords(one.size)} have come, ${missing} are missing.`);
    const bar = document.createElement("progress");
    Object.assign(bar, { max: one.size, value: one.offset });
    bar.setAttribute("aria-label", `How much has come of ${one.name}`);
    row.append(text, bar, this.chooser(one), this.discarder(one));
    return row;
  }

  chooser(one) {
    const choose = document.createElement("label");
    choose.className = "button small";
    const input = document.createElement("input");
    input.type = "file";
    input.setAttribute("aria-label", `Choose ${one.name} again to go on`);
    input.addEventListener("change", () => this.goOn(one, input.files[0]));
    choose.append("Choose the file again to go on", input);
    return choose;
  }

  discarder(one) {
    const discard = document.createElement("button");
    Object.assign(discard, { type: "button", className: "small", textContent: "Discard" });
    discard.setAttribute("aria-label", `Discard ${one.name}`);
    discard.addEventListener("click", () => this.discard(one));
    return discard;
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
