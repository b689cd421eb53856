"""Two texts side by side as one flowing text: what stayed, what was struck, what was added.

Lines are aligned first, then the words of the lines that differ. Both steps anchor on what occurs
once in each text (patience) and search the gaps with Myers' algorithm under one common budget of
steps, so that two unrelated texts cost no more than two versions of one.
"""

import re
import unicodedata
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence

Kind = str  # "same", "add" or "del"
Run = tuple[Kind, str]
Block = tuple[int, int, int]  # start in old, start in new, length

_BUDGET = 40_000  # steps of Myers' algorithm at most; about 20 ms
_FEW = 24  # tokens in a gap too small to look for anchors in


def _mark_ranges() -> str:
    """Accents and vowel signs, which belong to their letter but are no letters to `re`."""
    spans = ((0x300, 0x1E00), (0x20D0, 0x20F1), (0xA66F, 0xABFF), (0xFE20, 0xFE30))
    marks = [n for low, high in spans for n in range(low, high) if _is_mark(n)]
    return "".join(map(chr, marks))


def _is_mark(number: int) -> bool:
    return unicodedata.category(chr(number))[0] == "M"


_PICTURE = "\u231a-\u27bf\U0001f000-\U0001faff"
_ALONE = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\U00020000-\U0003ffff"
_MARKS = _mark_ranges()
_LETTER = f"[^\\W{_ALONE}]"
_TOKEN = re.compile(
    r"\{\{[^{}\n]{0,80}\}\}"  # a placeholder is one word
    r"|\n"
    r"|[^\S\n]+"
    f"|(?:{_LETTER}[{_MARKS}]*)+(?:['’](?:{_LETTER}[{_MARKS}]*)+)*"
    f"|[{_ALONE}][{_MARKS}]*"
    "|[\U0001f1e6-\U0001f1ff]{2}"
    f"|[{_PICTURE}](?:[\ufe0f\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]|\u200d[{_PICTURE}])*"
    "|."
)


def tokenise(text: str) -> list[str]:
    """Words, placeholders, blanks, line ends, and everything else one by one."""
    return _TOKEN.findall(text)


def count(text: str) -> Counter[str]:
    """How often each word occurs."""
    return Counter(text.split())


def likeness(old: Counter[str], new: Counter[str]) -> float:
    """0 for no word in common, 1 for the same words; their order does not matter."""
    total = old.total() + new.total()
    return 2 * (old & new).total() / total if total else 0.0


def compare_texts(old: str, new: str) -> list[Run]:
    """Runs that read as `new` without the `del` ones, and as `old` without the `add` ones."""
    if old == new:
        return [("same", new)] if new else []
    budget = [max(2_000, min(_BUDGET, 4 * (len(old) + len(new))))]
    old_lines, new_lines = old.splitlines(keepends=True), new.splitlines(keepends=True)
    runs: list[Run] = []
    for a0, a1, b0, b1, same in _stretches(old_lines, new_lines, budget):
        if same:
            runs.append(("same", "".join(new_lines[b0:b1])))
        else:
            runs.extend(_words("".join(old_lines[a0:a1]), "".join(new_lines[b0:b1]), budget))
    return list(_tidy(runs))


def _words(old: str, new: str, budget: list[int]) -> list[Run]:
    """The lines that differ, word by word, unless they have hardly a word in common."""
    if (
        not old
        or not new
        or (likeness(count(old), count(new)) < 0.25 and min(len(old), len(new)) > 60)
    ):
        return [("del", old), ("add", new)]
    mine, theirs = tokenise(old), tokenise(new)
    runs: list[Run] = []
    for a0, a1, b0, b1, same in _stretches(mine, theirs, budget):
        if same:
            runs.append(("same", "".join(theirs[b0:b1])))
        else:
            runs += [("del", "".join(mine[a0:a1])), ("add", "".join(theirs[b0:b1]))]
    return runs


def _tidy(runs: Sequence[Run]) -> Iterator[Run]:
    """Join neighbours; swallow a lone blank or comma between two changes; deletions first."""
    runs = [run for run in runs if run[1]]
    struck: list[str] = []
    added: list[str] = []
    kept: list[str] = []
    for at, (kind, text) in enumerate(runs):
        if kind == "same":
            island = (struck or added) and at + 1 < len(runs) and not _stands_alone(text)
            if island and runs[at + 1][0] != "same" and (struck and added):
                struck.append(text)
                added.append(text)
                continue
            yield from _flush(struck, added)
            kept.append(text)
            continue
        if kept:
            yield "same", "".join(kept)
            kept.clear()
        (struck if kind == "del" else added).append(text)
    yield from _flush(struck, added)
    if kept:
        yield "same", "".join(kept)


def _flush(struck: list[str], added: list[str]) -> Iterator[Run]:
    if struck:
        yield "del", "".join(struck)
    if added:
        yield "add", "".join(added)
    struck.clear()
    added.clear()


def _stands_alone(text: str) -> bool:
    """Whether an unchanged stretch between two changes says something by itself."""
    return "\n" in text or len(text) > 3 or any(c.isalnum() for c in text)


