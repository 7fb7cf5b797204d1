"use strict";
// Sending what was chosen. Pictures travel one request each, a few at a time, so that there is no limit on how many;
// a large archive travels in parts.

const AT_ONCE = 3;
const ALIVE_EVERY = 20; // seconds after which the server hears that an upload of large pictures still goes on
const BUSY = "Wait until the current upload has finished, or cancel it.";

class UploadSender extends UploadList {
  constructor(area) {
    super(area);
    this.beginAnew();
  }

  // Give up what still waits, for the line or until somebody signs in.
  beginAnew() {
    if (this.patience) this.patience.stop();
    this.cancelled = false;
    this.trouble([]);
    const patience = new Patience((words) => { if (patience === this.patience) this.trouble(words); });
    this.patience = patience;
  }

  async start(files, source, leftOut = []) {
    if (this.running()) return this.say(BUSY);
    this.part("files").replaceChildren();
    this.begun = Date.now();
    this.take(files.map((file) => ({ ...file, sent: 0 })));
    for (const [path, reason] of leftOut) this.leaveOut({ path, reason });
    this.say("Starting…");
    const form = new FormData();
    form.append("source", source);
    form.append("left_out", asFile(leftOut));
    form.append("announced", String(this.files.length));
    this.beginAnew();
    this.part("cancel").hidden = false;
    try {
      const answer = await this.request(this.area.dataset.start, form);
      this.upload = answer.upload;
      this.part("report").href = answer.url;
    } catch (error) {
      this.take([]);
      this.part("cancel").hidden = true;
      return this.say(error.message);
    }
    await skipKnown(this);
    return this.run();
  }

  async run() {
    this.part("cancel").hidden = false;
    this.part("retry").hidden = true;
    const alive = setInterval(() => this.tellAlive(), 1000 * ALIVE_EVERY);
    await Promise.all(Array.from({ length: AT_ONCE }, () => this.worker()));
    clearInterval(alive);
    this.trouble([]);
    this.part("cancel").hidden = true;
    this.part("report").hidden = false;
    this.part("retry").hidden = this.count("failed") + this.count("cancelled") === 0;
    this.show();
    this.refresh();
  }

  // What is shown below the upload area is asked for anew; the area itself keeps what it says. One at a time, as an answer
  // goes into the element that was there when it was asked for.
  refresh() {
    const options = { target: "#pictures", select: "#pictures", swap: "outerHTML" };
    if (document.getElementById("head")) options.selectOOB = "#head";
    const ask = () => window.htmx.ajax("GET", window.location.pathname, options);
    this.refreshed = (this.refreshed || Promise.resolve()).then(ask, ask);
  }

  addressOf(name) {
    return this.area.dataset[name].replace("/uploads/0/", `/uploads/${this.upload}/`);
  }

  tellAlive() {
    const form = new FormData();
    form.append("files", asFile([]));
    askApi("POST", this.addressOf("known"), { body: form }).catch(() => undefined); // the pictures tell what is wrong
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
    if (job.frames) form.append("frames", String(job.frames));
    form.append("name", job.path);
    form.append("file", job.file);
    try {
      const answer = await this.request(this.addressOf("picture"), form, job);
      this.enter(job, answer.status);
      job.reason = answer.reason;
    } catch (error) {
      this.enter(job, this.cancelled ? "cancelled" : "failed");
      job.reason = this.cancelled ? "" : error.message;
    }
    this.endRow(job);
    this.show();
  }

  // Ask the server, again and again while the line, the site or the session is away; return what it answers.
  request(url, form, job = null) {
    const onCall = (call) => { if (job) job.call = call; };
    const onProgress = (loaded, total) => {
      if (!job) return;
      job.sent = loaded / total;
      if (job.bar) job.bar.value = job.sent;
      this.show();
    };
    return this.patience.patiently(async () => {
      try {
        return (await askApi("POST", url, { body: form, onCall, onProgress })).response;
      } catch (error) {
        if (error.status === 0 && job) await checkReadable(job.file);
        throw error;
      }
    });
  }

  cancel() {
    this.cancelled = true;
    this.patience.stop();
    this.trouble([]);
    if (this.parts) this.parts.stop();
    if (!this.running()) { this.hidePlan(); this.part("progress").hidden = true; }
    for (const job of this.sending) if (job.call) job.call.abort();
    for (const job of this.waiting.splice(0)) this.enter(job, "cancelled");
  }

  retry() {
    this.beginAnew();
    this.begun = Date.now();
    const again = this.files.filter((job) => job.state === "failed" || job.state === "cancelled");
    for (const job of again) {
      job.sent = 0;
      this.enter(job, "waiting");
    }
    this.waiting = again.reverse();
    this.run();
  }

  // Whether a file's name has one of the endings that the area names.
  endsAs(name, kind) {
    return this.area.dataset[kind].split(",").some((ending) => name.toLowerCase().endsWith(ending));
  }

  // An archive, or a table of pictures at web addresses.
  isTakenWhole(file) {
    return this.endsAs(file.name, "archives") || this.endsAs(file.name, "tables");
  }

  async sendArchive(file) {
    if (this.running()) return this.say(BUSY);
    if (!this.isTakenWhole(file)) return this.say(this.area.dataset.noArchive);
    this.part("files").replaceChildren();
    this.part("cancel").hidden = false;
    this.say("Uploading the archive…");
    this.beginAnew();
    const job = { file, path: file.name, label: "", sent: 0 };
    this.take([job]);
    this.waiting.pop();
    this.enter(job, "sending");
    try {
      const url = file.size > PART && this.endsAs(file.name, "archives") ? await this.sendInParts(file) : await this.sendAtOnce(job);
      this.take([]);
      window.location.assign(url);
    } catch (error) {
      this.enter(job, "failed");
      job.reason = this.cancelled ? "" : error.message;
      if (job.row) this.endRow(job);
      this.trouble([]);
      this.part("cancel").hidden = true;
      this.say(this.cancelled ? this.afterCancel : error.message);
      this.interrupted.show();
    }
    return undefined;
  }

  async sendAtOnce(job) {
    this.afterCancel = "Cancelled.";
    this.begun = Date.now();
    this.addRow(job);
    const form = new FormData();
    form.append("file", job.file);
    return (await this.request(this.area.dataset.archive, form, job)).url;
  }

  async sendInParts(file) {
    this.afterCancel = "Paused. Choose the same file again to go on.";
    this.parts = new PartSender(this.area.dataset.resumable, file, this.patience, (done, text) => {
      this.part("whole").value = done;
      this.part("summary").textContent = text;
    });
    this.interrupted.show();
    try {
      return this.addressOf("picture").replace(/uploads\/.*/, `uploads/${await this.parts.run()}/`);
    } finally {
      this.parts = null;
    }
  }
}
