// Reads a template's text: where its variables, tags and comments are, and which names it uses.
const TOKEN = /\{\{[\s\S]*?\}\}|\{%[\s\S]*?%\}|\{#[\s\S]*?#\}/g;
const WORDS = new Set(
  "and or not in is if else elif true false none True False None loop recursive ignore missing with without context".split(" "),
);

function namesIn(expression) {
  const bare = expression
    .replace(/"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'/g, " ")
    .replace(/\|\s*[A-Za-z_]\w*/g, " ") // filters
    .replace(/\bis\s+(?:not\s+)?[A-Za-z_]\w*/g, " ") // tests
    .replace(/\.\s*[A-Za-z_]\w*/g, " ") // attributes
    .replace(/[A-Za-z_]\w*\s*=(?!=)/g, " "); // named arguments
  return (bare.match(/[A-Za-z_]\w*/g) ?? []).filter((name) => !WORDS.has(name));
}

function readTag(body, locals) {
  const [, word, rest] = /^\s*(\w+)\s*([\s\S]*)$/.exec(body) ?? [];
  if (word === "for") {
    const [, targets, source] = /^([\s\S]*?)\bin\b([\s\S]*)$/.exec(rest) ?? ["", "", rest];
    for (const name of namesIn(targets)) locals.add(name);
    return namesIn(source);
  }
  if (word === "set") {
    const [, target, source] = /^([^=]*)=([\s\S]*)$/.exec(rest) ?? ["", rest, ""];
    for (const name of namesIn(target)) locals.add(name);
    return namesIn(source);
  }
  return word === "if" || word === "elif" ? namesIn(rest) : [];
}

/** The marked places of a text, in order: {from, to, kind: variable|marks|comment, names}. */
export function scan(text) {
  const places = [];
  const locals = new Set();
  let raw = false;
  for (const match of text.matchAll(TOKEN)) {
    const [whole] = match;
    const place = { from: match.index, to: match.index + whole.length, kind: "marks", names: [] };
    const body = whole.slice(2, -2).replace(/^[-+]|[-+]$/g, "");
    const word = /^\s*(\w+)/.exec(body)?.[1];
    if (whole[1] === "%" && (word === "raw" || word === "endraw")) raw = word === "raw";
    else if (raw) continue;
    else if (whole[1] === "#") place.kind = "comment";
    else if (whole[1] === "{") {
      place.kind = "variable";
      place.names = namesIn(body).filter((name) => !locals.has(name));
    } else place.names = readTag(body, locals).filter((name) => !locals.has(name));
    places.push(place);
  }
  return places;
}

/** The names a text uses, in the order of first use. */
export function variablesOf(text) {
  return [...new Set(scan(text).flatMap((place) => place.names))];
}
