// j and k go from change to change, remark to remark, row to row; in a text, the arrows choose its
// sentences one by one, so that a remark can be made without a mouse. From the search, the arrow
// down goes to what was found.
import { isTyping } from "./keys.js";
import { rangesOf, sentencesIn, unfold } from "./talk/places.js";

const STOPS =
  ".prompt-row a.open, .review-row a.open, .notice-open, .offer-item .message, .clash, .answers > li, .remark";

function stops() {
  return [...document.querySelectorAll(STOPS)].filter((one) => one.checkVisibility());
}

function current(all) {
  const here = document.activeElement.closest?.(STOPS);
  return here ? all.indexOf(here) : -1;
}

function step(by) {
  const all = stops();
  const next = all[Math.min(Math.max(current(all) + by, 0), all.length - 1)];
  if (!next) return;
  if (!next.matches("a, button, [tabindex]")) next.tabIndex = -1;
  next.focus({ preventScroll: true });
  next.scrollIntoView({ block: next.offsetHeight > innerHeight / 2 ? "start" : "nearest" });
}

let at = { message: null, first: -1, last: -1 };

function choose(message, by, extend) {
  const all = sentencesIn(message);
  if (!all.length) return;
  if (at.message !== message) at = { message, first: -1, last: -1 };
  const last = Math.min(Math.max(at.last + by, 0), all.length - 1);
  at = { message, last, first: extend ? Math.min(Math.max(at.first, 0), last) : last };
  const ranges = [...rangesOf(all[at.first], message), ...rangesOf(all[last], message)];
  if (!ranges.length) return;
  const [first, end] = [ranges[0], ranges.at(-1)];
  unfold(first.startContainer.parentElement);
  getSelection().setBaseAndExtent(first.startContainer, first.startOffset, end.endContainer, end.endOffset);
  first.startContainer.parentElement.scrollIntoView({ block: "nearest" });
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (event.key === "ArrowDown" && event.target.matches?.("[data-search]") && stops().length) {
    event.preventDefault();
    step(1);
    return;
  }
  if (isTyping(event.target) || document.querySelector("dialog:modal")) return;
  const message = event.target.closest?.(".offer-item .message");
  if (event.key === "j" || event.key === "k") {
    if (!document.querySelector(STOPS)) return;
    event.preventDefault();
    step(event.key === "j" ? 1 : -1);
  } else if (message && event.target === message && /^Arrow(Left|Right)$/.test(event.key)) {
    event.preventDefault();
    choose(message, event.key === "ArrowRight" ? 1 : -1, event.shiftKey);
  }
});
