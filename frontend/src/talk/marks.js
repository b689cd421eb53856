// The words that threads are about, marked in the text; a thread and its words lead to each other.
// Marks are highlights of the browser: the text on the page stays what it is.
import { rangesOf, unfold } from "./places.js";

const able = "highlights" in CSS;
let spots = [];

function read() {
  spots = [...document.querySelectorAll("#talk .thread[data-thread]:not(.thread-resolved)")].map((thread) => {
    const { prompt, place, start, length } = thread.dataset;
    return { thread, ranges: rangesOf({ prompt, place, start: Number(start), length: Number(length) }) };
  });
  paint(document.activeElement.closest(".thread"));
}

function paint(now = null) {
  if (!able) return;
  CSS.highlights.set("spoken", new Highlight(...spots.flatMap(({ ranges }) => ranges)));
  const [lit] = spots.filter(({ thread }) => thread === now);
  CSS.highlights.set("spoken-now", new Highlight(...(lit?.ranges ?? [])));
}

function threadAt(x, y) {
  return spots.find(({ ranges }) =>
    ranges.some((range) =>
      [...range.getClientRects()].some((box) => x >= box.left && x <= box.right && y >= box.top && y <= box.bottom),
    ),
  )?.thread;
}

/** Bring the words of a thread into view, also those that are folded away. */
function show(thread) {
  const [range] = spots.find((one) => one.thread === thread)?.ranges ?? [];
  const at = range?.startContainer.parentElement;
  if (!at) return;
  unfold(at);
  at.scrollIntoView({ block: "center" });
}

function light({ target }) {
  const thread = target.closest?.(".thread");
  paint(thread);
}

export function startMarks() {
  read();
  document.addEventListener("htmx:after:swap", read);
  document.addEventListener("focusin", light);
  document.addEventListener("pointerover", light);
  document.addEventListener("click", (event) => {
    const words = event.target.closest(".talk .words");
    if (words) return show(words.closest(".thread"));
    if (!event.target.closest(".diff") || !getSelection().isCollapsed) return;
    const thread = threadAt(event.clientX, event.clientY);
    thread?.scrollIntoView({ block: "nearest" });
    thread?.querySelector(".remark").focus({ preventScroll: true });
  });
}
