"use strict";
// A large archive in parts, by the tus protocol: it goes on after a lost connection, a reload, or on another day.

const PART = 8 * 2 ** 20;
const LONGEST_PAUSE = 60; // seconds
const TUS = { "Tus-Resumable": "1.0.0" };

function inBase64(text) {
  return btoa(String.fromCharCode(...new TextEncoder().encode(text)));
}

function sizeInWords(bytes) {
  if (bytes >= 2 ** 30) return `${(bytes / 2 ** 30).toFixed(1)} GB`;
  return `${(bytes / 2 ** 20).toFixed(1)} MB`;
}

function timeInWords(seconds) {
  if (seconds < 90) return `${Math.ceil(seconds)} s left`;
  return seconds < 5400 ? `${Math.ceil(seconds / 60)} min left` : `${(seconds / 3600).toFixed(1)} h left`;
}

class PartSender {
  // `tell` is called with the share that is done and with nodes or texts that say how it goes.
  constructor(address, file, tell) {
    Object.assign(this, { address, file, tell, stopped: false, call: null, first: null });
  }

  stop() {
    this.stopped = true;
    if (this.call) this.call.abort();
    if (this.wake) this.wake();
  }

  ask(method, url, options = {}) {
    const onCall = (call) => { this.call = call; };
    return askApi(method, url, { ...options, headers: { ...TUS, ...options.headers }, onCall });
  }

  // Send what is missing; return the number of the upload that the archive has become.
  async run() {
    const url = await this.patiently(() => this.find());
    for (;;) {
      const offset = await this.patiently(() => this.offset(url));
      if (offset >= this.file.size) break;
      await this.patiently(() => this.sendFrom(url, offset), () => true);
    }
    return this.patiently(() => this.outcome(url));
  }

  // Do it again after a pause that grows while something is away. With `giveUp`, the caller finds out where to go on.
  async patiently(attempt, giveUp = () => false) {
    for (let pause = 1; ; pause = Math.min(2 * pause, LONGEST_PAUSE)) {
      try {
        return await attempt();
      } catch (error) {
        if (this.stopped || !error.passing) throw error;
        await this.wait(error, Math.max(pause, error.signedOut ? 3 : error.seconds));
        if (giveUp()) return undefined;
      }
    }
  }

  async wait(error, seconds) {
    if (error.signedOut && (await renewToken().catch(() => false))) return;
    let words = [`${error.message} It is tried again in ${seconds} s.`];
    if (error.signedOut) {
      const link = document.createElement("a");
      Object.assign(link, { href: "/sign-in", target: "_blank", rel: "noopener", textContent: "Sign in again" });
      words = ["You are signed out. ", link, " in another tab; the upload then goes on by itself."];
    }
    this.tell(this.done || 0, words);
    await new Promise((resolve) => { this.wake = resolve; setTimeout(resolve, 1000 * seconds); });
    if (this.stopped) throw new Error("Cancelled.");
  }

  // The address of the upload of this very file, which may have been begun on another day.
  async find() {
    const known = (await this.ask("GET", this.address)).response;
    const same = known.find((one) => isSameFile(one, this.file));
    if (same) return `${this.address}/${same.id}`;
    const metadata = { filename: this.file.name, lastModified: String(this.file.lastModified) };
    const said = Object.entries(metadata).map(([name, value]) => `${name} ${inBase64(value)}`).join(",");
    const headers = { "Upload-Length": String(this.file.size), "Upload-Metadata": said };
    return (await this.ask("POST", this.address, { headers })).getResponseHeader("Location");
  }

  async offset(url) {
    return Number((await this.ask("HEAD", url)).getResponseHeader("Upload-Offset"));
  }

  async sendFrom(url, start) {
    for (let offset = start; offset < this.file.size && !this.stopped;) {
      const body = await this.file.slice(offset, offset + PART).arrayBuffer().catch(() => {
        throw new Error("The file cannot be read any more. Choose it again to go on.");
      });
      const headers = { "Upload-Offset": String(offset), "Content-Type": "application/offset+octet-stream" };
      const onProgress = (loaded) => this.report(offset + loaded);
      const answer = await this.ask("PATCH", url, { headers, body, onProgress });
      offset = Number(answer.getResponseHeader("Upload-Offset"));
      this.report(offset);
    }
    if (this.stopped) throw new Error("Cancelled.");
  }

  report(sent) {
    this.first = this.first || { sent, at: Date.now() };
    this.done = sent / this.file.size;
    const words = [`${this.file.name}: ${sizeInWords(sent)} of ${sizeInWords(this.file.size)}`];
    const rate = (sent - this.first.sent) / ((Date.now() - this.first.at) / 1000);
    if (rate > 0 && Date.now() - this.first.at > 1000) {
      words.push(` · ${sizeInWords(rate)}/s · ${timeInWords((this.file.size - sent) / rate)}`);
    }
    this.tell(this.done, words);
  }

  async outcome(url) {
    const found = (await this.ask("GET", url)).response;
    if (found.upload === null) throw new RequestFailed(503, "All has arrived, and waits for its turn.");
    return found.upload;
  }
}
