"""The word diff of two long texts, beside Python's own difflib, which is given the same words."""

from __future__ import annotations

import difflib
import random
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

from hub.registry.prompt.words import compare_texts, tokenise

LARGE = 50_000
STEMS = (
    "triage patient nurse refund policy contract clause pupil fraction answer customer order note "
    "invoice summary question table number doctor handover letter meeting lawyer teacher lesson"
).split()
WORDS = [stem + end for stem in STEMS for end in ("", "s", "al", "ing", "ed", "ment", "ly", "ish")]


def prose(rng: random.Random, size: int, words: Sequence[str] = WORDS) -> str:
    """Paragraphs of sentences, as people write them."""
    said: list[str] = []
    length = 0
    while length < size:
        count = rng.randint(6, 18)
        sentence = " ".join(rng.choices(words, k=count)).capitalize() + "."
        said.append(sentence + ("\n\n" if rng.random() < 0.2 else " "))
        length += len(said[-1])
    return "".join(said)[:size]


def some_words(rng: random.Random, text: str, every: int) -> str:
    """The same text with every so manieth word another one."""
    words = text.split(" ")
    for at in range(every // 2, len(words), every):
        words[at] = rng.choice(WORDS) + "ish"
    return " ".join(words)


def moved(rng: random.Random, text: str) -> str:
    """The same paragraphs, some of them elsewhere."""
    blocks = text.split("\n\n")
    for _ in range(len(blocks) // 10):
        blocks.insert(rng.randrange(len(blocks)), blocks.pop(rng.randrange(len(blocks))))
    return "\n\n".join(blocks)


def pairs() -> dict[str, tuple[str, str]]:
    """Two texts of 50 kB each, by what happened between them."""
    rng = random.Random(3)
    text = prose(rng, LARGE)
    flat = text.replace("\n\n", " ")
    other = [word[::-1] for word in WORDS]
    return {
        "few words": (text, some_words(rng, text, 800)),
        "every tenth word": (text, some_words(rng, text, 10)),
        "every tenth word, one line": (flat, some_words(rng, flat, 10)),
        "every third word": (text, some_words(rng, text, 3)),
        "blocks moved": (text, moved(rng, text)),
        "all different, same vocabulary": (text, prose(rng, LARGE)),
        "all different, one line": (flat, prose(rng, LARGE).replace("\n\n", " ")),
        "all different, other words": (text, prose(rng, LARGE, other)),
    }


def timed_ms(work: Callable[[], object], rounds: int) -> list[float]:
    """Of the processor's time: nothing is waited for."""
    took: list[float] = []
    for _ in range(rounds):
        begun = time.process_time()
        work()
        took.append((time.process_time() - begun) * 1000)
    return took


def diffs() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for what, (old, new) in pairs().items():
        ours = summed(timed_ms(lambda a=old, b=new: compare_texts(a, b), 12))
        words = tokenise(old), tokenise(new)
        peer = timed_ms(lambda w=words: difflib.SequenceMatcher(None, *w).get_opcodes(), 1)
        found[what] = ours | {"difflib": round(peer[0], 1)}
    return found


def summed(took: list[float]) -> dict[str, float]:
    ranked = sorted(took)
    return {
        "p50": round(statistics.median(ranked), 2), "best": round(ranked[0], 2),
        "p95": round(ranked[int(len(ranked) * 0.95)], 2),
    }  # fmt: skip
