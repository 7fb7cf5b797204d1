"use strict";
// A button that takes one picture when pressed and many while held: by mouse, finger, Space or Enter.

const HOLD_AFTER = 400; // ms; whoever lets go sooner wanted one picture
const SAME_BURST = 1000; // ms; what is taken sooner after the last picture shows nearly the same

class Shutter {
  // `take(burst)` takes one picture; pictures that show nearly the same have one number. `ended` is told when all is let go.
  constructor(button, { perSecond, take, ended }) {
    Object.assign(this, { button, perSecond, take, ended, burst: 0, last: -Infinity, timer: 0 });
    this.listenToPointers();
    this.listenToKeys();
    button.addEventListener("blur", () => this.end());
  }

  listenToPointers() {
    const { button } = this;
    button.addEventListener("pointerdown", (event) => {
      this.byPointer = true;
      if (event.button !== 0) return;
      button.setPointerCapture(event.pointerId); // so that a finger may slip off the button
      this.begin();
    });
    for (const name of ["pointerup", "pointercancel", "lostpointercapture"]) button.addEventListener(name, () => this.end());
    button.addEventListener("contextmenu", (event) => event.preventDefault()); // a finger held for long would open it
    button.addEventListener("click", () => { // without a pointer it comes from a screen reader or a voice
      if (!this.byPointer) { this.begin(); this.end(); }
      this.byPointer = false;
    });
  }

  listenToKeys() {
    const isOurs = (event) => event.key === " " || event.key === "Enter";
    this.button.addEventListener("keydown", (event) => {
      if (!isOurs(event)) return;
      event.preventDefault(); // no click, and no scrolling
      if (!event.repeat) this.begin();
    });
    this.button.addEventListener("keyup", (event) => {
      if (!isOurs(event)) return;
      event.preventDefault();
      this.end();
    });
  }

  begin() {
    if (this.timer || this.button.disabled) return;
    if (performance.now() - this.last > SAME_BURST) this.burst += 1;
    this.timer = setTimeout(() => this.repeat(), HOLD_AFTER);
    this.shoot();
  }

  repeat() {
    this.timer = setTimeout(() => this.repeat(), 1000 / this.perSecond());
    this.shoot();
  }

  shoot() {
    this.last = performance.now();
    this.take(this.burst);
  }

  end() {
    if (!this.timer) return;
    clearTimeout(this.timer);
    this.timer = 0;
    this.ended();
  }
}
