"use strict";
// Sends the pictures of a camera while more are taken: those of one sitting are one upload, each press of the button is
// a group of its own. While the line, the site or the session is away, pictures wait; what was refused otherwise is kept
// until somebody tries again. Never more are held than a browser holds easily.

const SENT_AT_ONCE = 3;
const MOST_HELD = 100; // pictures that wait or failed, about 20 MB

class PictureSender {
  // `addresses` are the upload area's; `changed` is called whenever a count has changed, `tell` as a Patience does.
  constructor(addresses, changed, tell) {
    Object.assign(this, { addresses, changed, busy: 0, waiting: [], failed: [], patience: new Patience(tell) });
    this.begin();
    window.addEventListener("beforeunload", (event) => { if (this.held()) event.preventDefault(); });
  }

  // Begin a sitting, unless pictures of the last one are still here.
  begin() {
    if (this.held()) return;
    this.counts = { taken: 0, stored: 0, duplicate: 0, rejected: 0 };
    Object.assign(this, { upload: null, reason: "", url: "" });
  }

  held() {
    return this.waiting.length + this.failed.length + this.busy;
  }

  isFull() {
    return this.held() >= MOST_HELD;
  }

  add(picture) {
    this.counts.taken += 1;
    this.waiting.push({ ...picture, number: this.counts.taken });
    this.work();
  }

  retry() {
    if (!this.failed.length) return;
    this.waiting.unshift(...this.failed.splice(0));
    this.reason = "";
    this.work();
  }

  work() {
    while (this.busy < SENT_AT_ONCE && this.waiting.length && !this.failed.length) this.send(this.waiting.shift());
    this.changed();
  }

  // Once one has failed, none follows until there is reason to hope.
  async send(picture) {
    this.busy += 1;
    try {
      const { status, reason } = await this.post(picture);
      this.counts[status] += 1;
      this.reason = status === "rejected" ? reason : this.reason;
    } catch (error) {
      this.failed.push(picture);
      this.reason = error.message;
    }
    this.busy -= 1;
    this.work();
  }

  // `blob` may still be in the making; a picture counts from the moment it is taken.
  async post({ blob, name, label, burst, number }) {
    const upload = await this.start();
    const form = new FormData();
    form.append("class", label);
    form.append("group", burst ? `camera ${upload}-${burst}` : ""); // a split does not part those of one burst
    form.append("name", name || `camera-${upload}-${String(number).padStart(4, "0")}.jpg`);
    form.append("file", await blob);
    return this.request(this.addresses.picture.replace("/uploads/0/", `/uploads/${upload}/`), form);
  }

  // The number of this sitting's upload, which its first picture starts.
  start() {
    if (!this.upload) {
      const form = new FormData();
      form.append("source", "Camera");
      this.upload = this.request(this.addresses.start, form).then((answer) => {
        this.url = answer.url;
        return answer.upload;
      });
      this.upload.catch(() => { this.upload = null; });
    }
    return this.upload;
  }

  async request(url, body) {
    return (await this.patience.patiently(() => askApi("POST", url, { body }))).response;
  }

  describe() {
    const { taken, stored, duplicate, rejected } = this.counts;
    if (!taken) return "Nothing taken yet";
    const open = this.waiting.length + this.busy;
    const words = [`${taken} taken`, `${stored} stored`];
    if (duplicate) words.push(`${duplicate} already there`);
    if (rejected) words.push(`${rejected} rejected`);
    if (this.failed.length) words.push(`${this.failed.length} failed`);
    if (open) words.push(`${open} to send`);
    return words.join(" · ");
  }
}
