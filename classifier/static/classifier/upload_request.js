"use strict";
// Asking the server once. Used by the scripts that are loaded after this one.

const LOST = 0, CANCELLED = -1; // in place of a status, where there was no answer

function asFile(value) {
  return new Blob([JSON.stringify(value)], { type: "application/json" });
}

// A file that was changed or moved since it was chosen looks to the browser like a lost connection.
async function checkReadable(file) {
  try {
    await file.slice(0, 1).arrayBuffer();
  } catch (error) {
    throw new Error("The file cannot be read any more. Choose it again to go on.");
  }
}

// The token of the session as it is now; false while nobody is signed in.
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
    this.status = status;
    this.signedOut = status === 401 || status === 403;
    this.passing = this.signedOut || [LOST, 429, 502, 503, 504].includes(status);
    this.seconds = seconds; // that the server wants us to wait
  }
}

// One request: its call, once it has been answered. Raise RequestFailed.
function askApi(method, url, { headers = {}, body = null, onProgress = null, onCall = null } = {}) {
  return new Promise((resolve, reject) => {
    const call = new XMLHttpRequest();
    if (onCall) onCall(call);
    call.open(method, url);
    call.setRequestHeader("X-CSRFToken", document.body.dataset.csrf);
    call.setRequestHeader("Accept", "application/json");
    for (const [name, value] of Object.entries(headers)) call.setRequestHeader(name, value);
    call.responseType = "json";
    if (onProgress) call.upload.onprogress = (event) => onProgress(event.loaded, event.total);
    call.onload = () => {
      if (call.status < 400) return resolve(call);
      const sentence = (call.response && call.response.error) || `The server answered with error ${call.status}.`;
      return reject(new RequestFailed(call.status, sentence, Number(call.getResponseHeader("Retry-After")) || 0));
    };
    call.onerror = () => reject(new RequestFailed(LOST, "The connection was lost."));
    call.onabort = () => reject(new RequestFailed(CANCELLED, "Cancelled."));
    call.send(body);
  });
}
