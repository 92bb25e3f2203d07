// Reloads a page marked with data-live after a trace event of its steps; while somebody types in it or has
// details open, after that.
"use strict";

const body = document.querySelector("[data-live]");
if (body) {
  const steps = new Set(body.dataset.live.split(" "));
  // After the page's own last event: no event since it was rendered is missed.
  const stream = new EventSource(`/trace/stream?after=${document.body.dataset.after}`);
  let planned = 0;
  let isStale = false;
  const reload = () => {
    const typing = document.activeElement && document.activeElement.matches("input, select, textarea");
    if (!typing && !document.querySelector("dialog[open], details[open][data-keep]")) location.reload();
  };
  const plan = (milliseconds) => {
    clearTimeout(planned);
    planned = setTimeout(reload, milliseconds);
  };
  stream.addEventListener("trace_event", (event) => {
    if (!steps.has(JSON.parse(event.data).step)) return;
    isStale = true;
    plan(400);
  });
  // Captured, for `toggle` and `close` do not bubble.
  for (const over of ["blur", "toggle", "close"]) {
    document.addEventListener(over, () => { if (isStale) plan(400); }, true);
  }
  addEventListener("pagehide", () => stream.close());
}
