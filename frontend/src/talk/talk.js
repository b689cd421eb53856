// Talk beside the words: choose words and speak of them, quote and answer, see what is spoken of.
import { forget, letGo, typed } from "./kept.js";
import { startMarks } from "./marks.js";
import { chosen } from "./places.js";
import { isTyping } from "../keys.js";

const talk = () => document.getElementById("talk");
const field = (slot) => document.querySelector(`#talk [data-slot="${CSS.escape(slot)}"]`);

function edit(area) {
  area.closest("details")?.setAttribute("open", "");
  area.focus();
  area.setSelectionRange(area.value.length, area.value.length);
  area.scrollIntoView({ block: "nearest" });
}

/** The form for words; one that was begun for the same words goes on. */
function speakOf(words) {
  const { prompt, place, start, length, quote } = words;
  const { revision } = document.querySelector("[data-proposal]").dataset;
  const slot = ["on", prompt, place, start, length, revision].join(":");
  const begun = field(slot);
  if (begun) return edit(begun);
  const form = formOf(slot, { prompt_id: prompt, place, start, revision, quote });
  if (form) edit(form.querySelector("textarea"));
}

function formOf(slot, given) {
  const form = talk().querySelector("template[data-on-words]")?.content.cloneNode(true).querySelector("form");
  if (!form) return null;
  for (const [name, value] of Object.entries({ slot, ...given })) form.elements.namedItem(name).value = value;
  form.querySelector("[data-quote-shown]").textContent = given.quote;
  const area = form.querySelector("textarea");
  area.dataset.slot = slot;
  area.id = `s-${slot}`;
  form.querySelector("label").htmlFor = area.id;
  talk().querySelector(".card-head").after(form);
  globalThis.htmx.process(form);
  return form;
}

/** The form to answer (`re`) or to change (`edit`), in place of the link that stands for it. */
function formFor(link) {
  const { form: kind, of, author, body } = link.dataset;
  const made = talk().querySelector(`template[data-form-of="${kind}"]`).content.cloneNode(true).firstElementChild;
  const form = made.querySelector("form");
  const area = form.querySelector("textarea");
  made.id += of;
  form.elements.namedItem("slot").value = area.dataset.slot = `${kind}:${of}`;
  area.id = `s-${kind}:${of}`;
  const label = form.querySelector("label");
  label.htmlFor = area.id;
  if (kind === "re") {
    form.elements.namedItem("parent").value = of;
    label.textContent += author;
  } else {
    for (const where of ["action", "hx-post"]) form.setAttribute(where, form.getAttribute(where) + of);
    area.value = area.defaultValue = body;
  }
  link.replaceWith(made);
  globalThis.htmx.process(made);
  return area;
}

/** The field of a slot, also where only a link to its form stands. */
function fieldOf(slot) {
  const [kind, of] = slot.split(":");
  const link = document.querySelector(`#talk a[data-form="${kind}"][data-of="${CSS.escape(of ?? "")}"]`);
  return field(slot) ?? (link ? formFor(link) : null);
}

/** Answer a remark with its words, or with those that are chosen in it. */
function quote(remark) {
  const thread = remark.closest(".thread");
  const area = fieldOf(`re:${thread.id.replace("thread-", "")}`);
  const part = getSelection();
  const own = !part.isCollapsed && remark.contains(part.anchorNode) && remark.contains(part.focusNode);
  const words = own ? part.toString().trim().replaceAll(/^/gm, "> ") + "\n\n" : remark.dataset.quote;
  area.value = area.value.trim() ? `${area.value.trimEnd()}\n\n${words}` : words;
  area.dispatchEvent(new Event("input", { bubbles: true }));
  edit(area);
}

// ── the button at the chosen words ──────────────────────────────────────────────────────────────

let offer = null;
let offered = null;

