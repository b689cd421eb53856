"""Sorting tasks as examples: triage, routing, mood, contract clauses, language, priority."""

from __future__ import annotations

from hub.playground.engine.train import cases, words
from hub.playground.engine.train.answers import WITH_REASON, Task
from hub.playground.engine.train.choice import Choice, either
from hub.playground.engine.train.words import each

CHAT = each(
    "Thank you.|I am at home.|I live in {city}.|My number is {num}.|I am sorry to bother "
    "you.|I called yesterday too.|Please call me back.|I am {num} years old.|I work at "
    "{org}.|It is my first time here.|I hope you can help.|My name is {name}.|I was here "
    "in {month}.|I am waiting for your answer.|Have a nice day.|I already asked a "
    "friend.|Sorry for the long message.|I did not know whom to ask.|Best wishes, {name}"
)
GROUPS = {
    "a child": ("My son, {age}, has {x}.", "My daughter ({age}) has {x}", "My child has {x}."),
    "pregnant": ("I am pregnant and have {x}.", "I am pregnant. I have {x}."),
    "older than 80": each(
        "I am 8{d} and have {x}.|My mother, 8{d}, has {x}|I am 8{d}. I have {x}."
    ),
}


def sorting(choice: Choice) -> Task:
    """Draw a kind, the pile, the names of the piles and the message."""
    kind = choice.any(cases.SORTINGS)
    if kind is cases.TONGUE:
        return _language(choice)
    labels = choice.any(kind.labels)
    index = choice.random.randrange(len(kind.piles))
    phrase = choice.content(kind.piles[index])
    named = list(labels)
    if not kind.ordered and choice.chance(0.4):
        choice.random.shuffle(named)
    if len(named) > 3 and choice.chance(0.3):
        drop = choice.any([name for name in named if name != labels[index]])
        named.remove(drop)
    frame = choice.any(kind.frames)
    rules: list[str] = []
    right = index
    if kind is cases.TRIAGE and choice.chance(0.45):
        frame, right = _rule(choice, labels, index, phrase, frame, rules)
    message = choice.fill(frame, x=phrase)
    message = _chatter(choice, message)
    if choice.chance(0.15):
        message = message.lower()
    because = phrase.lower() if message.islower() else phrase
    answer = labels[right]
    question = {"question": kind.question[right]} if kind.question else {}
    return Task(
        name=kind.name, role=choice.fill(choice.wording(kind.roles)),
        ask=choice.wording(kind.asks).replace("{l}", either(named, choice)), content=message,
        answer=answer, key=kind.key, because=because, fields=question, rules=tuple(rules),
        shapes=WITH_REASON,
    )  # fmt: skip


def _rule(
    choice: Choice, labels: tuple[str, ...], index: int, phrase: str, frame: str, rules: list[str]
) -> tuple[str, int]:
    """Add a rule to the prompt that sometimes decides: about a group, or about listed words."""
    target = choice.any((0, 0, 0, 1))
    label = labels[target]
    if choice.chance(0.5):
        group = choice.any(tuple(GROUPS))
        rules.append(
            choice.any(
                (
                    f'If the patient is {group}, the answer is always "{label}".',
                    f"If the patient is {group}, always answer {label}.",
                    f"Anyone who is {group} is always {label}.",
                )
            )
        )
        if choice.chance(0.6):
            age = str(choice.random.randint(1, 9))
            frame = choice.any(GROUPS[group]).replace("{age}", age).replace("{d}", age)
            return frame, target
        return frame, index
    hit = choice.chance(0.5)
    others = [p for pile in cases.TRIAGE.piles for p in pile if p != phrase]
    listed = choice.random.sample(others, choice.random.randint(1, 2)) + ([phrase] if hit else [])
    choice.random.shuffle(listed)
    told = ", ".join(listed[:-1]) + " or " + listed[-1] if len(listed) > 1 else listed[0]
    rules.append(
        choice.any(
            (
                f"If the caller mentions {told}, the answer is always {label}.",
                f'If the message mentions {told}, always answer "{label}".',
                f"Always answer {label} for {told}.",
            )
        )
    )
    return frame, target if hit else index


def _chatter(choice: Choice, message: str) -> str:
    """Real messages ramble: small talk before and after the point."""
    if choice.chance(0.55):
        return message
    count = choice.random.randint(1, 3)
    parts = [choice.fill(choice.any(CHAT)) for _ in range(count)]
    parts.insert(choice.random.randint(0, count), message)
    return choice.any((" ", " ", "\n")).join(parts)


def _language(choice: Choice) -> Task:
    kind = cases.TONGUE
    order = ("English", "German", "French", "Spanish")
    index = choice.random.randrange(4)
    text = choice.content(words.SENTENCES[order[index]].split("|"))
    labels = choice.any(kind.labels)
    return Task(
        name=kind.name, role=choice.fill(choice.wording(kind.roles)),
        ask=choice.wording(kind.asks).replace("{l}", either(labels, choice)), content=text,
        answer=labels[index], key=kind.key, because=text.rstrip(".?"), shapes=WITH_REASON,
    )  # fmt: skip
