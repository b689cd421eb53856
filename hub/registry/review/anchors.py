"""Where the words of a remark are now, after the text around them was changed.

A remark keeps the words it is about, what stood around them and where. In a newer text they are
looked for as they were; then by what stands around them, for words that occur often; then as
reworded, between the same neighbours or anywhere. What is too unlike is gone: a remark at the wrong
words is worse than one without a place. Every step is bounded, so that a remark on a text of
200 kB costs milliseconds whatever the text holds.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Literal

import msgspec

from hub.registry.prompt.document import Document
from hub.registry.prompt.words import count, likeness

AROUND = 64
"""Characters kept of what stands on either side."""
MOST_QUOTED = 2_000
OLD = "old/"
"""Before a place: in the text that was there before the change, such as a word that was struck."""

_CANDIDATES = 32  # occurrences looked at on either side of where the words were
_DISTINCT = 20  # characters: words this long are the same words wherever they stand
_SAME_WORDS = 0.55  # likeness from which reworded words are still those words
_SURELY = 0.9  # share of the surroundings that leaves no doubt
_SAME_PLACE = 0.3  # share of the surroundings that must be there for words that occur often
_RARE = 6  # words of a quote that are looked for, and how often each
_WORD = re.compile(r"\w+")


class Anchor(msgspec.Struct, frozen=True, kw_only=True):
    """The words a remark is about, as they were when it was made; empty: the place as a whole."""

    place: str
    quote: str = ""
    before: str = ""
    after: str = ""
    start: int = 0


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """Where the words are in the text at hand."""

    place: str
    start: int
    end: int
    how: Literal["same", "moved", "reworded"]
    """`moved`: they stand in another place of the prompt now."""


def texts_of(document: Document | None, *, prefix: str = "") -> dict[str, str]:
    """The texts of a prompt that words can be picked in, by place."""
    if document is None:
        return {}
    texts = {"title": document.title, "description": document.description}
    texts |= {f"messages/{at}": one.content for at, one in enumerate(document.messages)}
    return {prefix + place: text for place, text in texts.items() if text}


def texts_before_and_after(old: Document | None, new: Document | None) -> dict[str, str]:
    """As `texts_of`, with what a change strikes: its places begin with `old/`."""
    return texts_of(old, prefix=OLD) | texts_of(new)


def make(texts: Mapping[str, str], place: str, quote: str, start: int | None = None) -> Anchor:
    """The anchor of words in a text. `start` says which, where they occur more than once; words
    that are not there at all are kept, and are gone from the beginning."""
    text = texts.get(place, "")
    quote = _as_in(text, quote, start)
    at = _nearest(text, quote, start or 0) if quote else None
    if at is None:
        return Anchor(place=place, quote=quote[:MOST_QUOTED], start=max(0, start or 0))
    quote = quote[:MOST_QUOTED]
    end = at + len(quote)
    return Anchor(
        place=place, quote=quote, start=at, before=text[max(0, at - AROUND) : at],
        after=text[end : end + AROUND],
    )  # fmt: skip


def find(anchor: Anchor, texts: Mapping[str, str]) -> Found | None:
    """Where the anchor's words are in these texts; None: they are gone."""
    quote, place = anchor.quote, anchor.place
    if not quote:
        return Found(place=place, start=0, end=0, how="same") if place in texts else None
    here = texts.get(place, "")
    if here.startswith(quote, anchor.start) and _untouched(anchor, here, anchor.start):
        return _found(anchor, place, anchor.start)
    side = {name: text for name, text in texts.items() if _side(name) == _side(place)}
    return _as_they_were(anchor, side) or _reworded(anchor, side)


def _side(place: str) -> bool:
    return place.startswith(OLD)


def _found(anchor: Anchor, place: str, start: int) -> Found:
    how = "same" if place == anchor.place else "moved"
    return Found(place=place, start=start, end=start + len(anchor.quote), how=how)


def _as_in(text: str, quote: str, start: int | None) -> str:
    """The words as the text has them: forms send every line end as CR LF."""
    quote = quote.replace("\x00", "")
    if start is not None and 0 <= start < len(text):
        there = text[start : start + len(quote)]
        plain = quote.replace("\r\n", "\n")
        for length in (len(quote), len(plain), len(quote) + quote.count("\n")):
            there = text[start : start + length]
            if there.replace("\r\n", "\n") == plain:
                return there
    return quote if quote in text else quote.replace("\r\n", "\n").replace("\r", "\n")


def _nearest(text: str, quote: str, start: int) -> int | None:
    spots = list(_occurrences(text, quote, start))
    return min(spots, key=lambda at: abs(at - start), default=None)


def _occurrences(text: str, quote: str, around: int) -> Iterator[int]:
    """Where the words occur, from `around` outwards, so many at most."""
    at = max(0, min(around, len(text)))
    for _ in range(_CANDIDATES):
        at = text.find(quote, at)
        if at < 0:
            break
        yield at
        at += 1
    at = max(0, min(around, len(text)))
    for _ in range(_CANDIDATES):
        at = text.rfind(quote, 0, at + len(quote) - 1) if at > 0 else -1
        if at < 0:
            break
        yield at


