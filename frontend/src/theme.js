// Changing the look at once; the form's own post remembers it.
document.addEventListener("submit", async (event) => {
  const form = event.target.closest("[data-theme-form]");
  if (!form || !event.submitter) return;
  event.preventDefault();
  const { value } = event.submitter;
  document.documentElement.dataset.theme = value;
  for (const button of form.querySelectorAll("button[name=theme]")) {
    button.setAttribute("aria-pressed", String(button.value === value));
  }
  const body = new URLSearchParams(new FormData(form, event.submitter));
  // The answer is a redirect to a page that is not wanted here; only the cookie is.
  await fetch(form.action, { method: "POST", body, redirect: "manual" }).catch(() => {});
});
