// htmx (its extensions find it as a global), with our token on every write.
import htmx from "htmx.org";

const SAFE = new Set(["GET", "HEAD", "OPTIONS"]);

export function csrfToken() {
  return document.querySelector('meta[name="csrf-token"]')?.content ?? "";
}

document.addEventListener("htmx:config:request", (event) => {
  const { request } = event.detail.ctx;
  if (!SAFE.has(request.method)) request.headers["x-csrftoken"] = csrfToken();
});

export default htmx;
