// Replaces the page's parts with those that the server sends, and submits forms without leaving the page.
"use strict";

const stream = new EventSource("/screen/events");
stream.addEventListener("screen", (event) => {
  const changed = JSON.parse(event.data);
  for (const [id, html] of Object.entries(changed.parts)) {
    const part = document.getElementById(id);
    if (part.dataset.shown !== html) {
      part.innerHTML = html;
      part.dataset.shown = html;
    }
  }
  document.getElementById("display").dataset.stage = changed.stage;
  document.getElementById("deck").disabled = !changed.takes_card;
});
addEventListener("pagehide", () => stream.close());

// One request after the other, so that digits arrive in their order.
let sent = Promise.resolve();
const send = (address, fields) => {
  const body = new URLSearchParams(fields);
  sent = sent.then(() => fetch(address, { method: "POST", body, redirect: "manual" })).catch(() => {});
};

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches("[data-live]")) return;
  event.preventDefault();
  const button = event.submitter;
  // Without the attribute `formAction` is the page's own address.
  const own = button && button.getAttribute("formaction");
  send(own || form.action, new FormData(form, button));
});

const KEYS = { Enter: "green", Backspace: "yellow", Escape: "red" };
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  const key = /^[0-9]$/.test(event.key) ? event.key : KEYS[event.key];
  const taken = event.target.matches("input, select, textarea, a") || (event.key === "Enter" && event.target.matches("button"));
  if (!key || taken) return;
  event.preventDefault();
  send("/screen/key", { key });
});
