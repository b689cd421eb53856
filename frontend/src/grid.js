// The playground: Ctrl+Enter runs, Esc stops, and on a narrow screen one column shows at a time.
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

// Whoever changes the values on the Try page means to run them.
document.addEventListener("input", (event) => {
  const { name, form } = event.target;
  const own = name?.startsWith("v.") && form?.elements.namedItem("own");
  if (own?.type === "checkbox") own.checked = true;
});

function show(picker) {
  const sheet = document.querySelector(".sheet");
  const column = Number(picker.value);
  for (const row of sheet?.rows ?? []) {
    for (const cell of row.cells) {
      cell.classList.toggle("off", cell.cellIndex !== 0 && cell.cellIndex !== column);
    }
  }
}

function showChosen() {
  const picker = document.querySelector("[data-column-picker]");
  if (picker) show(picker);
}

document.addEventListener("change", (event) => {
  if (event.target.matches("[data-column-picker]")) showChosen();
});
document.addEventListener("htmx:after:swap", (event) => {
  // Tokens arrive many times a second; only a change of the table itself asks for another look.
  if (!event.target.closest?.("[hx-sse\\:connect]")) showChosen();
});
showChosen();
