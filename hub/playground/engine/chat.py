"""Messages to token ids, by the model's own template; what people type stays text."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import TemplateError

from hub.playground.engine.refusal import Refused

Message = Mapping[str, Any]
MERGED = "This model has no system role; the system text was put before the first user message."
NO_TEMPLATE = "This model has no chat template; the messages were joined as plain text."
NO_TOOLS = "This model's chat template knows no tools; they were left out."
ENDS = ("<|im_end|>", "<|eot_id|>", "<end_of_turn>", "<|end|>", "<|endoftext|>", "</s>")
SEAMS = range(0xE000, 0xF8FF)
"""Private characters; one that no message holds marks where a control token is cut."""


@dataclass(frozen=True)
class Prompt:
    ids: list[int]
    notes: list[str]
    tools: bool = False
    """Whether the template took the tools, so that an answer may be a call."""


def prepare(
    tokenizer: Any, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]] = ()
) -> Prompt:
    """Render and encode. Control tokens come from the template alone, never from a message."""
    template = str(tokenizer.chat_template or "")
    notes: list[str] = []
    if tools and "tools" not in template:
        tools = ()
        notes.append(NO_TOOLS)
    seam = _unused(json.dumps([list(messages), list(tools)], ensure_ascii=False))
    safe = _Cuts(tokenizer, template, seam)
    told = [safe.whole(dict(message)) for message in messages]
    if not template:
        text = "\n".join(f"{m['role'].capitalize()}: {m['content']}" for m in told)
        return Prompt(_encode(tokenizer, f"{text}\nAssistant:", seam), [*notes, NO_TEMPLATE])
    rendered, merged = _with_or_without_system(tokenizer, told, safe.whole(list(tools)))
    notes += [MERGED] if merged else []
    return Prompt(_encode(tokenizer, rendered, seam), notes, bool(tools))


def render_or_refuse(
    tokenizer: Any, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]] = ()
) -> Prompt:
    try:
        return prepare(tokenizer, messages, tools)
    except TemplateError as error:
        raise Refused(f"This model's chat template refuses these messages: {error}") from error
    except (TypeError, KeyError, ValueError, ArithmeticError, RecursionError) as error:
        raise Refused(f"This model's chat template failed: {error}") from error


def _with_or_without_system(
    tokenizer: Any, told: Sequence[Message], tools: Sequence[Any]
) -> tuple[str, bool]:
    """The rendered text, and whether the system text had to move to the first user message."""
    system = [m["content"].strip() for m in told if m["role"] == "system"]
    try:
        rendered = _render(tokenizer, told, tools)
        if all(text in rendered for text in system):
            return rendered, False
    except TemplateError:
        if not system:
            raise
    return _render(tokenizer, _without_system(told), tools), True


def _render(tokenizer: Any, messages: Sequence[Message], tools: Sequence[Any]) -> str:
    return tokenizer.apply_chat_template(
        [dict(message) for message in messages], tools=list(tools) or None,
        add_generation_prompt=True, tokenize=False,
    )  # fmt: skip


def _without_system(messages: Sequence[Message]) -> list[Message]:
    """System text goes before the first user message; alone, it becomes a user message."""
    told = "\n\n".join(m["content"] for m in messages if m["role"] == "system")
    rest = [dict(m) for m in messages if m["role"] != "system"]
    first = next((m for m in rest if m["role"] == "user"), None)
    if first is None:
        return [{"role": "user", "content": told}, *rest]
    first["content"] = f"{told}\n\n{first['content']}"
    return list(rest)


class _Cuts:
    """Puts a seam into every control token that people wrote, wherever it stands."""

    def __init__(self, tokenizer: Any, template: str, seam: str) -> None:
        control = [
            str(token.content)
            for token in tokenizer.added_tokens_decoder.values()
            if token.content.strip()
            and len(token.content) > 1
            and (token.special or token.content in template)
        ]
        found = "|".join(re.escape(token) for token in sorted(control, key=len, reverse=True))
        self._start = re.compile(f"(?=(?:{found}))(.)", re.S) if found else None
        self._seam = seam

    def whole(self, value: Any) -> Any:
        """The same value with seams in all of its texts."""
        if isinstance(value, str):
            return self._start.sub(rf"\1{self._seam}", value) if self._start else value
        if isinstance(value, dict):
            return {self.whole(key): self.whole(one) for key, one in value.items()}
        if isinstance(value, list):
            return [self.whole(one) for one in value]
        return value


def _unused(text: str) -> str:
    return next(chr(code) for code in SEAMS if chr(code) not in text)


def _encode(tokenizer: Any, rendered: str, seam: str) -> list[int]:
    """Each side of a seam by itself, so that no control token comes of it."""
    return [token for piece in rendered.split(seam) for token in _plain(tokenizer, piece)]


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
