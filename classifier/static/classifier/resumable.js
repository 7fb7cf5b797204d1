"use strict";
// A large archive in parts, by the tus protocol: it goes on after a lost connection, a reload, or on another day.

const PART = 8 * 2 ** 20;
const CONFLICT = 409; // the part does not follow on what is there
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
  // `tell` is called with the share that is done and a text that says how it goes.
  constructor(address, file, patience, tell) {
    Object.assign(this, { address, file, patience, tell, call: null, first: null });
  }

  stop() {
    this.patience.stop();
    if (this.call) this.call.abort();
  }

  async ask(method, url, options = {}) {
    const onCall = (call) => { this.call = call; };
    try {
      return await askApi(method, url, { ...options, headers: { ...TUS, ...options.headers }, onCall });
    } catch (error) {
      if (error.status !== 404) throw error;
      throw new Error("This upload has been discarded, or nobody went on with it for a week. Choose the file again to begin anew.");
    }
  }

  // Send what is missing; return the number of the upload that the archive has become.
  async run() {
    const url = await this.patience.patiently(() => this.find());
    for (;;) {
      const offset = await this.patience.patiently(() => this.offset(url));
      if (offset < this.file.size) await this.sendFrom(url, offset);
      else {
        const upload = await this.patience.patiently(() => this.outcome(url));
        if (upload !== undefined) return upload;
      }
    }
  }

  // The address of the upload of this very file, which may have been begun on another day.
  async find() {
    const known = (await this.ask("GET", this.address)).response;
    const same = known.find((one) => isSameFile(one, this.file));
    if (same) return `${this.address}/${same.id}`;
    const metadata = { filename: this.file.name, lastModified: String(this.file.lastModified), confirm: "true" };
    const said = Object.entries(metadata).map(([name, value]) => `${name} ${inBase64(value)}`).join(",");
    const headers = { "Upload-Length": String(this.file.size), "Upload-Metadata": said };
    return (await this.ask("POST", this.address, { headers })).getResponseHeader("Location");
  }

  async offset(url) {
    return Number((await this.ask("HEAD", url)).getResponseHeader("Upload-Offset"));
  }

  // Send parts as long as that goes well. How much has come of one that failed, the server says.
  async sendFrom(url, start) {
    for (let offset = start; offset < this.file.size;) {
      try {
        offset = await this.sendPart(url, offset);
      } catch (error) {
        if (this.patience.stopped || !(error.passing || error.status === CONFLICT)) throw error;
        await this.patience.pause(error);
        return;
      }
    }
  }

  async sendPart(url, offset) {
    await checkReadable(this.file);
    const headers = { "Upload-Offset": String(offset), "Content-Type": "application/offset+octet-stream" };
    const onProgress = (loaded) => this.report(offset + loaded);
    const body = this.file.slice(offset, offset + PART);
    const answer = await this.ask("PATCH", url, { headers, body, onProgress });
    const kept = Number(answer.getResponseHeader("Upload-Offset"));
    this.report(kept);
    return kept;
  }

  report(sent) {
    this.first = this.first || { sent, at: Date.now() };
    let text = `${this.file.name}: ${sizeInWords(sent)} of ${sizeInWords(this.file.size)}`;
    const rate = (sent - this.first.sent) / ((Date.now() - this.first.at) / 1000);
    if (rate > 0 && Date.now() - this.first.at > 1000) {
      text += ` · ${sizeInWords(rate)}/s · ${timeInWords((this.file.size - sent) / rate)}`;
    }
    this.tell(sent / this.file.size, text);
  }

  // The upload it has become; nothing if the storage has lost what had come.
  async outcome(url) {
    const found = (await this.ask("GET", url)).response;
    if (found.offset < this.file.size) return undefined;
    if (found.upload === null) throw new RequestFailed(503, "All has arrived, and waits for its turn.");
    return found.upload;
  }
}
