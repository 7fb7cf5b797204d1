"use strict";
// Asking the server, and reading what is dropped. Used by the scripts that are loaded after this one.

function asFile(value) {
  return new Blob([JSON.stringify(value)], { type: "application/json" });
}

async function readEntry(entry, prefix, found) {
  const path = prefix + entry.name;
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    found.push({ file, path });
    return;
  }
  const reader = entry.createReader();
  for (;;) { // a reader hands out a hundred entries at a time
    const batch = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!batch.length) return;
    for (const child of batch) await readEntry(child, path + "/", found);
  }
}

// The token of the session as it is now; nothing while nobody is signed in.
async function renewToken() {
  const response = await fetch(window.location.pathname, { cache: "no-store" });
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  if (response.redirected || !page.body.dataset.csrf) return false;
  document.body.dataset.csrf = page.body.dataset.csrf;
  return true;
}

class RequestFailed extends Error {
  constructor(status, sentence, seconds = 0) {
    super(sentence);
    this.signedOut = status === 401 || status === 403;
    this.passing = this.signedOut || [0, 409, 429, 502, 503, 504].includes(status);
    this.seconds = seconds; // that the server wants us to wait
  }
}

// One request of the API: its call, once it has been answered. Raise RequestFailed.
function askApi(method, url, { headers = {}, body = null, onProgress = null, onCall = null } = {}) {
  return new Promise((resolve, reject) => {
    const call = new XMLHttpRequest();
    if (onCall) onCall(call);
    call.open(method, url);
    call.setRequestHeader("X-CSRFToken", document.body.dataset.csrf);
    call.setRequestHeader("Accept", "application/json");
    for (const [name, value] of Object.entries(headers)) call.setRequestHeader(name, value);
    call.responseType = "json";
    if (onProgress) call.upload.onprogress = (event) => onProgress(event.loaded);
    call.onload = () => {
      if (call.status < 400) return resolve(call);
      const sentence = (call.response && call.response.error) || `The server answered with error ${call.status}.`;
      return reject(new RequestFailed(call.status, sentence, Number(call.getResponseHeader("Retry-After")) || 0));
    };
    call.onerror = () => reject(new RequestFailed(0, "The connection was lost."));
    call.onabort = () => reject(new RequestFailed(-1, "Cancelled."));
    call.send(body);
  });
}
