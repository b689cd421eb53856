// Keys that work everywhere: / search, ? the list of keys, Esc closes menus.
const MAC = /Mac|iPhone|iPad/.test(navigator.platform);

export function isTyping(target) {
  return target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName);
}

function closeMenus(except) {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (menu !== except) menu.open = false;
  }
}

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    const menu = document.querySelector("details.menu[open]");
    if (menu) {
      menu.open = false;
      menu.querySelector("summary").focus();
    } else if (event.target.matches?.("[data-search]")) {
      event.target.blur();
    }
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
  if (event.key === "/") {
    const search = document.querySelector("[data-search]");
    if (!search) return;
    event.preventDefault();
    search.focus();
    search.select();
  } else if (event.key === "?") {
    const dialog = document.getElementById("shortcuts");
    if (dialog && !document.querySelector("dialog:modal")) dialog.showModal();
  }
});

document.addEventListener("click", (event) => {
  closeMenus(event.target.closest("details.menu"));
  if (event.target.closest("[data-back]")) history.back();
});

if (MAC) {
  for (const key of document.querySelectorAll("kbd[data-keys^='Ctrl+']")) {
    key.textContent = `⌘ ${key.dataset.keys.slice(5).replace("Enter", "↵")}`;
  }
}
