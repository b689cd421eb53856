// A rough count of tokens, said as "about": real tokenizers differ by model.
const PIECES = /[A-Za-z\u00c0-\u024f]+|\d{1,3}|[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|\p{L}+|\n+|[^\s\w]/gu;

export function estimate(text) {
  let count = 0;
  for (const [piece] of text.matchAll(PIECES)) {
    if (/^[A-Za-z]/.test(piece)) count += Math.max(1, Math.round(piece.length / 6));
    else if (piece.length > 1 && /^\p{L}/u.test(piece)) count += Math.ceil(piece.length / 3);
    else count += 1;
  }
  return count;
}
