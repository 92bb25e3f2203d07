// Reloads a page marked with data-live when a hop that concerns it passed, unless somebody is typing in it.
"use strict";

const body = document.querySelector("[data-live]");
if (body) {
  const steps = new Set(body.dataset.live.split(" "));
  const stream = new EventSource("/hops/stream");
  let planned = 0;
  const reload = () => {
    const typing = document.activeElement && document.activeElement.matches("input, select, textarea");
    if (!typing && !document.querySelector("dialog[open], details[open][data-keep]")) location.reload();
  };
  stream.addEventListener("hop", (event) => {
    if (!steps.has(JSON.parse(event.data).step)) return;
    clearTimeout(planned);
    planned = setTimeout(reload, 400);
  });
  addEventListener("pagehide", () => stream.close());
}