# ── as they were ────────────────────────────────────────────────────────────────────────────────


def _as_they_were(anchor: Anchor, texts: Mapping[str, str]) -> Found | None:
    best: tuple[float, int, str, int] | None = None
    for place, text in texts.items():
        for at in _spots(anchor, text):
            score = _likeness_around(anchor, text, at) + 0.2 * (place == anchor.place)
            rank = (score, -abs(at - anchor.start), place, at)
            best = max(best, rank) if best else rank
    if best is None:
        return None
    score, _, place, at = best
    distinct = len(anchor.quote) >= _DISTINCT or not (anchor.before or anchor.after)
    if distinct or score - 0.2 * (place == anchor.place) >= _SAME_PLACE:
        return _found(anchor, place, at)
    return None


def _spots(anchor: Anchor, text: str) -> Iterator[int]:
    """First where more than the words themselves is found, however often these occur."""
    for length in (AROUND, 24, 8):
        for before, after in ((length, length), (length, 0), (0, length)):
            head, tail = anchor.before[-before:] if before else "", anchor.after[:after]
            at = text.find(head + anchor.quote + tail)
            if at >= 0 and (head or tail):
                yield at + len(head)
    yield from _occurrences(text, anchor.quote, anchor.start)


def _untouched(anchor: Anchor, text: str, at: int) -> bool:
    """Whether next to nothing around the words was changed, so that no other place can be meant."""
    if not anchor.before and not anchor.after:
        return True
    return _likeness_around(anchor, text, at) >= _SURELY


def _likeness_around(anchor: Anchor, text: str, at: int) -> float:
    """How much of what stood around the words stands around this place: 0 to 1."""
    end = at + len(anchor.quote)
    before, after = text[max(0, at - AROUND) : at], text[end : end + AROUND]
    kept = _common(anchor.before[::-1], before[::-1]) + _common(anchor.after, after)
    there = len(anchor.before) + len(anchor.after)
    if there == 0:
        return 1.0 if not before and not after else 0.5
    if kept == there:
        return 1.0
    words = likeness(count(anchor.before + " " + anchor.after), count(before + " " + after))
    return max(kept / there, words * 0.9)


def _common(one: str, other: str) -> int:
    """Length of the common beginning."""
    length = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        length += 1
    return length


# ── reworded ────────────────────────────────────────────────────────────────────────────────────


def _reworded(anchor: Anchor, texts: Mapping[str, str]) -> Found | None:
    wanted = Counter(_WORD.findall(anchor.quote.casefold()))
    if not wanted:
        return None
    best: tuple[float, bool, str, int, int] | None = None
    for place, text in texts.items():
        spans = [_between(anchor, text), *_around_rare_words(anchor, text, wanted)]
        for start, end in dict.fromkeys(span for span in spans if span):
            score = likeness(wanted, Counter(_WORD.findall(text[start:end].casefold())))
            rank = (score, place == anchor.place, place, -start, end)
            best = max(best, rank) if best else rank
    if best is None or best[0] < _SAME_WORDS:
        return None
    return Found(place=best[2], start=-best[3], end=best[4], how="reworded")


def _between(anchor: Anchor, text: str) -> tuple[int, int] | None:
    """What stands now between the same neighbours."""
    most = 2 * len(anchor.quote) + AROUND
    for length in (32, 12):
        head, tail = anchor.before[-length:], anchor.after[:length]
        at = text.find(head) if head else 0
        if at < 0 or (not head and not tail):
            continue
        start = at + len(head)
        end = text.find(tail, start, start + most + len(tail)) if tail else len(text)
        if end > start and end - start <= most:
            return start, end
    return None


def _around_rare_words(
    anchor: Anchor, text: str, wanted: Counter[str]
) -> Iterator[tuple[int, int]]:
    """Stretches as long as the quote, laid over its longest words wherever those occur; a quote of
    one or two words has no likeness to judge by."""
    if wanted.total() < 3:
        return
    words = sorted(_WORD.finditer(anchor.quote), key=lambda one: one.start() - one.end())
    for word in words[:_RARE]:
        at = -1
        for _ in range(_RARE):
            at = text.find(word.group(), at + 1)
            if at < 0:
                break
            yield _trimmed(text, at - word.start(), len(anchor.quote), wanted)


def _trimmed(text: str, start: int, length: int, wanted: Counter[str]) -> tuple[int, int]:
    """A stretch from its first to its last word that the quote has too."""
    low = max(0, start - length // 4)
    high = min(len(text), start + length + length // 4)
    shared = [word for word in _WORD.finditer(text, low, high) if word.group().casefold() in wanted]
    if not shared:
        return max(0, start), max(0, start)
    return shared[0].start(), shared[-1].end()
