// The bell: one stream per page, open while the page is in front. Numbers in the frame stay true,
// and what happens is said at the foot of the page.
import htmx from "./htmx.js";
import { toast } from "./flash.js";

const bell = document.querySelector("[data-bell]");
let stream = null;

function showNumbers({ data }) {
  const numbers = JSON.parse(data);
  for (const badge of document.querySelectorAll("[data-badge]")) {
    const number = numbers[badge.dataset.badge] ?? 0;
    badge.textContent = number > 99 && badge.closest("[data-bell]") ? "99+" : number;
    badge.hidden = !number;
  }
}

function tell({ data }) {
  const { text, url, kind } = JSON.parse(data);
  const open = () => location.assign(url);
  toast(text, { kind: kind === "glass.broken" ? "error" : "done", undo: open, action: "Open" });
  if (document.querySelector("[data-notices]")) {
    htmx.ajax("GET", location.href, { target: "[data-notices]", select: "[data-notices]", swap: "outerHTML" });
  }
}

function listen() {
  if (stream || document.hidden) return;
  stream = new EventSource(bell.dataset.bell);
  stream.addEventListener("badges", showNumbers);
  stream.addEventListener("notice", tell);
  stream.addEventListener("end", hush);
}

function hush() {
  stream?.close();
  stream = null;
}

export function startBell() {
  if (!bell) return;
  listen();
  document.addEventListener("visibilitychange", () => (document.hidden ? hush() : listen()));
  addEventListener("pagehide", hush);
  // A page that comes back from the browser's memory begins anew.
  addEventListener("pageshow", ({ persisted }) => persisted && listen());
}