function offerToSpeak() {
  offered = talk()?.querySelector("template[data-on-words]") ? chosen() : null;
  if (!offered) return offer?.remove();
  if (!offer) {
    offer = document.createElement("button");
    offer.type = "button";
    offer.className = "button button-primary button-small speak";
    offer.innerHTML = "Comment <kbd>c</kbd>";
    // Not click: that would take the selection away first.
    offer.addEventListener("pointerdown", (event) => event.preventDefault());
    offer.addEventListener("click", speak);
  }
  const box = getSelection().getRangeAt(0).getBoundingClientRect();
  document.body.append(offer);
  const left = Math.min(Math.max(box.left, 8), innerWidth - offer.offsetWidth - 8);
  offer.style.left = `${left + scrollX}px`;
  offer.style.top = `${box.bottom + scrollY + 6}px`;
}

function speak() {
  const words = chosen() ?? offered;
  if (!words) return;
  offer?.remove();
  getSelection().removeAllRanges();
  speakOf(words);
}

let settled = 0;
document.addEventListener("selectionchange", () => {
  clearTimeout(settled);
  settled = setTimeout(offerToSpeak, 120);
});

document.addEventListener("keydown", (event) => {
  const { key, target } = event;
  if ((event.ctrlKey || event.metaKey) && key === "Enter" && target.dataset?.slot) {
    event.preventDefault();
    return target.form.requestSubmit();
  }
  if (event.ctrlKey || event.metaKey || event.altKey || isTyping(target)) return;
  if (document.querySelector("dialog:modal")) return;
  if (key === "c" && chosen()) {
    event.preventDefault();
    speak();
  } else if (key === "c" && document.querySelector("[data-say]")) {
    event.preventDefault();
    edit(document.querySelector("[data-say] textarea"));
  } else if (key === "r" && target.closest?.(".remark")) {
    event.preventDefault();
    quote(target.closest(".remark"));
  }
});

document.addEventListener("click", (event) => {
  const { target } = event;
  const write = target.closest('a[href$="/talk#write"]') && document.querySelector("[data-say] textarea");
  if (write) {
    event.preventDefault();
    return edit(write);
  }
  const link = target.closest("#talk a[data-form]");
  if (link && !(event.ctrlKey || event.metaKey || event.shiftKey)) {
    event.preventDefault();
    return edit(formFor(link));
  }
  const aside = target.closest("[data-put-aside]");
  if (aside) {
    forget(aside.form.querySelector("textarea"));
    aside.form.remove();
  }
});

// ── the talk is drawn anew by every remark ──────────────────────────────────────────────────────

let before = null;

document.addEventListener("htmx:config:request", ({ target }) => {
  if (!target.matches?.("[data-remark-form]")) return;
  const area = target.querySelector("textarea");
  if (area) letGo(area);
});

document.addEventListener("htmx:before:swap", ({ detail, target }) => {
  if (!detail.ctx?.sourceElement?.matches?.("[data-remark-form]")) return;
  const ids = [...document.querySelectorAll("#talk .remark")].map(({ id }) => id);
  before = { ids: new Set(ids), typed: typed(target), from: target.closest(".thread")?.id };
});

document.addEventListener("htmx:after:swap", () => {
  if (!before) return;
  const { ids, typed: kept, from } = before;
  before = null;
  for (const { slot, value, form } of kept) putBack(slot, value, form);
  const fresh = [...document.querySelectorAll("#talk .remark")].find(({ id }) => !ids.has(id));
  const wrong = document.querySelector("#talk [aria-invalid]");
  const next = wrong ?? fresh ?? (from && document.getElementById(from)?.querySelector(".remark"));
  next?.focus();
  next?.scrollIntoView({ block: "nearest" });
});

function putBack(slot, value, form) {
  const given = Object.fromEntries(new FormData(form));
  const there = fieldOf(slot) ?? (slot.startsWith("on:") && formOf(slot, only(given))?.querySelector("textarea"));
  if (!there) return;
  there.value = value;
  there.closest("details")?.setAttribute("open", "");
}

function only({ prompt_id, place, start, revision, quote: words }) {
  return { prompt_id, place, start, revision, quote: words };
}

// An address may lead to a remark that is folded away.
function unfoldTarget() {
  const remark = location.hash.startsWith("#remark-") && document.getElementById(location.hash.slice(1));
  if (!remark) return;
  remark.closest("details.resolved")?.setAttribute("open", "");
  remark.scrollIntoView({ block: "center" });
  remark.focus({ preventScroll: true });
}

addEventListener("hashchange", unfoldTarget);
unfoldTarget();
startMarks();
