"""Messages to token ids, by the model's own template; what people type stays text."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from jinja2 import TemplateError

from hub.playground.engine.refusal import Refused

Message = Mapping[str, str]
MERGED = "This model has no system role; the system text was put before the first user message."
NO_TEMPLATE = "This model has no chat template; the messages were joined as plain text."
ENDS = ("<|im_end|>", "<|eot_id|>", "<end_of_turn>", "<|end|>", "<|endoftext|>", "</s>")


@dataclass(frozen=True)
class Prompt:
    ids: list[int]
    notes: list[str]


def prepare(tokenizer: Any, messages: Sequence[Message]) -> Prompt:
    """Render and encode. Control tokens come from the template alone, never from a message."""
    if not tokenizer.chat_template:
        text = "\n".join(f"{m['role'].capitalize()}: {m['content']}" for m in messages)
        return Prompt(_plain(tokenizer, f"{text}\nAssistant:"), [NO_TEMPLATE])
    notes: list[str] = []
    try:
        rendered = _render(tokenizer, messages)
        ignored = any(
            m["role"] == "system" and m["content"].strip() not in rendered for m in messages
        )
    except TemplateError:
        ignored, rendered = any(m["role"] == "system" for m in messages), ""
        if not ignored:
            raise
    if ignored:
        messages = _without_system(messages)
        rendered = _render(tokenizer, messages)
        notes.append(MERGED)
    return Prompt(_encode(tokenizer, messages, rendered), notes)


def render_or_refuse(tokenizer: Any, messages: Sequence[Message]) -> Prompt:
    try:
        return prepare(tokenizer, messages)
    except TemplateError as error:
        raise Refused(f"This model's chat template refuses these messages: {error}") from error
    except (TypeError, KeyError, ValueError) as error:
        raise Refused(f"This model's chat template failed: {error}") from error


def _render(tokenizer: Any, messages: Sequence[Message]) -> str:
    return tokenizer.apply_chat_template(
        [dict(message) for message in messages], add_generation_prompt=True, tokenize=False
    )


def _without_system(messages: Sequence[Message]) -> list[Message]:
    """System text goes before the first user message; alone, it becomes a user message."""
    told = "\n\n".join(m["content"] for m in messages if m["role"] == "system")
    rest = [dict(m) for m in messages if m["role"] != "system"]
    first = next((m for m in rest if m["role"] == "user"), None)
    if first is None:
        return [{"role": "user", "content": told}, *rest]
    first["content"] = f"{told}\n\n{first['content']}"
    return list(rest)


def _encode(tokenizer: Any, messages: Sequence[Message], rendered: str) -> list[int]:
    control = sorted(tokenizer.get_added_vocab(), key=len, reverse=True)
    control = [token for token in control if token.strip()]
    typed = any(token in m["content"] for m in messages for token in control)
    if not typed:
        return _plain(tokenizer, rendered)
    # Someone wrote a control token: render with markers, and encode the texts by themselves.
    marked = [{**m, "content": f"\ue000{index}\ue001"} for index, m in enumerate(messages)]
    ids: list[int] = []
    for index, piece in enumerate(re.split("\ue000(\\d+)\ue001", _render(tokenizer, marked))):
        if index % 2 == 0:
            ids += _plain(tokenizer, piece)
            continue
        for harmless in _apart(messages[int(piece)]["content"].strip(), control):
            ids += _plain(tokenizer, harmless)
    return ids


def _apart(text: str, control: Sequence[str]) -> list[str]:
    """Cut `text` inside every control token, so that no piece holds one.

    >>> _apart("say <|end|> now", ["<|end|>"])
    ['say <', '|end|> now']
    """
    tokens = "|".join(re.escape(token) for token in control if len(token) > 1)
    cuts = [found.start() + 1 for found in re.finditer(f"(?=(?:{tokens}))", text)]
    edges = [0, *cuts, len(text)]
    return [text[left:right] for left, right in pairwise(edges) if left < right]


def _plain(tokenizer: Any, text: str) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False)["input_ids"]) if text else []


def ends(tokenizer: Any, generation: Any) -> frozenset[int]:
    """Every token that ends an answer, from all the places models keep them."""
    told = getattr(generation, "eos_token_id", None)
    found = set(told if isinstance(told, list) else [told])
    found.add(tokenizer.eos_token_id)
    template = tokenizer.chat_template or ""
    added = tokenizer.get_added_vocab()
    found |= {added[token] for token in ENDS if token in added and token in str(template)}
    return frozenset(token for token in found if isinstance(token, int))
