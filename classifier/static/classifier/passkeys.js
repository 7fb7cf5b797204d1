"use strict";
// Ask the browser to make or use a passkey, and send what it answers with the form.

const NOT_HERE = "This browser does not know passkeys. Use another one, or another way to sign in.";
const CANCELLED = "Nothing was done. Try again when you have the passkey at hand.";

function tell(form, text) {
  const trouble = form.querySelector("[data-trouble]");
  trouble.textContent = text;
  trouble.hidden = false;
}

async function ask(form) {
  const options = JSON.parse(form.dataset.options);
  if (form.dataset.passkey === "create") {
    return navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options) });
  }
  return navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options) });
}

for (const form of document.querySelectorAll("[data-passkey]")) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (!window.PublicKeyCredential?.parseCreationOptionsFromJSON) {
      tell(form, NOT_HERE);
      return;
    }
    try {
      const credential = await ask(form);
      form.elements.answer.value = JSON.stringify(credential.toJSON());
      form.submit();
    } catch (error) {
      tell(form, error.name === "InvalidStateError" ? "This passkey has been added already." : CANCELLED);
    }
  });
}
