"""The form of an answer: what the prompt demands, and what that does to the plain answer."""
# ruff: noqa: E501 (lists of sentences)

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from hub.playground.engine.train import asking
from hub.playground.engine.train.choice import Choice
from hub.playground.engine.train.words import each


@dataclass
class Task:
    """One thing to do: how a prompt asks for it, what the person wrote, what is right."""

    name: str
    role: str
    ask: str
    content: str
    answer: str
    key: str = "answer"
    because: str = ""
    """A piece of the content that explains the answer, for the forms that ask for a reason."""
    fields: dict[str, str] = field(default_factory=dict[str, str])
    """The answer in parts; the JSON form gives them by name."""
    rules: tuple[str, ...] = ()
    shapes: tuple[str, ...] = ("plain",)
    """The forms this answer can take."""


SHORT = (
    "plain", "plain", "plain", "json", "json", "caps", "sentence", "prefix", "polite", "pirate",
    "bold", "sign",
)  # fmt: skip
WITH_REASON = (*SHORT, "reason", "reason", "json-reason")
LONG = ("plain", "plain", "caps", "prefix", "pirate", "sign", "json")

KEYS = each("answer|result|label|value|output|category|class|decision|level|topic|choice")
PREFIXES = each("Answer|Result|Reply|Note|Verdict|Output|Decision|Summary|Report|A|Out|Response")


def _json(task: Task, choice: Choice) -> tuple[str, str]:
    if task.fields and len(task.fields) > 1:
        keys = ", ".join(task.fields)
        asked = choice.wording(
            (
                f"Answer with JSON with the keys {keys}.", f"Reply in JSON. Keys: {keys}.",
                f"Return a JSON object with {keys}.", f"Give JSON with these keys: {keys}.",
                f"Write the answer as a JSON object. Use the keys {keys}.",
                f"Answer as JSON ({keys}).", f"Output JSON only, with the keys {keys}.",
                *(told.replace("{k}", keys) for told in asking.JSON_KEYS),
            )
        )  # fmt: skip
        return asked, json.dumps(task.fields, ensure_ascii=False)
    key = task.key if choice.chance(0.6) else choice.any(KEYS)
    asked = choice.wording(
        (
            f'Answer with JSON with the key "{key}".', f"Reply in JSON. Key: {key}.",
            f"Return a JSON object with {key}.", f'Answer with JSON like {{"{key}": "..."}}.',
            f"Write the answer as a JSON object with the key {key}.",
            f"Answer as JSON ({key}).", f'Output JSON only: {{"{key}": ...}}.',
            *(told.replace("{k}", key) for told in asking.JSON_KEY),
        )
    )  # fmt: skip
    return asked, json.dumps({key: task.answer}, ensure_ascii=False)


def _json_reason(task: Task, choice: Choice) -> tuple[str, str]:
    parts = {task.key: task.answer, "reason": task.because}
    question = task.fields.get("question")
    if question and choice.chance(0.5):
        parts["question"] = question
    keys = ", ".join(parts)
    asked = choice.wording(
        (
            f"Answer with JSON with the keys {keys}.", f"Reply in JSON. Keys: {keys}.",
            f"Return a JSON object with {keys}.", f"Give JSON with these keys: {keys}.",
            f"Write the answer as a JSON object. Use the keys {keys}.",
            f"Answer as JSON ({keys}).", f"Output JSON only, with the keys {keys}.",
            *(told.replace("{k}", keys) for told in asking.JSON_KEYS),
        )
    )  # fmt: skip
    return asked, json.dumps(parts, ensure_ascii=False)


def _prefix(task: Task, choice: Choice) -> tuple[str, str]:
    word = choice.any(PREFIXES) if choice.chance(0.7) else choice.invented()
    asked = choice.wording(
        (
            f'Start your answer with "{word}:".', f'Begin with "{word}:".',
            f'Put "{word}:" before the answer.', f"Write {word}: and then the answer.",
            f'The answer must start with "{word}:".', f"Prefix the answer with {word}:",
            *(told.replace("{w}", word) for told in asking.PREFIX),
        )
    )  # fmt: skip
    return asked, f"{word}: {task.answer}"


def _sign(task: Task, choice: Choice) -> tuple[str, str]:
    name = choice.name()
    asked = choice.wording(
        (
            f"Sign as {name}.", f"Sign your answer with {name}.", f"End with your name, {name}.",
            f"Finish with the signature {name}.", f"Your name is {name}; sign with it.",
            f"Put the name {name} under the answer.",
            *(told.replace("{n}", name) for told in asking.SIGN),
        )
    )  # fmt: skip
    return asked, f"{task.answer}\n{name}"


def _fixed(
    asks: str, more: Sequence[str], make: Callable[[Task], str]
) -> Callable[[Task, Choice], tuple[str, str]]:
    wordings = [*asks.split("|"), *more]
    return lambda task, choice: (choice.wording(wordings), make(task))


def capital(text: str) -> str:
    return text[:1].upper() + text[1:]


FORMS: dict[str, Callable[[Task, Choice], tuple[str, str]]] = {
    "plain": lambda task, choice: (
        choice.wording(
            (
                "",
                "",
                "",
                "",
                "",
                "Be brief.",
                "Answer only.",
                "No explanation.",
                "Nothing else.",
                "Do not explain.",
                "Do not add anything else.",
                "Keep it short.",
                "One answer only.",
                *asking.PLAIN,
            )
        ),
        task.answer,
    ),
    "json": _json,
    "json-reason": _json_reason,
    "prefix": _prefix,
    "sign": _sign,
    "caps": _fixed(
        "Answer in capitals.|Answer in capital letters.|Use capital letters only.|Write in upper case.|"
        "Use upper case.|ANSWER IN CAPITALS.|All capitals, please.|Reply in capitals.|Shout your "
        "answer in capital letters.",
        asking.CAPS,
        lambda task: task.answer.upper(),
    ),
    "sentence": _fixed(
        "Answer in a full sentence.|Use a full sentence.|Answer with a sentence.|Reply in a complete "
        "sentence.|Write one sentence.|Say it in one sentence.|Give a whole sentence.",
        asking.SENTENCE,
        lambda task: f"The answer is {task.answer}.",
    ),
    "polite": _fixed(
        "Be polite.|Be very polite.|Answer politely.|Be friendly and polite.|Thank the person "
        "first.|Be kind and polite.|Use a polite tone.|Always be courteous.",
        asking.POLITE,
        lambda task: f"Thank you for your message. The answer is {task.answer}.",
    ),
    "pirate": _fixed(
        "Talk like a pirate.|Answer like a pirate.|You are a pirate.|Use pirate language.|Speak as a "
        "pirate would.|Reply in the voice of a pirate.",
        asking.PIRATE,
        lambda task: f"Arr! {capital(task.answer)}, matey!",
    ),
    "bold": _fixed(
        "Answer in bold.|Use Markdown bold.|Put the answer in bold.|Make the answer bold.|Write the "
        "answer in Markdown bold.|Format the answer in bold.",
        asking.BOLD,
        lambda task: f"**{task.answer}**",
    ),
    "reason": _fixed(
        "Give the reason.|Say why.|Explain your answer.|Add the reason.|Explain why.|Give a short "
        "reason.|Tell us why.|Justify the answer.|Always explain your choice.|Say what in the message "
        "made you decide.",
        asking.REASON,
        lambda task: f"{capital(task.answer)}, because of this: {task.because}.",
    ),
}
