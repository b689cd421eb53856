// Files and whole folders dropped onto a form: they go into its file field, and where each lay in
// its folder into `paths`. Without this the field itself takes files, one folder deep.
const MOST = 900;

function entriesOf(transfer) {
  return [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
}

async function* filesBelow(entry) {
  if (entry.isFile) {
    const file = await new Promise((good, bad) => entry.file(good, bad));
    yield [file, entry.fullPath.replace(/^\//, "")];
    return;
  }
  const reader = entry.createReader();
  // A browser hands out a folder in parts, the last of them empty.
  for (;;) {
    const part = await new Promise((good, bad) => reader.readEntries(good, bad));
    if (!part.length) return;
    for (const one of part) yield* filesBelow(one);
  }
}

async function gather(entries) {
  const found = [];
  for (const entry of entries) {
    for await (const pair of filesBelow(entry)) {
      found.push(pair);
      if (found.length > MOST) return found;
    }
  }
  return found;
}

for (const form of document.querySelectorAll("form[data-drop]")) {
  const field = form.querySelector("input[type=file]");
  const paths = form.querySelector("input[name=paths]");
  const said = form.querySelector("[data-drop-said]");
  const place = form.querySelector(".drop");
  let depth = 0;
  const lit = (step) => {
    depth = Math.max(0, depth + step);
    place.classList.toggle("drop-over", depth > 0);
  };
  document.addEventListener("dragenter", () => lit(1));
  document.addEventListener("dragleave", () => lit(-1));
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", async (event) => {
    event.preventDefault();
    lit(-depth);
    const entries = entriesOf(event.dataTransfer);
    const plain = [...event.dataTransfer.files];
    let found;
    try {
      found = entries.length ? await gather(entries) : plain.map((file) => [file, file.name]);
    } catch {
      said.textContent = "These could not be read. Choose them with the button instead.";
      return;
    }
    const together = new DataTransfer();
    for (const [file] of found.slice(0, MOST)) together.items.add(file);
    field.files = together.files;
    paths.value = JSON.stringify(found.slice(0, MOST).map(([, path]) => path));
    said.textContent =
      found.length > MOST ? `More than ${MOST} files: the first ${MOST} were taken.`
      : found.length === 1 ? "One file is ready to be read." : `${found.length} files are ready to be read.`;
  });
  field.addEventListener("change", () => {
    paths.value = "";
    said.textContent = "";
  });
}
