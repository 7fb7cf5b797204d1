"use strict";
// A camera as a page uses it: started, chosen, shown, and stopped as soon as nobody sees it.
// What it sees stays in this page until another script sends a picture to this site.

const CAMERA_ELSEWHERE = "The camera works over HTTPS and on localhost only, and this page came another way. " +
  "Ask whoever runs this site for an address that begins with https://.";
const CAMERA_TROUBLES = {
  NotAllowedError: "The browser does not let this page use the camera. Allow it at the sign beside the address " +
    "or in the phone's settings, then try again.",
  NotFoundError: "No camera was found. Connect one, then try again.",
  NotReadableError: "The camera cannot be read. Another program or tab may be using it: close that, then try again.",
};
CAMERA_TROUBLES.SecurityError = CAMERA_TROUBLES.NotAllowedError;
CAMERA_TROUBLES.AbortError = CAMERA_TROUBLES.NotReadableError;
const CAMERA_WIDTH = 1280, CAMERA_HEIGHT = 720; // asked for; far more than any backbone looks at
const CAMERA_QUALITY = 0.92;
const BUILT_IN = /front|user|facetime|integrated|built-?in/i; // cameras that face whoever sits at the screen

class Camera {
  // `onChange` is called whenever the camera begins or ends to show something.
  constructor(panel, onChange) {
    this.part = (name) => panel.querySelector(`[data-camera="${name}"]`);
    this.onChange = onChange;
    this.wanted = false;
    this.turn = 0;
    this.stream = null;
    this.running = false; // whether there is something to see
    this.canvas = document.createElement("canvas");
    this.part("again").addEventListener("click", () => this.start());
    this.part("choice").addEventListener("change", () => { this.chosen = this.part("choice").value; this.start(); });
    document.addEventListener("visibilitychange", () => { if (this.wanted) this.follow(!document.hidden); });
    window.addEventListener("pagehide", () => this.stop());
    if (navigator.mediaDevices) navigator.mediaDevices.addEventListener("devicechange", () => { if (this.stream) this.list(); });
  }

  open() {
    this.wanted = true;
    return this.start();
  }

  close() {
    this.wanted = false;
    this.stop();
  }

  follow(visible) {
    if (!visible) this.stop();
    else if (!this.stream && this.part("trouble").hidden) this.start();
  }

  async start() {
    this.stop();
    const turn = this.turn; // whatever starts or stops the camera meanwhile makes this start void
    this.part("trouble").hidden = true;
    if (!window.isSecureContext || !navigator.mediaDevices) return this.refuse(CAMERA_ELSEWHERE, false);
    this.part("wait").hidden = false;
    try {
      const stream = await this.ask();
      if (turn !== this.turn) return stream.getTracks().forEach((track) => track.stop());
      return await this.show(stream);
    } catch (error) {
      if (turn === this.turn) this.refuse(CAMERA_TROUBLES[error.name] || `The camera could not be started: ${error.message}`);
      return undefined;
    }
  }

  async ask() {
    const video = { width: { ideal: CAMERA_WIDTH }, height: { ideal: CAMERA_HEIGHT } };
    const which = this.chosen ? { deviceId: { exact: this.chosen } } : { facingMode: { ideal: "environment" } };
    try {
      return await navigator.mediaDevices.getUserMedia({ audio: false, video: { ...video, ...which } });
    } catch (error) {
      if (!this.chosen || !["OverconstrainedError", "NotFoundError"].includes(error.name)) throw error;
      this.chosen = ""; // it has been pulled out
      return this.ask();
    }
  }

  async show(stream) {
    this.stream = stream;
    const [track] = stream.getVideoTracks();
    track.addEventListener("ended", () => {
      if (this.stream === stream) this.refuse("The camera has stopped. Connect it again or close what took it, then try again.");
    });
    const video = this.part("video");
    video.classList.toggle("mirrored", this.isFront(track));
    video.srcObject = stream;
    await video.play();
    if (this.stream !== stream) return;
    this.part("wait").hidden = true;
    this.running = true;
    this.onChange(true);
    await this.list();
  }

  // Only the preview of a front camera is mirrored, as people know themselves from a mirror; never a picture that is kept
  // or classified, in which writing could be read the wrong way round.
  isFront(track) {
    const facing = track.getSettings().facingMode;
    return facing ? facing === "user" : BUILT_IN.test(track.label);
  }

  // Names are told only once the camera may be used.
  async list() {
    const found = (await navigator.mediaDevices.enumerateDevices()).filter((one) => one.kind === "videoinput");
    if (!this.stream) return;
    const now = this.stream.getVideoTracks()[0].getSettings().deviceId;
    const options = found.map((one, place) => new Option(one.label || `Camera ${place + 1}`, one.deviceId, false, one.deviceId === now));
    this.part("choice").replaceChildren(...options);
    this.part("choice-field").hidden = found.length < 2;
  }

  refuse(sentence, mayTryAgain = true) {
    this.stop();
    this.part("why").textContent = sentence;
    this.part("again").hidden = !mayTryAgain;
    this.part("trouble").hidden = false;
  }

  stop() {
    this.turn += 1;
    this.part("wait").hidden = true;
    const { stream } = this;
    if (!stream) return;
    this.stream = null;
    this.running = false;
    for (const track of stream.getTracks()) track.stop();
    this.part("video").srcObject = null;
    this.onChange(false);
  }

  // What the camera sees now, as drawn on a canvas that the next call draws over; null while there is nothing to see.
  // Of a picture larger than that, the shorter side becomes `shorter` pixels.
  draw(shorter = Infinity) {
    const video = this.part("video");
    if (!this.running || !video.videoWidth) return null;
    const scale = Math.min(1, shorter / Math.min(video.videoWidth, video.videoHeight));
    this.canvas.width = Math.round(video.videoWidth * scale);
    this.canvas.height = Math.round(video.videoHeight * scale);
    const context = this.canvas.getContext("2d");
    context.imageSmoothingQuality = "high";
    context.drawImage(video, 0, 0, this.canvas.width, this.canvas.height);
    return this.canvas;
  }
}

// The canvas's picture as it is at the moment of the call, as the bytes of a JPEG.
function asJpeg(canvas) {
  return new Promise((resolve, reject) => {
    const done = (blob) => (blob ? resolve(blob) : reject(new Error("The picture could not be made.")));
    canvas.toBlob(done, "image/jpeg", CAMERA_QUALITY);
  });
}
