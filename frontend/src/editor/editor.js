// The Write page: message cards, variables, tokens, draft. The form underneath works without it.
import { toast } from "../flash.js";
import { clock } from "../times.js";
import { sendFirst } from "../waiting.js";
import { serialise, startAutosave } from "./autosave.js";
import { startMessages } from "./messages.js";
import { estimate } from "./tokens.js";
import { variablesOf } from "./scan.js";
import { startVariables } from "./variables.js";
import { openView, refresh } from "./view.js";

export function startEditor(form) {
  const isTemplate = () => (form.elements.template?.value ?? form.dataset.template) !== "plain";
  let wasTemplate = isTemplate();
  let declared = new Set();
  let ready = false;
  let waiting = 0;

  const changed = () => {
    if (!ready) return;
    cancelAnimationFrame(waiting);
    waiting = requestAnimationFrame(look);
    autosave.touch();
  };
  const variables = startVariables(form, { changed });
  declared = variables.declared();
  const messages = startMessages(form, {
    changed,
    open: (textarea) => openView(textarea, { isTemplate, isDeclared: (name) => declared.has(name), onChange: changed }),
  });
  const autosave = startAutosave(form);

  function look() {
    const facts = messages.items().map((item) => factsOf(item, messages.part(item, "content").value));
    const used = new Set(isTemplate() ? facts.flatMap(({ names }) => names) : []);
    const filled = messages
      .items()
      .filter((item) => messages.part(item, "role").value === "placeholder")
      .map((item) => messages.part(item, "message_name").value);
    variables.show(used, filled, !isTemplate());
    const now = variables.declared();
    if ([...now].join() !== [...declared].join() || wasTemplate !== isTemplate()) {
      declared = now;
      wasTemplate = isTemplate();
      messages.views.forEach(refresh);
    }
    count(messages.items(), facts);
  }

  look();
  ready = true;
  listen(form, { changed, autosave });
  bringBack(form, { autosave, messages, variables, changed });
}

const known = new WeakMap();

/** What a message's text uses and weighs, worked out again only when the text has changed. */
function factsOf(item, text) {
  let facts = known.get(item);
  if (facts?.text !== text) {
    facts = { text, names: variablesOf(text), tokens: estimate(text) };
    known.set(item, facts);
  }
  return facts;
}

function count(items, facts) {
  let total = 0;
  items.forEach((item, at) => {
    const tokens = item.dataset.role === "placeholder" ? 0 : facts[at].tokens;
    total += tokens;
    item.querySelector("[data-tokens]").textContent =
      item.dataset.role === "placeholder" ? "" : `${tokens.toLocaleString("en")} token${tokens === 1 ? "" : "s"}`;
  });
  const line = document.querySelector("[data-total-tokens]");
  if (!line) return;
  const context = Number(line.dataset.context);
  const share = context ? `, ${Math.max(1, Math.round((100 * total) / context))} % of this model’s context` : "";
  line.textContent = `About ${total.toLocaleString("en")} tokens${share}`;
}

function listen(form, { changed, autosave }) {
  // Fields beside the form belong to it by their form attribute, so the page is listened to.
  const ours = (event) => event.target.form === form && !["message", "action"].includes(event.target.name);
  document.addEventListener("input", (event) => ours(event) && changed());
  document.addEventListener("change", (event) => ours(event) && changed());
  document.addEventListener(
    "keydown",
    (event) => {
      const command = event.ctrlKey || event.metaKey;
      if (command && event.key.toLowerCase() === "s" && !event.shiftKey && !event.altKey) {
        event.preventDefault();
        const dialog = document.querySelector("dialog:modal");
        if (!dialog) document.querySelector("[data-save]")?.click();
      } else if (command && event.key === "Enter") {
        if (document.querySelector("dialog:modal")) return;
        event.preventDefault();
        event.stopPropagation();
        document.querySelector("[data-try]")?.click();
      } else if (event.key === "Enter" && event.target.form === form && event.target.matches("input:not([type=checkbox])")) {
        event.preventDefault(); // would press the form's first button
        if (!event.target.closest("dialog")) autosave.send();
        else event.target.closest("dialog").querySelector("button[value=save]")?.click();
      }
    },
    true,
  );
  document.addEventListener("click", async (event) => {
    const link = event.target.closest("a[data-try]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    if (await autosave.send()) location.assign(link.href);
    else toast("The draft could not be sent, so there is nothing new to try yet.", { kind: "error" });
  });
  form.addEventListener("submit", (event) => unlessAway(event, autosave));
  sendFirst(autosave.send);
}

/** A form that meets no hub ends on the browser's own error page, far from what was typed. */
async function unlessAway(event, autosave) {
  const { target: form, submitter } = event;
  if (form.dataset.goes !== undefined) return delete form.dataset.goes;
  event.preventDefault();
  if (await autosave.reaches()) {
    form.dataset.goes = "";
    return form.requestSubmit(submitter);
  }
  sayAway("The hub does not answer just now, so nothing was saved. Your text is kept here: try again in a moment.");
}

/** In the dialog, if one is open: what lies behind it cannot be read. */
function sayAway(text) {
  const body = document.querySelector("dialog:modal .dialog-body");
  if (!body) return toast(text, { kind: "error" });
  const note = body.querySelector("[data-away]") ?? document.createElement("div");
  note.dataset.away = "";
  note.className = "note note-error";
  note.setAttribute("role", "alert");
  note.replaceChildren(Object.assign(document.createElement("p"), { textContent: text }));
  body.prepend(note);
}

function groups(parameters, names) {
  const [first] = Object.values(names);
  return parameters.getAll(first).map((_, at) =>
    Object.fromEntries(Object.entries(names).map(([key, name]) => [key, parameters.getAll(name)[at] ?? ""])),
  );
}

function fill(form, body, { messages, variables }) {
  const parameters = new URLSearchParams(body);
  messages.replace(groups(parameters, { role: "role", content: "content", name: "message_name", origin: "origin" }));
  const parts = ["name", "type", "required", "description", "example", "default", "extra"];
  variables.replace(groups(parameters, Object.fromEntries(parts.map((part) => [part, `var_${part}`]))));
  const lists = /^(role|content|message_name|var_.*)$/;
  for (const [name, value] of parameters) {
    const field = form.elements[name];
    if (!lists.test(name) && field && "value" in field && field.type !== "hidden") field.value = value;
  }
}

/** What this browser kept while the hub was away, or while the window was closed too early. */
function bringBack(form, { autosave, messages, variables, changed }) {
  const kept = autosave.kept();
  if (!kept) return;
  const here = serialise(form);
  if (kept.state === here.state) return autosave.forget();
  const bring = () => {
    fill(form, kept.body, { messages, variables });
    changed();
  };
  const when = clock(new Date(kept.at));
  if (kept.server === here.state) {
    bring();
    toast(`Brought back what you wrote until ${when}; it had not reached the hub.`, {
      undo: () => {
        fill(form, here.body, { messages, variables });
        changed();
      },
    });
  } else {
    toast(`This browser kept text from ${when} that differs from this draft.`, {
      undo: bring,
      action: "Bring it back",
      stay: 600000,
    });
  }
}
