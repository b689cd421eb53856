// About how many tokens a text takes: the same rules as hub/registry/tokens.py.
const PARTS =
  /(?<latin>[A-Za-z]+)|(?<number>[0-9]+)|(?<blank>\s+)|(?<dense>[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+)|(?<word>(?:(?![A-Za-z])[\p{L}\p{Nl}\p{No}])+)|(?<sign>.)/gsu;

export function estimate(text) {
  let total = 0;
  for (const { 0: part, groups } of text.matchAll(PARTS)) {
    if (groups.latin) total += part.length <= 7 ? 1 : 1 + Math.floor((part.length - 3) / 5);
    else if (groups.number) total += Math.floor((part.length + 2) / 3);
    else if (groups.blank) total += part === " " ? 0 : 0.6;
    else if (groups.dense) total += 0.9 * part.length;
    else if (groups.word) total += Math.max(1, [...part].length / 2.5);
    else total += 0.7;
  }
  return text ? Math.max(1, Math.round(total)) : 0;
}
