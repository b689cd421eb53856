"""Seeded choices that keep part of the contents and wordings aside for the examination."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import TypeVar
from zlib import crc32

from hub.playground.engine.train import words
from hub.playground.engine.train.words import each

T = TypeVar("T")
SPLITS = ("seen", "content", "wording")


def kept_aside(item: object) -> bool:
    """One content in seven is never trained on."""
    return crc32(repr(item).encode()) % 7 == 0


class Choice:
    """Draws for one example. `split` says what is drawn from the part kept aside."""

    def __init__(self, random: Random, split: str = "seen") -> None:
        self.random = random
        self.split = split

    def any(self, items: Sequence[T]) -> T:
        return self.random.choice(items)

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def content(self, items: Sequence[T]) -> T:
        """A thing the answer depends on."""
        aside = self.split == "content"
        some = [item for item in items if kept_aside(item) == aside]
        return self.random.choice(some or list(items))

    def wording(self, items: Sequence[T]) -> T:
        """A way of asking; one in five of a long enough list is kept aside."""
        aside = self.split == "wording"
        some = [x for i, x in enumerate(items) if (i % 5 == 2) == aside]
        return self.random.choice(some) if len(items) >= 5 and some else self.random.choice(items)

    def name(self) -> str:
        first = self.content(words.FIRST)
        if self.chance(0.15):
            first = self.invented()
        return first if self.chance(0.5) else f"{first} {self.content(words.LAST)}"

    def invented(self) -> str:
        return "".join(self.any(words.SYLLABLES) for _ in range(self.random.randint(2, 3))).title()

    def number(self, low: int, high: int) -> int:
        """A number; the kept-aside ones are those whose hash says so."""
        for _ in range(50):
            n = self.random.randint(low, high)
            if kept_aside(n) == (self.split == "content"):
                return n
        return low

    def fill(self, text: str, **given: str) -> str:
        """Fill `{org}`, `{city}`, `{name}` … with any fitting word."""
        if "{" not in text:
            return text
        r = self.random
        known = {
            "org": lambda: self.any(words.ORGS),
            "city": lambda: self.any(words.CITIES),
            "name": self.name,
            "month": lambda: self.any(words.MONTHS),
            "product": lambda: self.any(words.PRODUCTS),
            "num": lambda: str(r.randint(1, 99) if self.chance(0.5) else r.randint(1000, 99999)),
            "who": lambda: self.any(WHO),
            "when": lambda: self.any(WHEN),
        }
        for key, value in given.items():
            text = text.replace("{" + key + "}", value)
        for key, draw in known.items():
            if "{" + key + "}" in text:
                text = text.replace("{" + key + "}", draw())
        return text


WHO = each("mother|father|son|daughter|wife|husband|brother|sister|grandmother|child|friend")
WHEN = each(
    "this morning|yesterday|last night|Monday|two days ago|three days ago|noon|an hour "
    "ago|last week|Sunday|five o'clock"
)


def either(labels: Sequence[str], choice: Choice) -> str:
    """Join names as a prompt would: `now, today or this week`, in quotes, bold, with slashes."""
    form = choice.any(("or", "or", "or", "and", "quote", "slash", "bold", "comma"))
    if form == "quote":
        labels = [f'"{x}"' for x in labels]
    elif form == "bold":
        labels = [f"**{x}**" for x in labels]
    elif form == "slash":
        return " / ".join(labels)
    elif form == "comma":
        return ", ".join(labels)
    return f"{', '.join(labels[:-1])} {'and' if form == 'and' else 'or'} {labels[-1]}"
