// Copy buttons: data-copy names the element whose text is taken.
function copyTheOldWay(text) {
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "visually-hidden";
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  return done;
}

async function copy(text) {
  // Browsers offer the clipboard to https and localhost only; a hub in the office may be neither.
  if (!navigator.clipboard) return copyTheOldWay(text);
  return navigator.clipboard.writeText(text).then(() => true, () => copyTheOldWay(text));
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const source = document.getElementById(button.dataset.copy);
  const label = button.querySelector("span") ?? button;
  const before = button.dataset.label ?? label.textContent;
  button.dataset.label = before;
  label.textContent = (await copy(source.value ?? source.textContent)) ? "Copied" : "Press Ctrl+C";
  if (label.textContent !== "Copied") getSelection().selectAllChildren(source);
  setTimeout(() => (label.textContent = before), 2000);
});
