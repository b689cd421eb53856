// The list of messages: adding, moving, removing, with keys, buttons and by dragging.
import { toast } from "../flash.js";

export function startMessages(form, { open, changed }) {
  const list = form.querySelector("[data-messages]");
  const template = form.querySelector("[data-message-template]");
  const views = new Map();
  const announcer = document.createElement("div");
  announcer.className = "visually-hidden";
  announcer.setAttribute("aria-live", "polite");
  form.append(announcer);

  const items = () => [...list.querySelectorAll("[data-message]")];
  const part = (item, name) => item.querySelector(`[name="${name}"]`);

  function showRole(item) {
    const isPlaceholder = part(item, "role").value === "placeholder";
    item.dataset.role = part(item, "role").value;
    const name = part(item, "message_name");
    name.hidden = !isPlaceholder && !name.value;
    if (isPlaceholder && !name.value) name.value = "history";
  }

  function adopt(item) {
    showRole(item);
    views.set(item, open(part(item, "content"), item));
  }

  function number() {
    items().forEach((item, at) => {
      item.querySelector("legend").textContent = `Message ${at + 1}`;
      views.get(item)?.contentDOM.setAttribute("aria-label", `Text of message ${at + 1}`);
    });
  }

  function make({ role = "user", content = "", name = "", origin = "" } = {}) {
    const item = template.content.firstElementChild.cloneNode(true);
    const select = part(item, "role");
    if (![...select.options].some((option) => option.value === role)) select.add(new Option(role, role));
    select.value = role;
    part(item, "content").value = content;
    part(item, "message_name").value = name;
    part(item, "origin").value = origin;
    return item;
  }

  function add(role) {
    const last = items().at(-1);
    const next = last && part(last, "role").value === "user" ? "assistant" : "user";
    const item = make({ role: role ?? (last ? next : "system") });
    list.append(item);
    adopt(item);
    number();
    changed();
    if (role === "placeholder") part(item, "message_name").focus();
    else views.get(item).focus();
  }

  function place(item, before) {
    const focused = item.contains(document.activeElement) ? document.activeElement : null;
    list.insertBefore(item, before);
    focused?.focus({ preventScroll: true });
    number();
    changed();
  }

  function move(item, step) {
    const all = items();
    const to = all.indexOf(item) + step;
    if (to < 0 || to >= all.length) return;
    place(item, step < 0 ? all[to] : all[to].nextElementSibling);
    item.scrollIntoView({ block: "nearest" });
    announcer.textContent = `Now message ${to + 1} of ${all.length}`;
  }

  function remove(item) {
    const before = item.nextElementSibling;
    const neighbour = before ?? item.previousElementSibling;
    item.remove();
    number();
    changed();
    if (neighbour) views.get(neighbour)?.focus();
    toast("Message removed", {
      undo: () => {
        place(item, before?.isConnected ? before : null);
        views.get(item)?.focus();
      },
    });
  }

  function replace(entries) {
    for (const item of items()) {
      views.get(item)?.destroy();
      views.delete(item);
      item.remove();
    }
    for (const entry of entries) {
      const item = make(entry);
      list.append(item);
      adopt(item);
    }
    number();
  }

  form.addEventListener("click", (event) => {
    const act = event.target.closest("[data-act]")?.dataset.act;
    const item = event.target.closest("[data-message]");
    if (!act) return;
    const steps = { up: () => move(item, -1), down: () => move(item, 1), remove: () => remove(item) };
    const step = item ? steps[act] : { add: () => add(), "add-history": () => add("placeholder") }[act];
    if (!step) return;
    event.preventDefault();
    step();
  });
  list.addEventListener("keydown", (event) => {
    if (!event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    const item = event.target.closest("[data-message]");
    if (!step || !item || event.target.matches("select")) return;
    event.preventDefault();
    move(item, step);
  });
  list.addEventListener("change", (event) => {
    if (event.target.name === "role") showRole(event.target.closest("[data-message]"));
  });
  startDragging(list, place);
  items().forEach(adopt);
  return { items, part, replace, views };
}

function startDragging(list, place) {
  let dragged = null;

  function target(event) {
    const item = event.target.closest?.("[data-message]");
    if (!item || item === dragged) return null;
    const box = item.getBoundingClientRect();
    return { item, after: event.clientY > box.top + box.height / 2 };
  }

  function clear() {
    for (const item of list.querySelectorAll("[data-drop]")) delete item.dataset.drop;
  }

  list.addEventListener("dragstart", (event) => {
    if (!event.target.closest?.(".drag")) return;
    dragged = event.target.closest("[data-message]");
    dragged.dataset.dragging = "";
    event.dataTransfer.effectAllowed = "move";
    event.dataTransfer.setData("application/x-message", "");
    event.dataTransfer.setDragImage(dragged, 24, 24);
  });
  // In the capturing phase: CodeMirror would take the drop for text.
  const over = (event) => {
    if (!dragged) return;
    event.preventDefault();
    event.stopPropagation();
    clear();
    const found = target(event);
    if (!found) return;
    if (event.type === "dragover") found.item.dataset.drop = found.after ? "after" : "before";
    else place(dragged, found.after ? found.item.nextElementSibling : found.item);
  };
  list.addEventListener("dragover", over, true);
  list.addEventListener("drop", over, true);
  list.addEventListener("dragend", () => {
    clear();
    if (dragged) delete dragged.dataset.dragging;
    dragged = null;
  });
}
