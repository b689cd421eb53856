// The browser side of every page. Everything here adds to pages that work without it.
import "./htmx.js";
import "htmx.org/dist/ext/hx-sse.js";
import "./keys.js";
import "./theme.js";
import "./copy.js";
import "./dialog.js";
import "./drop.js";
import "./grid.js";
import "./steps.js";
import "./typed.js";
import { startBell } from "./bell.js";
import { startFlashes } from "./flash.js";
import { showMoments } from "./moments.js";
import { startTimes } from "./times.js";

document.documentElement.dataset.js = "";
startFlashes();
startTimes();
showMoments();
startBell();

// On a phone the open tab may be one of those that have to be scrolled to.
for (const tab of document.querySelectorAll(".tabs [aria-current], .folders [aria-current]")) {
  // Not scrollIntoView: the Tab key would then begin behind it.
  const strip = tab.parentElement;
  const [here, there] = [strip.getBoundingClientRect(), tab.getBoundingClientRect()];
  strip.scrollLeft += there.left - here.left - (here.width - there.width) / 2;
}

if (document.querySelector("[data-talk]")) import("./talk/talk.js");

// The editor is the one heavy part; only the page with one loads it.
const form = document.querySelector("form[data-editor]");
if (form) import("./editor/editor.js").then(({ startEditor }) => startEditor(form));
