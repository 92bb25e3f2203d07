// Replaces the page's parts with those that the server sends.
"use strict";

const followed = document.querySelector("[data-events]");
if (followed) {
  const stream = new EventSource(followed.dataset.events);
  stream.addEventListener("parts", (event) => {
    for (const [id, html] of Object.entries(JSON.parse(event.data).parts)) {
      const part = document.getElementById(id);
      if (!part || part.dataset.shown === html) continue;
      // Opened details stay open.
      const open = [...part.querySelectorAll("details[open]")].map((one) => one.id);
      const typing = part.contains(document.activeElement) && document.activeElement.matches("input");
      if (typing) continue;
      part.innerHTML = html;
      part.dataset.shown = html;
      for (const one of part.querySelectorAll("details")) one.open = open.includes(one.id);
    }
  });
  addEventListener("pagehide", () => stream.close());
}
