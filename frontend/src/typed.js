// What is typed into a form that is sent only once stays in this browser until it was sent: it comes
// back after a reload, a sign-out or a crash. `data-keep` says whose words they are.
import { toast } from "./flash.js";
import { clock } from "./times.js";

const PREFIX = "prompthub:typed:";
const form = document.querySelector("form[data-keep]");
const key = form && `${PREFIX}${form.dataset.keep}:${location.pathname}${location.search}`;

function read(name) {
  try {
    return JSON.parse(localStorage.getItem(name));
  } catch {
    return null;
  }
}

function write(value) {
  try {
    localStorage.setItem(key, JSON.stringify(value));
  } catch {
    // Storage is full or forbidden: the words are on the page, as without this file.
  }
}

/** The fields, wherever on the page they stand; the hidden ones say what was written upon. */
const fields = () =>
  [...form.elements].filter((field) => field.name && field.name !== "_csrf_token");
const ticks = (field) => field.type === "checkbox" || field.type === "radio";
const now = () =>
  fields().map((field) => [field.name, ticks(field) ? field.checked : field.value]);

function fill(values) {
  fields().forEach((field, at) => {
    if (ticks(field)) field.checked = values[at][1];
    else field.value = values[at][1];
  });
}

/** Whether these are the fields of this form: the text may have another shape by now. */
const fits = (values) => {
  const here = now();
  return here.length === values.length && here.every(([name], at) => name === values[at][0]);
};

/** A page came after it, so it was taken. */
function forgetSent() {
  for (const name of Object.keys(localStorage)) {
    if (name.startsWith(PREFIX) && name !== key && read(name)?.sent) localStorage.removeItem(name);
  }
}

function bringBack() {
  const kept = read(key);
  const here = now();
  if (!kept || JSON.stringify(kept.values) === JSON.stringify(here) || !fits(kept.values)) return;
  fill(kept.values);
  write({ ...kept, sent: false });
  toast(`Brought back what you typed until ${clock(new Date(kept.at))}; it was not sent.`, {
    undo: () => {
      fill(here);
      localStorage.removeItem(key);
    },
  });
}

try {
  forgetSent();
  // A page that says why it was refused holds what was typed already.
  if (form && !("refused" in form.dataset)) bringBack();
} catch {
  // No storage in this browser.
}
if (form) {
  const keep = (sent) => write({ values: now(), at: Date.now(), sent });
  document.addEventListener("input", ({ target }) => target.form === form && keep(false));
  form.addEventListener("submit", () => keep(true));
}
