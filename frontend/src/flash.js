// Short messages at the foot of the page, with Undo where something can be undone.
const STAY = 6000;
const STAY_WITH_UNDO = 12000;

function area() {
  return document.getElementById("flashes");
}

function leaveAfter(flash, time) {
  let timer = setTimeout(() => flash.remove(), time);
  const hold = () => clearTimeout(timer);
  const release = () => (timer = setTimeout(() => flash.remove(), time));
  flash.addEventListener("pointerenter", hold);
  flash.addEventListener("focusin", hold);
  flash.addEventListener("pointerleave", release);
  flash.addEventListener("focusout", release);
}

function button(text, className) {
  const element = document.createElement("button");
  element.type = "button";
  element.className = `button button-small ${className}`;
  element.textContent = text;
  return element;
}

/** Say something; `undo` is called when the person presses Undo (or `action`'s own word). */
export function toast(text, { kind = "done", undo = null, action = "Undo", stay = null } = {}) {
  const flash = document.createElement("div");
  flash.className = `flash flash-${kind}`;
  const words = document.createElement("p");
  words.textContent = text;
  flash.append(words);
  if (undo) {
    const press = button(action, "button-undo");
    press.addEventListener("click", () => {
      flash.remove();
      undo();
    });
    flash.append(press);
  }
  const dismiss = button("×", "button-icon");
  dismiss.setAttribute("aria-label", "Dismiss");
  dismiss.addEventListener("click", () => flash.remove());
  flash.append(dismiss);
  area().append(flash);
  leaveAfter(flash, stay ?? (undo ? STAY_WITH_UNDO : STAY));
  return flash;
}

function adopt(flash) {
  if (flash.dataset.flash === "seen") return;
  flash.dataset.flash = "seen";
  // An error stays until it is dismissed.
  if (!flash.classList.contains("flash-error")) {
    leaveAfter(flash, flash.querySelector("form") ? STAY_WITH_UNDO : STAY);
  }
}

export function startFlashes() {
  document.querySelectorAll("[data-flash]").forEach(adopt);
  document.addEventListener("click", (event) => {
    event.target.closest("[data-dismiss]")?.closest(".flash")?.remove();
  });
  document.addEventListener("htmx:after:swap", () => {
    document.querySelectorAll("[data-flash]").forEach(adopt);
  });
  document.addEventListener("htmx:error", ({ detail }) => {
    if (!detail.ctx || detail.ctx.response) return;
    toast("The hub cannot be reached just now. What you see stays; try again in a moment.", {
      kind: "error",
    });
  });
  startStreamNotes();
}

/** One note while the stream of answers is interrupted; it goes when the stream is back. */
function startStreamNotes() {
  let note = null;
  document.addEventListener("htmx:sse:error", () => {
    if (note?.isConnected) return;
    note = toast("The connection to the hub was lost. Answers are kept there and appear when it is back.", {
      stay: 3600000,
    });
  });
  document.addEventListener("htmx:sse:after:connection", () => note?.remove());
}
