// The pages work without this file. It adds copy buttons and, instead of the browser's bubbles, which show one
// mistake at a time and vanish, lets the server list all mistakes of a form at once.
"use strict";

// Over plain http, but for localhost, a browser has no service workers: the pages then need the network, as any.
navigator.serviceWorker?.register(document.currentScript.dataset.worker).catch(() => {});

for (const form of document.querySelectorAll("form[data-errors-from-server]")) {
  form.setAttribute("novalidate", "");
  form.addEventListener("submit", (event) => {
    // What a number field cannot read it sends as empty, which would count as missing: stop here.
    const unread = [...form.querySelectorAll("input")].find((input) => input.validity.badInput);
    if (unread) {
      event.preventDefault();
      unread.closest("details")?.setAttribute("open", "");
      unread.reportValidity();
    }
  });
}

async function copy(node) {
  if (navigator.clipboard) {
    return navigator.clipboard.writeText(node.textContent);
  }
  // Plain http on another machine has no clipboard interface.
  getSelection().selectAllChildren(node);
  if (!document.execCommand("copy")) {
    throw new Error("not allowed");
  }
}

for (const button of document.querySelectorAll("button[data-copy]")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    const status = document.querySelector("[role=status]");
    let said = "Copied";
    await copy(document.getElementById(button.dataset.copy)).catch(() => { said = "Press Ctrl+C to copy"; });
    button.textContent = said;
    status.textContent = said;
    setTimeout(() => { button.textContent = "Copy"; status.textContent = ""; }, 2500);
  });
}
