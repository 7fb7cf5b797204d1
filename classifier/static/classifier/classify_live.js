"use strict";
// Classifies what the camera sees: one picture at a time, the next once the last has been answered. Nothing is kept.

const LIVE_PAUSE = 200; // ms from one question to the next, at least: five a second
const LIVE_PAUSE_CALM = 1000; // for whoever wants little motion
const LIVE_LONGEST = 30000; // ms that an answer may take
const SAID_AFTER = 3; // answers in a row after which a class is read out
const CALM = window.matchMedia("(prefers-reduced-motion: reduce)");

class LiveClassifier {
  constructor(panel) {
    this.panel = panel;
    this.opener = document.querySelector("[data-camera-open]");
    this.part = (name) => panel.querySelector(`[data-live="${name}"]`);
    this.rows = [...panel.querySelectorAll("[data-live-row]")];
    this.camera = new Camera(panel, (running) => this.follow(running));
    this.opener.addEventListener("click", () => (this.camera.wanted ? this.close() : this.open()));
    this.part("close").addEventListener("click", () => { this.close(); this.opener.focus(); });
    panel.querySelector('[data-camera="phone"]').addEventListener("change", (event) => this.passOn(event.target));
  }

  open() {
    this.panel.hidden = false;
    this.opener.setAttribute("aria-expanded", "true");
    this.panel.scrollIntoView({ block: "start" });
    this.camera.open();
  }

  close() {
    this.camera.close();
    this.panel.hidden = true;
    this.opener.setAttribute("aria-expanded", "false");
  }

  // A picture of the phone's own camera program goes the way of pictures that are chosen.
  passOn(input) {
    const pick = document.querySelector("[data-classify] [data-pick]");
    pick.files = input.files;
    pick.dispatchEvent(new Event("change"));
    input.value = "";
  }

  follow(running) {
    if (this.patience) this.patience.stop();
    if (!running) return;
    this.patience = new Patience((words) => this.part("facts").replaceChildren(...words));
    this.run(this.patience);
  }

  // One run for each time that the camera is started; while the line, the site or the session is away it waits.
  async run(patience) {
    while (!patience.stopped) {
      const next = performance.now() + (CALM.matches ? LIVE_PAUSE_CALM : LIVE_PAUSE);
      try {
        const answer = await patience.patiently(() => this.ask());
        if (answer && !patience.stopped) this.show(answer);
      } catch (error) {
        if (!patience.stopped) this.camera.refuse(error.message);
      }
      await new Promise((resolve) => { setTimeout(resolve, Math.max(0, next - performance.now())); });
    }
  }

  // The answer about what the camera sees now; null as long as it sees nothing.
  async ask() {
    const canvas = this.camera.draw(Number(this.panel.dataset.size));
    if (!canvas) return null;
    const body = new FormData();
    body.append("image", await asJpeg(canvas), "camera.jpg");
    const onCall = (call) => {
      call.timeout = LIVE_LONGEST;
      call.ontimeout = () => call.onerror();
    };
    return (await askApi("POST", this.panel.dataset.url, { body, onCall })).response;
  }

  show({ model_version: version, milliseconds, predictions }) {
    const [{ classes, none_of_these: refused }] = predictions;
    const said = refused ? "None of these" : classes[0].name;
    this.place(classes.slice(0, this.rows.length));
    this.panel.classList.toggle("refused", refused);
    this.part("top").textContent = said;
    this.part("facts").textContent = `Version ${version} · ${Math.round(milliseconds)} ms`;
    this.announce(said);
  }

  // A class keeps its row as long as it is among the likeliest; one that comes in takes the row of one that is out.
  place(likeliest) {
    const shares = new Map(likeliest.map((one) => [one.name, one.probability]));
    const shown = new Set(this.rows.map((row) => row.dataset.liveRow));
    const free = this.rows.filter((row) => !shares.has(row.dataset.liveRow));
    for (const name of shares.keys()) if (!shown.has(name)) this.rename(free.shift(), name);
    for (const row of this.rows) this.fill(row, shares.get(row.dataset.liveRow) || 0, row.dataset.liveRow === likeliest[0].name);
  }

  rename(row, name) {
    row.dataset.liveRow = name;
    row.querySelector(".bar-name").textContent = name;
    row.querySelector(".bar-name").title = name;
    row.querySelector("progress").setAttribute("aria-label", name);
  }

  fill(row, share, isTop) {
    row.classList.toggle("top-class", isTop);
    row.querySelector("progress").value = share;
    row.querySelector(".number").textContent = `${(100 * share).toFixed(1)}\u00a0%`;
  }

  // Bars change too often to be read out; a class is, once it has stayed for a moment.
  announce(name) {
    this.times = name === this.seen ? this.times + 1 : 1;
    this.seen = name;
    if (this.times === SAID_AFTER && this.part("said").textContent !== name) this.part("said").textContent = name;
  }
}

for (const panel of document.querySelectorAll("[data-live-panel]")) new LiveClassifier(panel);
