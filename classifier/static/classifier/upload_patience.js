"use strict";
// Trying again while something is away that comes back: the line, the site, or the person who was signed in.

const LONGEST_PAUSE = 60, SIGN_IN_EVERY = 3; // seconds
const MOST_STRIKES = 3; // failures of one request while others succeed

function signInLink() {
  const link = document.createElement("a");
  return Object.assign(link, { href: `${document.body.dataset.base}/sign-in`, target: "_blank", rel: "noopener", textContent: "Sign in again" });
}

// All requests of an upload wait together, so that one at a time finds out whether what was away is back.
class Patience {
  // `tell` is called with nodes and texts that say what is waited for, and with none when that is over.
  constructor(tell) {
    Object.assign(this, { tell, stopped: false, answered: 0, seconds: 1, pausing: null, wake: null });
  }

  stop() {
    this.stopped = true;
    if (this.wake) this.wake();
  }

  async patiently(attempt) {
    let strikes = 0, seen = this.answered;
    for (;;) {
      await this.pausing;
      if (this.stopped) throw new RequestFailed(CANCELLED, "Cancelled.");
      try {
        const answer = await attempt();
        this.answered += 1;
        this.seconds = 1;
        return answer;
      } catch (error) {
        if (this.stopped || !error.passing) throw error;
        const alone = this.answered > seen;
        seen = this.answered;
        if (!(await this.pause(error)) || alone) strikes += 1;
        if (strikes >= MOST_STRIKES) throw error;
      }
    }
  }

  // Return whether there was anything to wait for.
  pause(error) {
    const waiting = error.signedOut ? () => this.waitForSignIn() : () => this.waitAWhile(error);
    this.pausing = this.pausing || waiting().finally(() => { this.pausing = null; this.tell([]); });
    return this.pausing;
  }

  async waitAWhile(error) {
    const seconds = Math.max(this.seconds, error.seconds);
    this.seconds = Math.min(2 * this.seconds, LONGEST_PAUSE);
    this.tell([`${error.message} It is tried again in ${seconds} s.`]);
    await this.sleep(seconds);
    return true;
  }

  async waitForSignIn() {
    for (let waited = false; ; waited = true) {
      if (this.stopped || (await renewToken().catch(() => false))) return waited;
      if (!waited) this.tell(["You are signed out. ", signInLink(), " in another tab; this page then goes on by itself."]);
      await this.sleep(SIGN_IN_EVERY);
    }
  }

  // Less long, if the line comes back or the person comes from another tab.
  sleep(seconds) {
    return new Promise((resolve) => {
      this.wake = resolve;
      setTimeout(resolve, 1000 * seconds);
      for (const name of ["online", "focus"]) window.addEventListener(name, resolve, { once: true });
    });
  }
}
