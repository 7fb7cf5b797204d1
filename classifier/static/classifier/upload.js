"use strict";
// Bringing pictures in: choose or drop pictures, a folder, or an archive. What a folder's files are, the server says.

const LOOKED_AT_ONCE = 200;
const MOST_TABLES = 24, MOST_TABLE_BYTES = 32 * 2 ** 20;

function nameFolder(path) {
  return `Folder “${path.split("/")[0]}”`;
}

// Options are layouts; what is written by hand the server understands by the name of its field.
function asAnswer([name, value]) {
  return [["other", "groups"].includes(name) ? name : "layout", value];
}

async function readEntry(entry, prefix, found) {
  const path = prefix + entry.name;
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    found.push({ file, path });
    return;
  }
  const reader = entry.createReader();
  for (;;) { // a reader hands out a hundred entries at a time
    const batch = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!batch.length) return;
    for (const child of batch) await readEntry(child, path + "/", found);
  }
}

class Uploader extends UploadSender {
  constructor(area) {
    super(area);
    this.listen();
    this.interrupted = new InterruptedUploads(this);
  }

  listen() {
    const drop = this.part("drop");
    for (const name of ["dragenter", "dragover"]) {
      drop.addEventListener(name, (event) => { event.preventDefault(); drop.classList.add("over"); });
    }
    for (const name of ["dragleave", "drop"]) drop.addEventListener(name, () => drop.classList.remove("over"));
    drop.addEventListener("drop", (event) => { event.preventDefault(); this.takeDrop(event.dataTransfer); });
    this.onPick("pick", (files) => this.takePictures(files));
    this.onPick("pick-archive", (files) => this.sendArchive(files[0]));
    this.onPick("pick-folder", (files) => this.takeFolder(files.map((file) => ({ file, path: file.webkitRelativePath }))));
    this.part("cancel").addEventListener("click", () => this.cancel());
    this.part("retry").addEventListener("click", () => this.retry());
    window.addEventListener("beforeunload", (event) => { if (this.running()) event.preventDefault(); });
  }

  onPick(name, take) {
    const input = this.part(name);
    if (!input) return;
    input.addEventListener("change", () => {
      const files = [...input.files];
      input.value = "";
      if (files.length) take(files);
    });
  }

  async takeDrop(transfer) {
    const entries = [...transfer.items].map((item) => item.webkitGetAsEntry && item.webkitGetAsEntry()).filter(Boolean);
    const plain = [...transfer.files];
    const alone = plain.length === 1 && !this.area.dataset.class ? plain[0] : null;
    if (alone && (this.isTakenWhole(alone) || this.endsAs(alone.name, "others"))) return this.sendArchive(alone);
    if (!entries.some((entry) => entry.isDirectory)) return this.takePictures(plain);
    const found = [];
    try {
      for (const entry of entries) await readEntry(entry, "", found);
    } catch (error) {
      return this.say(`The folder could not be read: ${error.message}`);
    }
    return this.takeFolder(found);
  }

  async takeFolder(found, accepted = false) {
    if (this.running()) return this.say(BUSY);
    if (!found.length) return this.say("There are no files in this folder.");
    found.sort((one, other) => (one.path < other.path ? -1 : 1));
    this.beginAnew();
    this.again = accepted;
    this.hidePlan();
    this.say("Looking at the folder…");
    return this.planFolder(found, [], accepted);
  }

  // Send what is missing of a folder that was interrupted.
  takeFolderAgain(source, files) {
    const found = files.map((file) => ({ file, path: file.webkitRelativePath }));
    if (nameFolder(found[0].path) !== source) return this.say(`This is another folder. Choose this one: ${source}`);
    return this.takeFolder(found, true);
  }

  // The browser looks at the disk for each size: with ten thousand files the page would stand still for seconds.
  async readSizes(found) {
    const sizes = [];
    for (const { file } of found) {
      sizes.push(file.size);
      if (sizes.length % LOOKED_AT_ONCE) continue;
      this.say(`Looking at the folder: ${sizes.length} of ${found.length}`);
      await new Promise((resolve) => { setTimeout(resolve); });
    }
    return sizes;
  }

