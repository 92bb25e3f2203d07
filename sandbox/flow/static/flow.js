// Replaces the page's parts with those that the server sends.
"use strict";

const stream = new EventSource(document.getElementById("picture").dataset.events);
stream.addEventListener("parts", (event) => {
  for (const [id, html] of Object.entries(JSON.parse(event.data).parts)) {
    const part = document.getElementById(id);
    if (part.dataset.shown === html) continue;
    const focused = part.contains(document.activeElement) && document.activeElement.getAttribute("href");
    part.innerHTML = html;
    part.dataset.shown = html;
    if (focused) part.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus();
  }
});
addEventListener("pagehide", () => stream.close());
