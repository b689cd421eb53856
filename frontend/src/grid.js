// The playground: Ctrl+Enter runs, Shift+Enter one column, Esc stops, R asks again (Shift: with new
// seeds), N adds a column, F shows one alone, D compares, 1–8 vote; and on a narrow screen one column
// shows at a time.
function press(selector) {
  const button = document.querySelector(selector);
  if (!button || button.disabled) return false;
  button.click();
  return true;
}

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || document.querySelector("dialog:modal")) return;
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    if (press("[data-run-all]")) event.preventDefault();
  } else if (event.key === "Escape" && !document.querySelector("details.menu[open]")) {
    press("[data-stop-all]");
  }
});

const typing = "input, textarea, select, [contenteditable]";

/** The column under the pointer or around the focus, from 0; the first where there is neither. */
function column() {
  const at = document.activeElement?.closest(".sheet :is(td, th)") ?? document.querySelector(".sheet :is(td, th):hover");
  return Math.max((at?.cellIndex ?? 1) - 1, 0);
}

function head(selector) {
  document.querySelectorAll(".sheet thead th")[column() + 1]?.querySelector(selector)?.click();
}

/** The button that runs the column at hand: of the answers, or of the form before they are asked. */
function runColumn() {
  const form = document.activeElement?.closest(".try-column") ?? document.querySelector(".try-column:hover");
  const first = document.querySelector(".try-column");
  const place = first ? (form ?? first) : document.querySelectorAll(".sheet thead th")[column() + 1];
  return place?.querySelector("[data-run-column]");
}

document.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !event.shiftKey || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.defaultPrevented || document.querySelector("dialog:modal")) return;
  // Shift+Enter is a new line in a text, and a menu's items have it for themselves.
  if (event.target.closest?.("textarea, [contenteditable], details.menu")) return;
  const button = runColumn();
  if (!button) return;
  event.preventDefault();
  button.click();
});

/** The row in which a vote is missing: the one around the focus, else the first. */
function voting() {
  const ballots = [...document.querySelectorAll(".ballot")];
  const near = document.activeElement?.closest(".sheet tbody tr")?.querySelector(".ballot");
  return near ?? ballots.find((one) => !one.querySelector('[aria-pressed="true"]'));
}

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  if (!document.querySelector(".sheet, .try") || document.querySelector("dialog:modal")) return;
  if (event.target.closest?.(typing)) return;
  const key = event.key.toLowerCase();
  if (key === "n") press("[data-add-column]");
  if (!document.querySelector(".sheet")) return;
  if (key === "r") press(event.shiftKey ? "[data-new-seeds]" : "[data-run-all]");
  else if (key === "f") press("[data-all-columns]") || head("[data-focus]");
  else if (key === "d") press("[data-no-base]") || head("[data-base]");
  else if (/^\d$/.test(key)) voting()?.querySelectorAll("button")[(Number(key) + 9) % 10]?.click();
});

// Where a model is and what it costs stands under the menu that it is chosen from.
document.addEventListener("change", (event) => {
  const line = document.getElementById(event.target.dataset?.tells ?? "");
  if (!line) return;
  line.textContent = event.target.selectedOptions[0]?.dataset.about ?? "";
  line.dataset.live = "";
});

// Whoever changes the values on the Try page means to run them.
document.addEventListener("input", (event) => {
  const { name, form } = event.target;
  const own = name?.startsWith("v.") && form?.elements.namedItem("own");
  if (own?.type === "checkbox") own.checked = true;
});

/** On a narrow screen the style shows one column, and parts that are swapped in fall in with it. */
function showChosen() {
  const picker = document.querySelector("[data-column-picker]");
  const sheet = document.querySelector(".sheet");
  if (picker && sheet) sheet.dataset.column = picker.value;
}

document.addEventListener("change", (event) => {
  if (event.target.matches("[data-column-picker]")) showChosen();
});
showChosen();
