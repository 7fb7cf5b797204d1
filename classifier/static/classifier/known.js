"use strict";
// A folder chosen again: its files' sha256 are asked about first, and only what is not there is sent.

const ASKED_AT_ONCE = 500;
const LARGEST_HASHED = 64 * 2 ** 20; // bytes; the browser hashes a file in memory

async function sha256Of(file) {
  const digest = await crypto.subtle.digest("SHA-256", await file.arrayBuffer());
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

// Take out of what waits to be sent what is there already. Where that cannot be found out, all is sent.
async function skipKnown(uploader) {
  if (!window.crypto || !crypto.subtle) return; // neither HTTPS nor this machine
  const jobs = [...uploader.waiting].reverse().filter((job) => job.file.size <= LARGEST_HASHED);
  const there = new Set();
  for (let start = 0; start < jobs.length && !uploader.cancelled; start += ASKED_AT_ONCE) {
    uploader.say(`Looking which files are there already: ${start} of ${jobs.length}`);
    try {
      for (const job of await askKnown(uploader, jobs.slice(start, start + ASKED_AT_ONCE))) there.add(job);
    } catch (error) {
      break;
    }
  }
  uploader.waiting = uploader.waiting.filter((job) => !there.has(job));
  uploader.show();
}

async function askKnown(uploader, jobs) {
  const asked = [];
  for (const job of jobs) asked.push([job.path, job.label, await sha256Of(job.file)]);
  const form = new FormData();
  form.append("files", asFile(asked));
  const { known } = await uploader.request(uploader.addressOf("known"), form);
  return known.map(([place, reason]) => {
    const job = jobs[place];
    uploader.enter(job, "duplicate");
    job.reason = reason;
    if (uploader.count("duplicate") <= SHOWN) {
      uploader.addRow(job);
      uploader.endRow(job);
    }
    return job;
  });
}
