"use strict";
// Pages of jobs that keep up to date: [data-live] holds a ticket, and the parts of it that change are told apart by
// [data-job] with the job's id. Small figures come by themselves every other second; where a job has gone a step
// further, the whole part is asked for again at [data-part]. A hidden tab asks rarely.

const VISIBLE = 2000, CALM = 5000, HIDDEN = 15000; // milliseconds between two questions
const CALM_AFTER = 5; // answers without news
const TICK = 500;

function showDuration(seconds) {
  const whole = Math.max(1, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

// What is left counts down between two answers, and what is late counts up.
function tick() {
  const now = performance.now() / 1000;
  for (const shown of document.querySelectorAll("[data-eta]")) {
    const since = now - (shown.takenAt ??= now);
    const late = shown.dataset.late ? Number(shown.dataset.late) + since : 0;
    const left = Number(shown.dataset.eta) + (late ? 0.35 * since : -since);
    const text = `${showDuration(left)} left${late ? `, ${showDuration(late)} longer than foreseen` : ""}`;
    if (shown.textContent !== text) shown.textContent = text;
  }
}

function showEta(shown, job) {
  shown.hidden = job.eta === null;
  shown.takenAt = performance.now() / 1000;
  shown.dataset.eta = job.eta ?? 0;
  shown.dataset.late = job.late ?? "";
}

function showFigures(box, job) {
  const bar = box.querySelector("progress");
  if (bar) bar.value = job.percent / 100;
  const counts = box.querySelector("[data-counts]");
  if (counts) counts.textContent = job.counts;
  const eta = box.querySelector("[data-eta]");
  if (eta) showEta(eta, job);
  tick();
}

// The tab: how far the job of this page is, in the title and as a ring in the icon.
const tab = { title: document.title, icon: document.querySelector("link[rel=icon]"), plain: null };
function showInTab(box, share) {
  if (!box.closest("[data-tab]")) return;
  const end = { SUCCEEDED: "Done", FAILED: "Failed", CANCELLED: "Cancelled" }[box.dataset.status];
  document.title = `${end || `${Math.floor(100 * share)} %`} · ${tab.title}`;
  if (tab.icon) tab.icon.href = drawIcon(end ? 1 : share, box.dataset.status);
}

function drawIcon(share, status) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 64;
  const pen = canvas.getContext("2d");
  const ring = (part, colour) => {
    pen.beginPath();
    pen.arc(32, 32, 24, -Math.PI / 2, (2 * part - 0.5) * Math.PI);
    pen.lineWidth = 14;
    pen.strokeStyle = colour;
    pen.stroke();
  };
  ring(1, "#c3c9d6");
  ring(share, { FAILED: "#b42318", CANCELLED: "#8a5a00", SUCCEEDED: "#1b7a43" }[status] || "#3b5bdb");
  return canvas.toDataURL();
}

// Said aloud when a stage begins and at the end, never in between.
function announce(box) {
  const region = document.querySelector("[data-announcer]");
  if (region && box.dataset.say && region.textContent !== box.dataset.say) region.textContent = box.dataset.say;
}

// A notification of the browser, if somebody has asked for it on this page.
let wantsNotification = false;
function prepareNotifications() {
  const button = document.querySelector("[data-notify]");
  if (!button || !("Notification" in window) || Notification.permission === "denied") return;
  button.hidden = false;
  button.addEventListener("click", async () => {
    const allowed = (await Notification.requestPermission()) === "granted";
    wantsNotification = allowed;
    button.hidden = true;
    const said = document.querySelector("[data-notify-said]");
    said.textContent = allowed ? "Your browser will tell you when it has ended." : "Your browser does not allow it.";
  });
}

function tellEnd(box) {
  if (!wantsNotification || !document.hidden) return;
  const note = new Notification(box.dataset.say, { tag: `job ${box.dataset.job}` });
  note.onclick = () => window.focus();
}

class LivePart {
  constructor(part) {
    Object.assign(this, { part, known: "", calm: 0, timer: 0 });
    this.plan();
    document.addEventListener("visibilitychange", () => document.hidden || this.plan(0));
  }

  get ticket() {
    return this.part.dataset.live;
  }

  plan(wait) {
    window.clearTimeout(this.timer);
    const usual = document.hidden ? HIDDEN : this.calm > CALM_AFTER ? CALM : VISIBLE;
    if (this.ticket) this.timer = window.setTimeout(() => this.ask(), wait ?? usual);
  }

  async ask() {
    try {
      const answer = await fetch(`${document.body.dataset.base}/live/${this.ticket}?${this.known}`, { credentials: "omit" });
      if (answer.status === 200) await this.show(await answer.json());
      else if (answer.status === 410) await this.renew();
      else this.calm += 1;
    } catch {
      this.calm += 1; // the line or the site is away
    }
    this.plan();
  }

  async show(news) {
    this.known = news.version;
    this.calm = 0;
    const boxes = news.jobs.map((job) => [job, this.part.querySelector(`[data-job="${job.job}"]`)]);
    if (boxes.some(([job, box]) => box && box.dataset.stamp !== job.stamp)) return this.renew();
    for (const [job, box] of boxes) {
      if (!box || job.percent === undefined) continue;
      showFigures(box, job);
      showInTab(box, job.percent / 100);
    }
  }

  // Ask for the whole part. Where the page has more that changes at the end, it is loaded anew.
  async renew() {
    const answer = await fetch(this.part.dataset.part, { headers: { "HX-Request": "true", "HX-Current-URL": location.href } });
    if (answer.redirected || answer.status === 404 || answer.headers.get("HX-Refresh")) return location.reload();
    if (!answer.ok) return undefined;
    this.part.innerHTML = await answer.text();
    document.dispatchEvent(new Event("part-renewed"));
    const first = this.part.firstElementChild;
    this.part.dataset.live = first?.dataset.ticket ?? "";
    this.known = "";
    const box = this.part.querySelector("[data-job]");
    if (!box) return undefined;
    showInTab(box, Number(box.querySelector("progress")?.value ?? 0));
    if (!("list" in this.part.dataset)) announce(box);
    if (box.dataset.stamp !== "ended") return undefined;
    document.querySelector("[data-notify]")?.setAttribute("hidden", "");
    tellEnd(box);
    if ("reload" in this.part.dataset) location.reload();
    return undefined;
  }
}

for (const part of document.querySelectorAll("[data-live]")) {
  const box = part.querySelector("[data-job]");
  if (box) showInTab(box, Number(box.querySelector("progress")?.value ?? 0));
  new LivePart(part);
}
prepareNotifications();
window.setInterval(tick, TICK);
