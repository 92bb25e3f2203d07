// Of every page: the reader's local time beside UTC, and buttons that copy a text.
"use strict";

const LOCAL = { en: "local", fr: "heure locale" }[document.documentElement.lang];
const TIME = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };
const DAY = { year: "numeric", month: "2-digit", day: "2-digit" };

const showLocal = (time) => {
  const at = new Date(time.dateTime);
  if (Number.isNaN(at.getTime()) || at.getTimezoneOffset() === 0) return;
  const isSameDay = at.getDate() === at.getUTCDate();
  const shown = new Intl.DateTimeFormat(document.documentElement.lang, isSameDay ? TIME : { ...DAY, ...TIME });
  time.dataset.local = `${shown.format(at)} ${LOCAL}`;
};
const showAll = () => document.querySelectorAll("time[datetime]:not([data-local])").forEach(showLocal);
showAll();
// Parts of some pages are replaced by what the server sends.
new MutationObserver(showAll).observe(document.body, { childList: true, subtree: true });

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-copy]");
  if (!button) return;
  const source = document.getElementById(button.dataset.copy);
  const label = button.textContent;
  try {
    await navigator.clipboard.writeText(source.textContent);
    button.textContent = button.dataset.done;
    setTimeout(() => { button.textContent = label; }, 2000);
  } catch {
    // Not allowed under this address: the text is selected, to be copied by hand.
    getSelection().selectAllChildren(source);
  }
});
