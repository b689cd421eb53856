// Sends the draft while the person writes, and keeps it in the browser while the hub is away.
import { csrfToken } from "../htmx.js";
import { clock } from "../times.js";

const PAUSE = 800;
const PATIENCE = 15000;
const RETRY = [3000, 6000, 12000, 30000];
const NOT_THE_DRAFT = new Set(["_csrf_token", "action", "message"]);

// Hidden fields are the hub's: they follow each save and are no change of the person's.
const OURS = new Set(["origin", "base", "base_version", "revision"]);

/** The form as it is sent, and as it is compared. */
export function serialise(form) {
  const entries = [...new FormData(form)].filter(([name]) => !NOT_THE_DRAFT.has(name));
  return {
    body: new URLSearchParams(entries).toString(),
    state: new URLSearchParams(entries.filter(([name]) => !OURS.has(name))).toString(),
  };
}

async function sentence(answer) {
  const text = await answer.text().catch(() => "");
  try {
    return JSON.parse(text).detail;
  } catch {
    return new DOMParser().parseFromString(text, "text/html").querySelector(".flash p")?.textContent;
  }
}

export function startAutosave(form) {
  const url = form.dataset.draftUrl;
  const key = `prompthub:draft:${url}`;
  const says = document.querySelector("[data-draft-state]");
  let saved = serialise(form).state;
  let timer = null;
  let tries = 0;
  let sending = null;
  let lastWords = says?.textContent ?? "";

  const unsent = () => serialise(form).state !== saved;

  function say(state, text) {
    if (!says) return;
    says.dataset.state = state;
    if (says.textContent !== text) says.textContent = text;
    if (state === "saved") lastWords = text;
  }

  function keep() {
    const { body, state } = serialise(form);
    if (state === saved) return;
    try {
      localStorage.setItem(key, JSON.stringify({ body, state, server: saved, at: Date.now() }));
    } catch {
      say("refused", "This browser has no room left to keep your changes: copy your text somewhere safe.");
    }
  }

  function forget() {
    localStorage.removeItem(key);
  }

  function later() {
    keep();
    say("offline", "Changes are kept here and sent when the hub is back");
    clearTimeout(timer);
    timer = setTimeout(send, RETRY[Math.min(tries++, RETRY.length - 1)]);
    return false;
  }

  async function refused(answer) {
    keep();
    if (answer.status === 401) {
      say("refused", "You are signed out. Your text is kept in this browser: sign in in another tab, then go on here.");
    } else {
      const why = await sentence(answer);
      say("refused", `${why ?? "The hub did not take this draft."} Your text is kept in this browser.`);
    }
    return false;
  }

  async function attempt() {
    const { body, state } = serialise(form);
    const order = [...form.querySelectorAll('[name="origin"]')];
    const answer = await fetch(url, {
      method: "PUT",
      headers: {
        "Content-Type": "application/x-www-form-urlencoded",
        Accept: "application/json",
        "HX-Request": "true",
        "x-csrftoken": csrfToken(),
      },
      body,
      redirect: "manual",
      signal: AbortSignal.timeout(PATIENCE),
    }).catch(() => null);
    if (!answer || answer.status >= 500) return later();
    if (!answer.ok) return refused(answer);
    tries = 0;
    saved = state;
    // What was sent is now what the hub holds: each message's origin is its place in it.
    order.forEach((field, at) => (field.value = String(at)));
    const facts = await answer.json().catch(() => ({}));
    for (const [name, value] of Object.entries(facts)) {
      if (OURS.has(name) && form.elements[name]) form.elements[name].value = value;
    }
    say("saved", `Draft saved ${clock(facts.saved_at ? new Date(facts.saved_at) : new Date())}`);
    if (unsent()) touch();
    else forget();
    return true;
  }

  async function send() {
    clearTimeout(timer);
    if (sending) await sending;
    if (!unsent()) {
      if (says?.dataset.state === "writing") say("saved", lastWords);
      return true;
    }
    sending = attempt();
    const done = await sending;
    sending = null;
    return done;
  }

  function touch() {
    if (says?.dataset.state !== "offline") say("writing", "Saving…");
    clearTimeout(timer);
    timer = setTimeout(send, PAUSE);
  }

  function kept() {
    try {
      return JSON.parse(localStorage.getItem(key));
    } catch {
      return null;
    }
  }

  addEventListener("online", send);
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState !== "hidden") return;
    keep();
    send();
  });
  addEventListener("pagehide", keep);
  const guard = (event) => {
    if (unsent() || sending) event.preventDefault();
  };
  addEventListener("beforeunload", guard);
  form.addEventListener("submit", () => {
    keep();
    if (form.dataset.goes !== undefined) removeEventListener("beforeunload", guard);
  });
  /** Whether anything answers there: a refusal does, and says why on its own page. */
  const reaches = () =>
    fetch("/healthz", { cache: "no-store", signal: AbortSignal.timeout(PATIENCE) }).then(
      () => true,
      () => false,
    );
  return { touch, send, kept, forget, reaches, current: () => saved };
}
