// Nothing typed is lost: every remark is kept at the hub while it is typed, and comes back in its
// form after a reload, a sign-out or a crash.
import { csrfToken } from "../htmx.js";
import { sendFirst } from "../waiting.js";

const PAUSE = 500;
const PATIENCE = 5000;
// Slot → the field whose words are not at the hub yet; also while they are on their way: a page that
// is left then cuts them off.
const waiting = new Map();

function say(field, words) {
  const line = field.closest(".field")?.querySelector("[data-kept]");
  if (line) line.textContent = words;
}

async function keep(field, { closing = false } = {}) {
  const address = document.querySelector("[data-talk]").dataset.talk;
  const { value, dataset: { slot } } = field;
  const body = new URLSearchParams({ slot, body: value });
  const answer = await fetch(`${address}/draft`, {
    method: "PUT",
    body,
    headers: { "x-csrftoken": csrfToken() },
    keepalive: closing,
  }).catch(() => null);
  if (answer?.ok) {
    if (waiting.get(slot) === field && field.value === value) waiting.delete(slot);
    say(field, field.value.trim() ? "Kept for you, not sent yet." : "");
  } else {
    say(field, "The hub cannot be reached; your words are only on this page. Do not close it.");
  }
  return Boolean(answer?.ok);
}

async function keepAll(how) {
  return (await Promise.all([...waiting.values()].map((field) => keep(field, how)))).every(Boolean);
}

/** The form was sent or put aside: nothing more of it is on its way to the hub. */
export function letGo(field) {
  clearTimeout(field.timer);
  waiting.delete(field.dataset.slot);
}

/** Put aside for good: what was kept of it is forgotten. */
export function forget(field) {
  letGo(field);
  field.value = "";
  void keep(field);
}

document.addEventListener("input", ({ target }) => {
  if (!target.dataset?.slot) return;
  waiting.set(target.dataset.slot, target);
  clearTimeout(target.timer);
  target.timer = setTimeout(() => keep(target), PAUSE);
});
document.addEventListener("focusout", ({ target }) => {
  if (waiting.get(target.dataset?.slot) === target) void keep(target);
});
addEventListener("pagehide", () => void keepAll({ closing: true }));
addEventListener("online", () => void keepAll());

// A form that leads to another page goes when the words are at the hub: that page shows what is there.
let going = null;
document.addEventListener("submit", async (event) => {
  const { target: form, submitter } = event;
  if (!waiting.size || form === going || event.defaultPrevented) return;
  event.preventDefault();
  await Promise.race([keepAll(), new Promise((done) => setTimeout(done, PATIENCE))]);
  going = form;
  form.requestSubmit(submitter);
  going = null;
});
sendFirst(keepAll);

/** What is typed in forms of the talk and not sent, to be put back after the talk is drawn anew. */
export function typed(except) {
  return [...document.querySelectorAll("#talk [data-slot]")]
    .filter((field) => field.form !== except && field.value !== field.defaultValue)
    .map((field) => ({ slot: field.dataset.slot, value: field.value, form: field.form }));
}
