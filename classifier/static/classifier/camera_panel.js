"use strict";
// The panel in which pictures are taken into a class.

const SHOTS_SHOWN = 24, SHOT_SIZE = 72; // thumbnails, the newest first, and their pixels

class CameraPanel {
  constructor(area) {
    this.area = area;
    this.panel = area.querySelector("[data-camera-panel]");
    this.part = (name) => this.panel.querySelector(`[data-camera="${name}"]`);
    this.state = this.part("state"); // it leaves the panel when that is closed
    this.sender = new PictureSender(area.dataset, () => this.show(), (words) => this.tell(words));
    this.camera = new Camera(this.panel, (running) => this.follow(running));
    this.shutter = new Shutter(this.part("shutter"), {
      perSecond: () => Number(this.part("rate").value),
      take: (burst) => this.take(burst),
      ended: () => this.announce(),
    });
    this.listen();
  }

  listen() {
    this.area.querySelector("[data-camera-open]").addEventListener("click", () => this.open());
    this.part("close").addEventListener("click", () => this.panel.close());
    this.panel.addEventListener("close", () => this.closed()); // Escape closes it, too
    this.part("retry").addEventListener("click", () => this.sender.retry());
    this.part("phone").addEventListener("change", (event) => this.takeFiles(event.target));
    if (!this.part("class")) return;
    this.part("class").addEventListener("input", () => this.arm());
    this.part("class").addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault();
      this.part("shutter").focus();
    });
  }

  open() {
    this.sender.begin();
    if (!this.sender.counts.taken) this.part("shots").replaceChildren();
    this.part("state-place").append(this.state);
    this.listClasses();
    this.arm();
    this.show();
    this.panel.showModal();
    this.camera.open();
  }

  // The list of classes behind the panel is replaced as pictures come in.
  listClasses() {
    if (!this.part("class")) return;
    const names = [...document.querySelectorAll("[data-drop-class]")].map((row) => row.dataset.dropClass);
    this.part("classes").replaceChildren(...names.map((name) => new Option(name, name)));
  }

  closed() {
    this.shutter.end();
    this.camera.close();
    if (!this.sender.counts.taken) return;
    this.area.append(this.state);
    this.refresh();
  }

  follow(running) {
    this.shutter.end();
    this.arm();
    if (running && !this.part("class")) this.part("shutter").focus();
  }

  // The class that pictures are taken into.
  label() {
    return this.part("class") ? this.part("class").value.trim() : this.area.dataset.class;
  }

  arm() {
    const shutter = this.part("shutter");
    shutter.textContent = this.label() ? shutter.dataset.ready : shutter.dataset.classless;
    shutter.disabled = !this.camera.running || !this.label();
    this.part("phone").disabled = !this.label();
  }

  take(burst) {
    const canvas = this.sender.isFull() ? null : this.camera.draw();
    if (!canvas) return this.show();
    this.sender.add({ blob: asJpeg(canvas), label: this.label(), burst });
    return this.addShot(canvas);
  }

  // Pictures of the phone's own camera program, which works where the browser gives no live picture.
  takeFiles(input) {
    for (const file of input.files) this.sender.add({ blob: file, name: file.name, label: this.label() });
    input.value = "";
  }

  addShot(canvas) {
    const shot = document.createElement("canvas");
    shot.width = SHOT_SIZE;
    shot.height = SHOT_SIZE;
    const side = Math.min(canvas.width, canvas.height);
    const [left, top] = [(canvas.width - side) / 2, (canvas.height - side) / 2];
    shot.getContext("2d").drawImage(canvas, left, top, side, side, 0, 0, SHOT_SIZE, SHOT_SIZE);
    const item = document.createElement("li");
    item.append(shot);
    this.part("shots").prepend(item);
    while (this.part("shots").children.length > SHOTS_SHOWN) this.part("shots").lastElementChild.remove();
  }

  statePart(name) {
    return this.state.querySelector(`[data-camera="${name}"]`);
  }

  show() {
    const { sender } = this;
    this.statePart("counts").textContent = sender.describe();
    const full = sender.isFull() ? "No more pictures are taken until these have been sent." : "";
    const reason = [sender.reason, full].filter(Boolean).join(" ");
    if (this.statePart("reason").textContent !== reason) this.statePart("reason").textContent = reason; // said once
    this.statePart("reason").hidden = !reason;
    this.statePart("retry").hidden = !sender.failed.length;
    this.statePart("report").hidden = !sender.url;
    if (sender.url) this.statePart("report").href = sender.url;
    if (!this.panel.open && !sender.held() && sender.counts.taken) this.refresh();
  }

  // Say what is waited for, if anything is.
  tell(words) {
    this.statePart("trouble-note").replaceChildren(...words);
    this.statePart("trouble-note").hidden = !words.length;
  }

  // The counts change too often to be read out; this is said when the button is let go.
  announce() {
    const { taken } = this.sender.counts;
    this.part("said").textContent = taken === 1 ? "1 picture taken." : `${taken} pictures taken.`;
  }

  refresh() {
    this.area.uploader.refresh();
  }
}

for (const area of document.querySelectorAll("[data-upload]")) new CameraPanel(area);
