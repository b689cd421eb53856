// Where words stand in the texts of a proposal. The anchors are those of the template
// registry/proposals/_texts.html: [data-at] inside [data-place], counted in code points.

/** A stretch of text: its element, the place it belongs to and where in it it begins. */
function stretchesIn(root) {
  return [...root.querySelectorAll("[data-at]")].flatMap((element) => {
    const holder = element.closest("[data-place]");
    if (!holder) return [];
    const { prompt, place } = holder.dataset;
    return [{ element, prompt, place, at: Number(element.dataset.at) }];
  });
}

/** What is text and nothing else in it: text nodes, and chips that stand for hidden characters. */
function* atoms(root) {
  for (const child of root.childNodes) {
    if (child.nodeType === Node.TEXT_NODE) yield { node: child, text: child.data, size: [...child.data].length };
    else if (child.dataset?.length)
      yield { node: child, text: child.dataset.text, size: Number(child.dataset.length), chip: true };
    else yield* atoms(child);
  }
}

function read(root) {
  let [text, size] = ["", 0];
  for (const atom of atoms(root)) {
    text += atom.text;
    size += atom.size;
  }
  return { text, size };
}

/** The part of `range` that lies in this stretch: from, to (in the place's text) and its words. */
function partOf(range, stretch) {
  const within = document.createRange();
  within.selectNodeContents(stretch.element);
  if (stretch.element.contains(range.startContainer)) within.setStart(range.startContainer, range.startOffset);
  if (stretch.element.contains(range.endContainer)) within.setEnd(range.endContainer, range.endOffset);
  const before = document.createRange();
  before.selectNodeContents(stretch.element);
  before.setEnd(within.startContainer, within.startOffset);
  const { text, size } = read(within.cloneContents());
  const from = stretch.at + read(before.cloneContents()).size;
  return { ...stretch, from, to: from + size, text };
}

const WORDS = new Intl.Segmenter(undefined, { granularity: "word" });

/** Where the word begins or ends that `at` lies within: whoever draws over words seldom meets their ends. */
function edgeOfWord(stretch, at, atEnd) {
  const { text } = read(stretch.element);
  const unit = [...text].slice(0, at - stretch.at).join("").length;
  const word = WORDS.segment(text).containing(unit);
  if (!word?.isWordLike || word.index === unit) return at;
  const edge = word.index + (atEnd ? word.segment.length : 0);
  return stretch.at + [...text.slice(0, edge)].length;
}

/** What is selected, in whole words, as a remark names it; null where no text of the proposal is. */
export function chosen() {
  const selection = getSelection();
  if (!selection.rangeCount || selection.isCollapsed) return null;
  const range = selection.getRangeAt(0);
  const parts = stretchesIn(document)
    .filter(({ element }) => range.intersectsNode(element))
    .map((stretch) => partOf(range, stretch))
    .filter(({ from, to }) => to > from);
  // Words that stay or come in go before words that are struck between them.
  const lead = parts.find(({ place }) => !place.startsWith("old/")) ?? parts[0];
  if (!lead) return null;
  const same = parts.filter(({ prompt, place }) => prompt === lead.prompt && place === lead.place);
  if (!same.some(({ text }) => text.trim())) return null;
  const [first, last] = [same[0], same.at(-1)];
  first.from = edgeOfWord(first, first.from, false);
  last.to = edgeOfWord(last, last.to, true);
  const words = ({ element, at, from, to }) => [...read(element).text].slice(from - at, to - at).join("");
  const quote = same.map(words).join("");
  return { prompt: lead.prompt, place: lead.place, start: first.from, length: last.to - first.from, quote };
}

function boundary(stretch, offset, atEnd) {
  let left = offset;
  for (const { node, text, size, chip } of atoms(stretch.element)) {
    if (left > size || (left === size && !atEnd)) {
      left -= size;
      continue;
    }
    if (!chip) return [node, [...text].slice(0, left).join("").length];
    const at = [...node.parentNode.childNodes].indexOf(node);
    return [node.parentNode, at + (atEnd ? 1 : 0)];
  }
  return [stretch.element, stretch.element.childNodes.length];
}

/** Where so many characters of a place stand on the page: one range for each stretch. */
export function rangesOf({ prompt, place, start, length }, root = document) {
  const found = [];
  for (const stretch of stretchesIn(root)) {
    if (stretch.prompt !== prompt || stretch.place !== place) continue;
    const { size } = read(stretch.element);
    const [from, to] = [Math.max(start, stretch.at), Math.min(start + length, stretch.at + size)];
    if (to <= from) continue;
    const range = document.createRange();
    range.setStart(...boundary(stretch, from - stretch.at, false));
    range.setEnd(...boundary(stretch, to - stretch.at, true));
    found.push(range);
  }
  return found;
}

/** Open what this is folded away in. */
export function unfold(element) {
  for (let fold = element.closest("details"); fold; fold = fold.parentElement.closest("details")) {
    fold.open = true;
  }
}

/** The sentences of the proposed text that `root` shows, in order. */
export function sentencesIn(root) {
  const stretches = stretchesIn(root).filter(({ place }) => !place.startsWith("old/"));
  if (!stretches.length) return [];
  const { prompt, place, at } = stretches[0];
  const text = stretches.filter((one) => one.place === place).map(({ element }) => read(element).text).join("");
  const found = [];
  let start = at;
  for (const { segment } of new Intl.Segmenter("en", { granularity: "sentence" }).segment(text)) {
    const words = segment.trim();
    const skipped = [...segment.slice(0, segment.indexOf(words))].length;
    if (words) found.push({ prompt, place, start: start + skipped, length: [...words].length });
    start += [...segment].length;
  }
  return found;
}
