// Moments on the person's own clock. Fields are typed in it, and a hidden field beside them says
// how far it is ahead of UTC; times that matter to the minute are shown in it.
const exact = new Intl.DateTimeFormat("en-GB", {
  weekday: "short", day: "numeric", month: "long", year: "numeric", hour: "2-digit", minute: "2-digit",
});

function ahead(moment) {
  const given = new Date(moment || Date.now());
  return -(Number.isNaN(given.getTime()) ? new Date() : given).getTimezoneOffset();
}

function zone(minutes) {
  if (!minutes) return "UTC";
  const hours = Math.floor(Math.abs(minutes) / 60);
  const rest = Math.abs(minutes) % 60;
  return `UTC${minutes < 0 ? "−" : "+"}${hours}${rest ? `:${String(rest).padStart(2, "0")}` : ""}`;
}

/** The field's value: the same moment, as this clock shows it. */
function asTyped(utc) {
  const moment = new Date(utc);
  return new Date(moment.getTime() + ahead(moment) * 60000).toISOString().slice(0, 16);
}

export function showMoments(root = document) {
  for (const element of root.querySelectorAll("time[data-when]")) {
    const moment = new Date(element.dateTime);
    if (!Number.isNaN(moment.getTime())) element.textContent = exact.format(moment);
  }
  for (const element of root.querySelectorAll("[data-zone]")) {
    const names = new Set([Intl.DateTimeFormat().resolvedOptions().timeZone, zone(ahead())]);
    element.textContent = [...names].join(", ");
  }
  for (const field of root.querySelectorAll("input[data-local]")) {
    if (field.dataset.local) field.value = asTyped(field.dataset.local);
    field.dataset.local = "";
  }
}

// The clock may change between now and then (summer time): what counts is the moment typed.
document.addEventListener("submit", ({ target }) => {
  for (const hidden of target.querySelectorAll("input[data-offset]")) {
    hidden.value = ahead(target.querySelector("input[data-local]")?.value);
  }
}, { capture: true });

document.addEventListener("htmx:after:swap", () => showMoments());
