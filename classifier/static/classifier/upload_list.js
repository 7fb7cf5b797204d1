"use strict";
// What an upload area shows: a row for each file, how many there are of each kind, and how far all of it is.

const SHOWN = 200; // rows for files; of those that went well only the newest stay

class UploadList {
  constructor(area) {
    this.area = area;
    this.part = (name) => area.querySelector(`[data-${name}]`);
    this.take([]);
  }

  say(text) {
    this.part("progress").hidden = false;
    this.part("summary").textContent = text;
  }

  hidePlan() {
    const plan = this.part("plan-form");
    if (plan) plan.hidden = true;
    this.part("fetched").hidden = true;
  }

  // What the upload waits for.
  trouble(words) {
    const place = this.part("trouble");
    place.replaceChildren(...words);
    place.hidden = !words.length;
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
    this.keepFew();
  }

  // Rows of files that went well go first; those that are being sent have no badge yet, and stay.
  keepFew() {
    const list = this.part("files");
    if (list.children.length <= SHOWN) return;
    const ended = list.querySelectorAll(":is(.stored, .duplicate)");
    const oldest = ended.length ? ended[ended.length - 1] : [...list.querySelectorAll(".badge")].pop();
    if (oldest) oldest.closest("li").remove();
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
