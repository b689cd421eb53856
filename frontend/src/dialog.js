// Dialogs. data-dialog="id" opens one that is on the page; data-dialog-fetch on a link brings the
// one that its address answers with. Without JavaScript both are ordinary pages or forms.
import htmx from "./htmx.js";
import { showMoments } from "./moments.js";
import { allSent } from "./waiting.js";

function open(dialog) {
  if (dialog.open) dialog.close();
  dialog.showModal();
  const first = ".dialog-body :is(input:not([type=hidden]), textarea, select)";
  (dialog.querySelector("[autofocus]") ?? dialog.querySelector(first))?.focus();
}

/** A menu that a dialog comes from closes, and has the focus again when the dialog is left. */
function leaveMenu(item) {
  const menu = item.closest("details.menu");
  menu?.removeAttribute("open");
  menu?.querySelector("summary").focus();
}

async function bring(link) {
  await allSent();
  const answer = await fetch(link.href, {
    headers: { "HX-Request": "true", "HX-Request-Type": "partial", Accept: "text/html" },
  }).catch(() => null);
  const page = answer?.ok && new DOMParser().parseFromString(await answer.text(), "text/html");
  const dialog = page && page.querySelector("dialog");
  if (!dialog) return location.assign(link.href);
  document.getElementById(dialog.id)?.remove();
  document.body.append(dialog);
  htmx.process(dialog);
  showMoments(dialog);
  leaveMenu(link);
  open(dialog);
}

document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-dialog]");
  const dialog = opener && document.getElementById(opener.dataset.dialog);
  if (dialog) {
    event.preventDefault();
    leaveMenu(opener);
    return open(dialog);
  }
  const link = event.target.closest("a[data-dialog-fetch]");
  if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey && event.button === 0) {
    event.preventDefault();
    return void bring(link);
  }
  const close = event.target.closest("dialog:modal [data-close]");
  if (close) {
    event.preventDefault();
    return close.closest("dialog").close();
  }
  // A click on the veil has the dialog itself as target, outside its own box.
  if (event.target.matches("dialog:modal")) {
    const box = event.target.getBoundingClientRect();
    const inside =
      event.clientX >= box.left && event.clientX <= box.right && event.clientY >= box.top && event.clientY <= box.bottom;
    if (!inside) event.target.close();
  }
});

// As in a remark. What stops or replaces something is red, and only pressed on purpose.
document.addEventListener("keydown", (event) => {
  const field = event.target.closest?.("dialog:modal :is(input, textarea)");
  if (!field || event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
  const deed = field.closest("dialog").querySelector(".dialog-foot .button-primary");
  if (!deed) return;
  event.preventDefault();
  deed.click();
});

// A dialog that the server sent open over a page (a form came back with an error) becomes modal;
// one inside the content is the page itself and stays where it is.
for (const dialog of document.querySelectorAll("dialog[open]")) {
  if (!dialog.closest("main")) open(dialog);
}