  // Ask the server what the files are, and the person what is doubtful; then send them.
  async planFolder(found, answers, accepted = false) {
    const { patience } = this;
    const sizes = await this.readSizes(found);
    if (patience !== this.patience) return undefined; // another folder was chosen meanwhile
    const form = new FormData();
    form.append("paths", asFile(found.map(({ path }, place) => [path, sizes[place]])));
    const tables = found.filter(({ file, path }) => this.endsAs(path, "tables") && file.size <= MOST_TABLE_BYTES);
    tables.sort((one, other) => one.path.split("/").length - other.path.split("/").length);
    for (const { file, path } of tables.slice(0, MOST_TABLES)) {
      form.append("table_path", path);
      form.append("table", file);
    }
    for (const [name, answer] of answers) form.append(name, answer);
    let plan;
    try {
      plan = await this.request(this.area.dataset.plan, form);
    } catch (error) {
      return error.status === CANCELLED ? undefined : this.say(error.message);
    }
    const shown = this.part("plan-form");
    shown.innerHTML = plan.html; // made by the server's template, which escapes all names
    shown.hidden = false;
    const [files, leftOut] = this.sort(found, plan);
    const send = () => this.sendFolder(found, files, leftOut, plan.web, form);
    if (plan.ready && accepted) return send();
    this.part("progress").hidden = true; // nothing is under way
    shown.querySelector("input[type=radio], [name=accept]").focus();
    fillStrips(shown, files);
    shown.onsubmit = (event) => {
      event.preventDefault();
      const given = [...new FormData(shown)].filter(([, value]) => value);
      const accept = event.submitter.name === "accept";
      if (accept && plan.ready && !given.length) send();
      else this.planFolder(found, [["layout", plan.layout], ...given.map(asAnswer)], accept);
    };
    return undefined;
  }

  // The files to be sent, and what is left out.
  sort(found, plan) {
    const files = [], leftOut = [];
    found.forEach((entry, place) => {
      const [label, split, group, reason] = plan.kinds[plan.files[place]] || [null, "", "", ""];
      if (plan.files[place] < 0) return;
      if (reason) leftOut.push([entry.path, reason]);
      else files.push({ ...entry, label, split, group, frames: plan.frames });
    });
    return [files, leftOut];
  }

  // `form` is what the folder was planned by. Of one that is sent again, the server fetches its pictures already.
  async sendFolder(found, files, leftOut, web, form) {
    for (const part of this.part("plan-form").querySelectorAll("details, .buttons")) part.remove();
    const source = nameFolder(found[0].path);
    if (web && !this.again && !(await this.fetchFromWeb(web, form, source, files.length))) return undefined;
    if (!files.length) return web ? undefined : this.say("There are no pictures in this folder.");
    return this.start(files, source, leftOut);
  }

  // Let the server fetch what the folder's tables name at web addresses; return whether it does.
  async fetchFromWeb(web, form, source, others) {
    this.say("Starting…");
    form.append("source", source);
    try {
      const { url } = await this.request(this.area.dataset.fetch, form);
      if (!others) window.location.assign(url);
      this.tellFetched(web, url);
      return true;
    } catch (error) {
      this.say(error.status === CANCELLED ? "Cancelled." : error.message);
      return false;
    }
  }

  tellFetched(web, url) {
    const link = Object.assign(document.createElement("a"), { href: url, textContent: "Show how far that is" });
    const place = this.part("fetched");
    place.replaceChildren(`${web} picture${web === 1 ? "" : "s"} named by a table are fetched from the web meanwhile. `, link);
    place.hidden = false;
  }

  takePictures(files) {
    const label = this.area.dataset.class;
    if (label) return this.uploadTo(label, files);
    const ask = this.part("ask");
    ask.hidden = false;
    const input = ask.querySelector("input");
    input.focus();
    ask.onsubmit = (event) => { event.preventDefault(); ask.hidden = true; this.uploadTo(input.value.trim(), files); };
    this.part("ask-cancel").onclick = () => { ask.hidden = true; };
    return undefined;
  }

  uploadTo(label, files) {
    this.hidePlan();
    const jobs = files.map((file) => ({ file, path: file.name, label }));
    return this.start(jobs, `${files.length === 1 ? "1 picture" : `${files.length} pictures`} of “${label}”`);
  }
}

for (const area of document.querySelectorAll("[data-upload]")) {
  const uploader = new Uploader(area);
  area.uploader = uploader; // the camera refreshes the page, too
  // A class in the list takes pictures too. The list is replaced after an upload, so its parent listens.
  const rowOf = (event) => (event.target instanceof Element ? event.target.closest("[data-drop-class]") : null);
  for (const name of ["dragover", "dragleave", "drop"]) {
    document.addEventListener(name, (event) => {
      const row = rowOf(event);
      if (!row) return;
      event.preventDefault();
      row.classList.toggle("over", name === "dragover");
      if (name === "drop") uploader.uploadTo(row.dataset.dropClass, [...event.dataTransfer.files]);
    });
  }
  // So may the list of uploads have a button for a folder that was interrupted.
  document.addEventListener("change", (event) => {
    const { source } = event.target.dataset;
    if (!source || !event.target.files.length) return;
    uploader.takeFolderAgain(source, [...event.target.files]);
    event.target.value = "";
  });
}
