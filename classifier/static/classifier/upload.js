"use strict";
// Bringing pictures in: choose or drop pictures, a folder, or an archive. What a folder's files are, the server says.
// Pictures travel one request each, a few at a time, so that there is no limit on how many.

const AT_ONCE = 3;
const ARCHIVE = /\.(zip|tar|tgz|tar\.gz|tar\.bz2|tar\.xz|tm)$/i;
const TABLE = /\.(csv|tsv|json|jsonl|ndjson|manifest|xml|txt|lst)$/i; // sent along to be planned with
const MOST_TABLES = 24, MOST_TABLE_BYTES = 32 * 2 ** 20;

class Uploader extends UploadList {
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
    form.append("announced", String(this.files.length));
    try {
      const answer = await this.request(this.area.dataset.start, form);
      this.upload = answer.upload;
      this.part("report").href = answer.url;
    } catch (error) {
      this.take([]);
      return this.say(error.message);
    }
    this.part("cancel").hidden = false;
    await skipKnown(this);
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

  hidePlan() {
    const plan = this.part("plan-form");
    if (plan) plan.hidden = true;
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

  cancel() {
    this.cancelled = true;
    if (this.parts) this.parts.stop();
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
    if (file.size > PART) return this.sendInParts(file);
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

  async sendInParts(file) {
    this.part("files").replaceChildren();
    this.part("progress").hidden = false;
    this.part("cancel").hidden = false;
    this.cancelled = false;
    this.enter({}, "sending");
    this.parts = new PartSender(this.area.dataset.resumable, file, (done, words) => {
      this.part("whole").value = done;
      this.part("summary").replaceChildren(...words);
    });
    try {
      const upload = await this.parts.run();
      this.take([]);
      window.location.assign(this.area.dataset.picture.replace("/uploads/0/picture", `/uploads/${upload}/`));
    } catch (error) {
      this.take([]);
      this.part("cancel").hidden = true;
      this.say(this.cancelled ? "Paused. Choose the same file again to go on." : error.message);
      this.interrupted.show();
    }
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
