// The side panel of variables: what is declared, what the text uses, and what does not agree.
import { toast } from "../flash.js";

const NAME = /^[A-Za-z_]\w*$/;
let added = 0;

export function startVariables(form, { changed }) {
  const panel = document.querySelector("[data-variables]");
  if (!panel) return { declared: () => new Set(), show() {}, replace() {} };
  const list = panel.querySelector("[data-variable-list]");
  const template = panel.querySelector("[data-variable-template]");
  const undeclared = panel.querySelector("[data-undeclared]");
  const nothing = panel.querySelector("[data-no-variables]");

  const items = () => [...list.querySelectorAll("[data-variable]")];
  const part = (item, name) => item.querySelector(`[name="var_${name}"]`);
  const declared = () => new Set(items().map((item) => part(item, "name").value.trim()).filter(Boolean));

  function make(values) {
    const item = template.content.firstElementChild.cloneNode(true);
    added += 1;
    for (const element of item.querySelectorAll("[id], [for]")) {
      if (element.id) element.id += `-${added}`;
      if (element.htmlFor) element.htmlFor += `-${added}`;
    }
    for (const [name, value] of Object.entries(values)) {
      const field = part(item, name);
      if (field?.tagName === "SELECT" && ![...field.options].some((option) => option.value === value)) {
        field.add(new Option(value, value));
      }
      if (field) field.value = value;
    }
    list.append(item);
    return item;
  }

  function add(name = "") {
    const item = make({ name });
    changed();
    part(item, name ? "description" : "name").focus();
  }

  function remove(item) {
    const before = item.nextElementSibling;
    const name = part(item, "name").value;
    item.remove();
    changed();
    toast(name ? `Variable ${name} removed` : "Variable removed", {
      undo: () => {
        list.insertBefore(item, before?.isConnected ? before : null);
        changed();
      },
    });
  }

  function describe(item, used) {
    const name = part(item, "name").value.trim();
    item.dataset.variable = name;
    item.querySelector("summary .variable").textContent = name || "new";
    item.querySelector("[data-type]").textContent = part(item, "type").value;
    const flag = item.querySelector("[data-flag]");
    flag.textContent =
      name && !NAME.test(name) ? "letters, digits and _ only" : name && !used.has(name) ? "not used" : "";
  }

  function offer(name) {
    const row = document.createElement("p");
    row.className = "undeclared";
    const code = document.createElement("code");
    code.className = "variable variable-undeclared";
    code.textContent = name;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "button button-small";
    button.textContent = "Declare";
    button.setAttribute("aria-label", `Declare ${name}`);
    button.addEventListener("click", () => add(name));
    row.append(code, "is not declared", button);
    return row;
  }

  /** Show how the panel and the text agree. `used`: names in the text; `filled`: lists of messages;
   *  `plain`: braces are just text here. */
  function show(used, filled, plain) {
    const all = new Set([...used, ...filled]);
    const known = declared();
    items().forEach((item) => describe(item, all));
    const missing = [...used].filter((name) => !known.has(name));
    const before = undeclared.dataset.names ?? "";
    undeclared.dataset.names = missing.join(" ");
    // Left alone when nothing changed, so that a focus inside stays where it is.
    if (undeclared.dataset.names !== before) undeclared.replaceChildren(...missing.map(offer));
    if (!nothing) return;
    nothing.hidden = known.size > 0 || missing.length > 0;
    nothing.toggleAttribute("data-plain", plain);
  }

  function replace(entries) {
    items().forEach((item) => item.remove());
    for (const entry of entries) make(entry).querySelector("details").open = false;
  }

  panel.addEventListener("click", (event) => {
    const act = event.target.closest("[data-act]")?.dataset.act;
    if (act !== "add-variable" && act !== "remove-variable") return;
    event.preventDefault();
    if (act === "add-variable") add();
    else remove(event.target.closest("[data-variable]"));
  });
  return { declared, show, replace };
}