def _stretches(
    old: Sequence[str], new: Sequence[str], budget: list[int]
) -> Iterator[tuple[int, int, int, int, bool]]:
    """Equal and unequal stretches of both, in order and without a gap."""
    a = b = 0
    for at_old, at_new, length in align(old, new, budget):
        if at_old > a or at_new > b:
            yield a, at_old, b, at_new, False
        yield at_old, at_old + length, at_new, at_new + length, True
        a, b = at_old + length, at_new + length
    if a < len(old) or b < len(new):
        yield a, len(old), b, len(new), False


def align(old: Sequence[str], new: Sequence[str], budget: list[int] | None = None) -> list[Block]:
    """Stretches that both have, in the order of both."""
    budget = budget or [_BUDGET]
    found: list[Block] = []
    waiting = [(0, len(old), 0, len(new))]
    while waiting:
        a0, a1, b0, b1 = waiting.pop()
        start = a0
        while a0 < a1 and b0 < b1 and old[a0] == new[b0]:
            a0, b0 = a0 + 1, b0 + 1
        if a0 > start:
            found.append((start, b0 - (a0 - start), a0 - start))
        end = a1
        while a0 < a1 and b0 < b1 and old[a1 - 1] == new[b1 - 1]:
            a1, b1 = a1 - 1, b1 - 1
        if end > a1:
            found.append((a1, b1, end - a1))
        if a0 == a1 or b0 == b1:
            continue
        few = a1 - a0 + b1 - b0 <= _FEW
        anchors = [] if few else _anchors(old, new, (a0, a1, b0, b1))
        if not anchors:
            found.extend(_myers(old, new, (a0, a1, b0, b1), budget))
            continue
        for a, b in anchors:
            waiting.append((a0, a, b0, b))
            found.append((a, b, 1))
            a0, b0 = a + 1, b + 1
        waiting.append((a0, a1, b0, b1))
    return _joined(sorted(found))


def _joined(blocks: Sequence[Block]) -> list[Block]:
    joined: list[Block] = []
    for a, b, length in blocks:
        if joined and joined[-1][0] + joined[-1][2] == a and joined[-1][1] + joined[-1][2] == b:
            before = joined.pop()
            a, b, length = before[0], before[1], before[2] + length
        joined.append((a, b, length))
    return joined


def _anchors(
    old: Sequence[str], new: Sequence[str], box: tuple[int, int, int, int]
) -> list[tuple[int, int]]:
    """Tokens that occur once on each side, as many as keep their order."""
    a0, a1, b0, b1 = box
    often = Counter(old[a0:a1])
    places = {old[at]: at for at in range(a0, a1) if often[old[at]] == 1}
    often = Counter(new[b0:b1])
    pairs = [
        (places[new[at]], at)
        for at in range(b0, b1)
        if often[new[at]] == 1 and new[at] in places and not new[at].isspace()
    ]
    return rising(pairs)


def rising(pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The longest run of pairs, sorted by the second, in which the first rises too."""
    tops: list[int] = []
    ends: list[int] = []
    before: list[int] = []
    for number, (first, _) in enumerate(pairs):
        at = bisect_left(tops, first)
        before.append(ends[at - 1] if at else -1)
        if at == len(tops):
            tops.append(first)
            ends.append(number)
        else:
            tops[at], ends[at] = first, number
    chain: list[tuple[int, int]] = []
    number = ends[-1] if ends else -1
    while number >= 0:
        chain.append(pairs[number])
        number = before[number]
    return chain[::-1]


def _myers(
    old: Sequence[str], new: Sequence[str], box: tuple[int, int, int, int], budget: list[int]
) -> list[Block]:
    """The shortest edit between the two boxes; nothing in common once the budget is spent."""
    a0, a1, b0, b1 = box
    width, height = a1 - a0, b1 - b0
    reach: dict[int, int] = {1: 0}
    trail: list[dict[int, int]] = []
    for steps in range(width + height + 1):
        # A trail this long would also have to be kept, so the copies count as well.
        budget[0] -= 2 * steps + 1
        if budget[0] < 0:
            return []
        trail.append(dict(reach))
        for diagonal in range(-steps, steps + 1, 2):
            down = diagonal == -steps or (
                diagonal != steps and reach[diagonal - 1] < reach[diagonal + 1]
            )
            x = reach[diagonal + 1] if down else reach[diagonal - 1] + 1
            y = x - diagonal
            while x < width and y < height and old[a0 + x] == new[b0 + y]:
                x, y = x + 1, y + 1
            reach[diagonal] = x
            if x >= width and y >= height:
                return _walk_back(trail, width, height, a0, b0)
    return []


def _walk_back(trail: list[dict[int, int]], x: int, y: int, a0: int, b0: int) -> list[Block]:
    blocks: list[Block] = []
    for steps in range(len(trail) - 1, -1, -1):
        reach, diagonal = trail[steps], x - y
        down = diagonal == -steps or (
            diagonal != steps and reach[diagonal - 1] < reach[diagonal + 1]
        )
        from_x = reach[diagonal + 1] if down else reach[diagonal - 1]
        turn_x = from_x if down else from_x + 1
        if x > turn_x:
            blocks.append((a0 + turn_x, b0 + turn_x - diagonal, x - turn_x))
        x = from_x
        y = from_x - (diagonal + 1 if down else diagonal - 1)
        if steps == 0:
            break
    return blocks
