// "3 hours ago", kept true while the page stays open; the exact time is the title.
const words = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "long" });
const dayAndYear = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "long", year: "numeric" });
const exact = new Intl.DateTimeFormat("en-GB", { dateStyle: "long", timeStyle: "short" });

export function ago(moment, now = new Date()) {
  const seconds = Math.round((now - moment) / 1000);
  // A moment to come, as somebody's clock may claim, is a date; two clocks may differ by minutes.
  if (seconds > -300) {
    if (seconds < 60) return "just now";
    if (seconds < 3600) return words.format(-Math.floor(seconds / 60), "minute");
    if (seconds < 86400) return words.format(-Math.floor(seconds / 3600), "hour");
    if (seconds < 604800) return words.format(-Math.floor(seconds / 86400), "day");
  }
  return (moment.getFullYear() === now.getFullYear() ? day : dayAndYear).format(moment);
}

export function clock(moment = new Date()) {
  return moment.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
}

function update() {
  const now = new Date();
  for (const element of document.querySelectorAll("time[data-relative]")) {
    const moment = new Date(element.dateTime);
    if (Number.isNaN(moment.getTime())) continue;
    const text = ago(moment, now);
    if (element.textContent !== text) element.textContent = text;
    element.title = exact.format(moment);
  }
}

export function startTimes() {
  update();
  setInterval(update, 60000);
  document.addEventListener("htmx:after:swap", update);
}
