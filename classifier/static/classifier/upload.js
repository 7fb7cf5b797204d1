"use strict";
// Bringing pictures in: choose or drop pictures, a folder, or an archive. What a folder's files are, the server says.
// Pictures travel one request each, a few at a time, so that there is no limit on how many.

const AT_ONCE = 3;
const SHOWN = 200; // rows for files; of those that went well only the newest stay
const ARCHIVE = /\.(zip|tar|tgz|tar\.gz|tar\.bz2|tar\.xz|tm)$/i;
const TABLE = /\.(csv|tsv|json|jsonl|ndjson|manifest|xml|txt|lst)$/i; // sent along to be planned with
const MOST_TABLES = 24, MOST_TABLE_BYTES = 32 * 2 ** 20;

function asFile(value) {
  return new Blob([JSON.stringify(value)], { type: "application/json" });
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
    this.take([]);
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

  async takeFolder(found) {
    if (this.running()) return this.say("Wait until the current upload has finished, or cancel it.");
    if (!found.length) return this.say("There are no files in this folder.");
    found.sort((one, other) => (one.path < other.path ? -1 : 1));
    this.say("Looking at the folder…");
    return this.planFolder(found, []);
  }

  // Ask the server what the files are, and the person what is doubtful; then send them.
  async planFolder(found, answers) {
    const form = new FormData();
    form.append("paths", asFile(found.map(({ file, path }) => [path, file.size])));
    const tables = found.filter(({ file, path }) => TABLE.test(path) && file.size <= MOST_TABLE_BYTES);
    tables.sort((one, other) => one.path.split("/").length - other.path.split("/").length);
    for (const { file, path } of tables.slice(0, MOST_TABLES)) {
      form.append("table_path", path);
      form.append("table", file);
    }
    for (const answer of answers) form.append("layout", answer);
    let plan;
    try {
      plan = await this.request(this.area.dataset.plan, form);
    } catch (error) {
      return this.say(error.message);
    }
    const shown = this.part("plan-form");
    shown.innerHTML = plan.html; // made by the server's template, which escapes all names
    shown.hidden = false;
    if (plan.ready) return this.sendFolder(found, plan);
    this.say("Please say how this folder is to be read.");
    shown.querySelector("input").focus();
    shown.onsubmit = (event) => {
      event.preventDefault();
      this.planFolder(found, [...answers, ...[...new FormData(shown).values()].filter(Boolean)]);
    };
    return undefined;
  }

  sendFolder(found, plan) {
    const files = [], leftOut = [];
    found.forEach((entry, place) => {
      const [label, split, group, reason] = plan.kinds[plan.files[place]] || [null, "", "", ""];
      if (plan.files[place] < 0) return;
      if (reason) leftOut.push([entry.path, reason]);
      else files.push({ ...entry, label, split, group });
    });
    if (!files.length) return this.say("There are no pictures in this folder.");
    return this.start(files, `Folder “${found[0].path.split("/")[0]}”`, leftOut);
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

  say(text) {
    this.part("progress").hidden = false;
    this.part("summary").textContent = text;
  }

  // With tens of thousands of files every step must cost the same: states are counted as they change, and
  // the files that wait are a list of their own.
  take(files) {
    this.files = files;
    this.counts = {};
    this.sending = new Set();
    for (const job of files) this.enter(job, "waiting");
    this.waiting = [...files].reverse();
  }

  // A file that is not sent, for the list and the count.
  leaveOut(job) {
    this.files.push(job);
    this.enter(job, "rejected");
    if (this.count("rejected") > SHOWN) return;
    this.addRow(job);
    this.endRow(job);
  }

  enter(job, state) {
    if (job.state) this.counts[job.state] -= 1;
    job.state = state;
    this.counts[state] = this.count(state) + 1;
    if (state === "sending") this.sending.add(job);
    else this.sending.delete(job);
  }

  count(state) {
    return this.counts[state] || 0;
  }

  running() {
    return this.count("waiting") + this.count("sending") > 0;
  }

  async start(files, source, leftOut = []) {
    if (this.running()) return this.say("Wait until the current upload has finished, or cancel it.");
    this.part("files").replaceChildren();
    this.cancelled = false;
    this.begun = Date.now();
    this.take(files.map((file) => ({ ...file, sent: 0 })));
    for (const [path, reason] of leftOut) this.leaveOut({ path, reason });
    this.say("Starting…");
    const form = new FormData();
    form.append("source", source);
    form.append("left_out", asFile(leftOut));
    try {
      const answer = await this.request(this.area.dataset.start, form);
      this.upload = answer.upload;
      this.part("report").href = answer.url;
    } catch (error) {
      this.take([]);
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
    this.part("retry").hidden = this.count("failed") + this.count("cancelled") === 0;
    this.show();
    this.refresh();
  }

  // What is shown below the upload area is asked for anew; the area itself keeps what it says.
  refresh() {
    const options = { target: "#pictures", select: "#pictures", swap: "outerHTML" };
    if (document.getElementById("head")) options.selectOOB = "#head";
    window.htmx.ajax("GET", window.location.pathname, options);
  }

  async worker() {
    for (;;) {
      const job = this.cancelled ? undefined : this.waiting.pop();
      if (!job) return;
      await this.send(job);
    }
  }

  async send(job) {
    this.enter(job, "sending");
    this.addRow(job);
    const form = new FormData();
    if (job.label === null) form.append("unlabelled", "1");
    else form.append("class", job.label);
    form.append("split", job.split || "");
    form.append("group", job.group || "");
    form.append("name", job.path);
    form.append("file", job.file);
    try {
      const url = this.area.dataset.picture.replace("/uploads/0/", `/uploads/${this.upload}/`);
      const answer = await this.request(url, form, job);
      this.enter(job, answer.status);
      job.reason = answer.reason;
    } catch (error) {
      this.enter(job, this.cancelled ? "cancelled" : "failed");
      job.reason = this.cancelled ? "" : error.message;
    }
    this.endRow(job);
    this.show();
  }

  request(url, form, job, again = false) {
    return new Promise((resolve, reject) => {
      const call = new XMLHttpRequest();
      if (job) job.call = call;
      call.open("POST", url);
      call.setRequestHeader("X-CSRFToken", document.body.dataset.csrf);
      call.setRequestHeader("Accept", "application/json");
      call.responseType = "json";
      call.timeout = 0;
      call.upload.onprogress = (event) => {
        if (!job) return;
        job.sent = event.loaded / event.total;
        if (job.bar) job.bar.value = job.sent;
        this.show();
      };
      call.onload = () => {
        const fresh = call.response && call.response.csrf; // somebody signed in in another tab since the page was loaded
        if (fresh && !again) {
          document.body.dataset.csrf = fresh;
          resolve(this.request(url, form, job, true));
        } else if (call.status < 400 && call.response) resolve(call.response);
        else reject(new Error((call.response && call.response.error) || `The server answered with error ${call.status}.`));
      };
      call.onerror = () => reject(new Error("The connection was lost."));
      call.onabort = () => reject(new Error("Cancelled."));
      call.send(form);
    });
  }

  hidePlan() {
    const plan = this.part("plan-form");
    if (plan) plan.hidden = true;
  }

  cancel() {
    this.cancelled = true;
    if (!this.running()) { this.hidePlan(); this.part("progress").hidden = true; }
    for (const job of this.sending) if (job.call) job.call.abort();
    for (const job of this.waiting.splice(0)) this.enter(job, "cancelled");
  }

  retry() {
    this.cancelled = false;
    this.begun = Date.now();
    for (const job of this.files) {
      if (job.state !== "failed" && job.state !== "cancelled") continue;
      job.sent = 0;
      this.enter(job, "waiting");
      this.waiting.unshift(job);
    }
    this.run();
  }

  async sendArchive(file) {
    if (this.running()) return this.say("Wait until the current upload has finished, or cancel it.");
    if (!ARCHIVE.test(file.name)) return this.say("Choose a .zip, .tar, .tgz, .tar.gz, .tar.bz2, .tar.xz or .tm file.");
    const job = { file, path: file.name, label: "", sent: 0 };
    this.take([job]);
    this.waiting.pop();
    this.enter(job, "sending");
    this.begun = Date.now();
    this.cancelled = false;
    this.part("files").replaceChildren();
    this.part("cancel").hidden = false;
    this.say("Uploading the archive…");
    this.addRow(job);
    const form = new FormData();
    form.append("file", file);
    try {
      const answer = await this.request(this.area.dataset.archive, form, job);
      this.take([]);
      window.location.assign(answer.url);
    } catch (error) {
      this.enter(job, "failed");
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
    const total = this.files.length;
    const open = this.count("waiting") + this.count("sending");
    const done = total - open;
    const parts = [...this.sending].reduce((sum, job) => sum + job.sent, 0);
    this.part("whole").value = total ? (done + parts) / total : 0;
    const words = [`${done} of ${total} files`];
    for (const [state, text] of [["stored", "stored"], ["duplicate", "already there"], ["rejected", "rejected"], ["failed", "failed"], ["cancelled", "cancelled"]]) {
      if (this.count(state)) words.push(`${this.count(state)} ${text}`);
    }
    const seconds = (Date.now() - this.begun) / 1000;
    if (open && done > 3 && seconds > 1) {
      const rate = done / seconds;
      words.push(`${rate.toFixed(rate < 10 ? 1 : 0)} per second`, `${Math.ceil((total - done) / rate)} s left`);
    }
    if (total > 1 || done) this.part("summary").textContent = words.join(" · ");
  }
}

for (const area of document.querySelectorAll("[data-upload]")) {
  const uploader = new Uploader(area);
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
}
