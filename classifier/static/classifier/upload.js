"use strict";
// Bringing pictures in: choose or drop pictures, a folder whose sub-folders are the classes, or an archive.
// Pictures travel one request each, a few at a time, so that there is no limit on how many.

const AT_ONCE = 3;
const SHOWN = 200; // rows for files; of those that went well only the newest stay
const ARCHIVE = /\.(zip|tar|tgz|tar\.gz|tar\.bz2|tar\.xz)$/i;
const LITTER = /(^|\/)(\.[^/]*|Thumbs\.db|desktop\.ini|__MACOSX)(\/|$)/i;

// "flower_photos/daisy/1.jpg" -> "daisy". A file that lies beside class folders belongs to none.
function classOfPath(path, folders) {
  const parts = path.split("/");
  if (parts.length < 2) return "";
  const folder = parts.slice(0, -1).join("/");
  const holdsFolders = [...folders].some((other) => other.startsWith(folder + "/"));
  return parts.length === 2 && holdsFolders ? "" : parts[parts.length - 2];
}

function withClasses(found) {
  const kept = found.filter(({ path }) => !LITTER.test(path));
  const folders = new Set(kept.map(({ path }) => path.split("/").slice(0, -1).join("/")));
  kept.sort((one, other) => (one.path < other.path ? -1 : 1));
  return kept.map(({ file, path }) => ({ file, path, label: classOfPath(path, folders) }));
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

class Uploader {
  constructor(area) {
    this.area = area;
    this.part = (name) => area.querySelector(`[data-${name}]`);
    this.files = [];
    this.listen();
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
    if (plain.length === 1 && ARCHIVE.test(plain[0].name) && !this.area.dataset.class) return this.sendArchive(plain[0]);
    if (!entries.some((entry) => entry.isDirectory)) return this.takePictures(plain);
    const found = [];
    try {
      for (const entry of entries) await readEntry(entry, "", found);
    } catch (error) {
      return this.say(`The folder could not be read: ${error.message}`);
    }
    return this.takeFolder(found);
  }

  takeFolder(found) {
    const files = withClasses(found);
    if (!files.length) return this.say("There are no files in this folder.");
    return this.start(files, `Folder “${found[0].path.split("/")[0]}”`);
  }

  takePictures(files) {
    const label = this.area.dataset.class;
    const upload = (name) => this.start(files.map((file) => ({ file, path: file.name, label: name })), `${files.length} pictures of “${name}”`);
    if (label) return upload(label);
    const ask = this.part("ask");
    ask.hidden = false;
    const input = ask.querySelector("input");
    input.focus();
    ask.onsubmit = (event) => { event.preventDefault(); ask.hidden = true; upload(input.value.trim()); };
    this.part("ask-cancel").onclick = () => { ask.hidden = true; };
    return undefined;
  }

  say(text) {
    this.part("progress").hidden = false;
    this.part("summary").textContent = text;
  }

  running() {
    return this.files.some((job) => job.state === "waiting" || job.state === "sending");
  }

  async start(files, source) {
    if (this.running()) return this.say("Wait for the files that are on their way, or cancel them.");
    this.part("files").replaceChildren();
    this.cancelled = false;
    this.begun = Date.now();
    this.files = files.map((file) => ({ ...file, state: "waiting", sent: 0 }));
    this.say("Starting…");
    const form = new FormData();
    form.append("source", source);
    try {
      const answer = await this.request(this.area.dataset.start, form);
      this.upload = answer.upload;
      this.part("report").href = answer.url;
    } catch (error) {
      this.files = [];
      return this.say(error.message);
    }
    return this.run();
  }

  async run() {
    this.part("cancel").hidden = false;
    this.part("retry").hidden = true;
    await Promise.all(Array.from({ length: AT_ONCE }, () => this.worker()));
    this.part("cancel").hidden = true;
    this.part("report").hidden = false;
    const failed = this.files.some((job) => job.state === "failed" || job.state === "cancelled");
    this.part("retry").hidden = !failed;
    this.show();
    this.refresh();
  }

  // What is shown below the upload area is asked for anew; the area itself keeps what it says.
  refresh() {
    window.htmx.ajax("GET", window.location.pathname, { target: "#pictures", select: "#pictures", swap: "outerHTML" });
  }

  async worker() {
    for (;;) {
      const job = this.cancelled ? null : this.files.find((candidate) => candidate.state === "waiting");
      if (!job) return;
      await this.send(job);
    }
  }

  async send(job) {
    job.state = "sending";
    this.addRow(job);
    const form = new FormData();
    form.append("class", job.label);
    form.append("name", job.path);
    form.append("file", job.file);
    try {
      const url = this.area.dataset.picture.replace("/0/", `/${this.upload}/`);
      const answer = await this.request(url, form, job);
      job.state = answer.status;
      job.reason = answer.reason;
    } catch (error) {
      job.state = this.cancelled ? "cancelled" : "failed";
      job.reason = this.cancelled ? "" : error.message;
    }
    this.endRow(job);
    this.show();
  }

  request(url, form, job) {
    return new Promise((resolve, reject) => {
      const call = new XMLHttpRequest();
      if (job) job.call = call;
      call.open("POST", url);
      call.setRequestHeader("X-CSRFToken", document.body.dataset.csrf);
      call.responseType = "json";
      call.timeout = 0;
      call.upload.onprogress = (event) => {
        if (!job) return;
        job.sent = event.loaded / event.total;
        if (job.bar) job.bar.value = job.sent;
        this.show();
      };
      call.onload = () => {
        if (call.status < 400 && call.response) resolve(call.response);
        else reject(new Error((call.response && call.response.error) || `The server answered with error ${call.status}.`));
      };
      call.onerror = () => reject(new Error("The connection broke off."));
      call.onabort = () => reject(new Error("Cancelled."));
      call.send(form);
    });
  }

  cancel() {
    this.cancelled = true;
    for (const job of this.files) {
      if (job.state === "sending" && job.call) job.call.abort();
      if (job.state === "waiting") job.state = "cancelled";
    }
  }

  retry() {
    this.cancelled = false;
    this.begun = Date.now();
    for (const job of this.files) if (job.state === "failed" || job.state === "cancelled") job.state = "waiting";
    this.run();
  }

  async sendArchive(file) {
    if (this.running()) return this.say("Wait for the files that are on their way, or cancel them.");
    if (!ARCHIVE.test(file.name)) return this.say("Choose a .zip, .tar, .tgz, .tar.gz, .tar.bz2 or .tar.xz file.");
    const job = { file, path: file.name, label: "", state: "sending", sent: 0 };
    this.files = [job];
    this.begun = Date.now();
    this.cancelled = false;
    this.part("files").replaceChildren();
    this.part("cancel").hidden = false;
    this.say("Sending the archive…");
    this.addRow(job);
    const form = new FormData();
    form.append("file", file);
    try {
      const answer = await this.request(this.area.dataset.archive, form, job);
      this.files = [];
      window.location.assign(answer.url);
    } catch (error) {
      job.state = "failed";
      job.reason = this.cancelled ? "" : error.message;
      this.endRow(job);
      this.part("cancel").hidden = true;
      this.say(this.cancelled ? "Cancelled." : error.message);
    }
    return undefined;
  }

  addRow(job) {
    if (job.row) job.row.remove();
    job.row = document.createElement("li");
    const name = document.createElement("span");
    name.className = "name";
    name.textContent = job.path;
    job.bar = document.createElement("progress");
    job.bar.max = 1;
    job.bar.value = 0;
    job.bar.setAttribute("aria-label", job.path);
    job.row.append(name, job.bar);
    this.part("files").prepend(job.row);
  }

  endRow(job) {
    const words = { stored: "stored", duplicate: "already there", rejected: "rejected", failed: "failed", cancelled: "cancelled" };
    const badge = document.createElement("span");
    badge.className = `badge ${job.state}`;
    badge.textContent = words[job.state] || job.state;
    job.bar.replaceWith(badge);
    if (job.reason) {
      const why = document.createElement("span");
      why.className = "why";
      why.textContent = job.reason;
      job.row.append(why);
    }
    const rows = this.part("files").children;
    const well = (row) => row.querySelector(".stored");
    if (rows.length > SHOWN) {
      const oldest = [...rows].reverse().find(well);
      if (oldest) oldest.remove();
    }
  }

  show() {
    const count = (state) => this.files.filter((job) => job.state === state).length;
    const total = this.files.length;
    const waiting = count("waiting");
    const sending = this.files.filter((job) => job.state === "sending");
    const done = total - waiting - sending.length;
    const parts = sending.reduce((sum, job) => sum + job.sent, 0);
    this.part("whole").value = total ? (done + parts) / total : 0;
    const words = [`${done} of ${total} files`];
    for (const [state, text] of [["stored", "stored"], ["duplicate", "already there"], ["rejected", "rejected"], ["failed", "failed"], ["cancelled", "cancelled"]]) {
      if (count(state)) words.push(`${count(state)} ${text}`);
    }
    const seconds = (Date.now() - this.begun) / 1000;
    if ((waiting || sending.length) && done > 3 && seconds > 1) {
      const rate = done / seconds;
      words.push(`${rate.toFixed(rate < 10 ? 1 : 0)} a second`, `${Math.ceil((total - done) / rate)} s left`);
    }
    if (total > 1 || done) this.part("summary").textContent = words.join(" · ");
  }
}

for (const area of document.querySelectorAll("[data-upload]")) new Uploader(area);
