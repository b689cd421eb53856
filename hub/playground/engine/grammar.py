"""Answers that must fit a JSON schema: which tokens may come next, by llguidance.

Its tables are built once for a model's tokenizer; each answer has a matcher of its own.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from llguidance import LLMatcher, LLTokenizer
from tokenizers import Tokenizer
from torch import Tensor

from hub.playground.engine.refusal import Refused

LARGEST = 200_000
"""Characters of a schema."""
STYLE: Any = {"whitespace_flexible": False, "item_separator": ", ?", "key_separator": ": ?"}
"""One line: with free white space, small models write nothing else."""


class Guide:
    """A tokenizer as llguidance reads it."""

    def __init__(self, tokenizer: Tokenizer, vocabulary: int, ends: Iterable[int]) -> None:
        self._tokenizer = tokenizer
        self._vocabulary = vocabulary
        size = max(vocabulary, tokenizer.get_vocab_size())
        self._table = LLTokenizer(tokenizer.to_str(), n_vocab=size, eos_token=sorted(ends) or None)

    def schema(self, schema: Mapping[str, Any] | bool) -> Schema:
        """Raises: Refused, when the schema is none or says something that cannot be kept."""
        try:
            text = json.dumps(schema)
        except (TypeError, ValueError, RecursionError) as error:
            raise Refused("The schema of the answer is not JSON.") from error
        if len(text) > LARGEST:
            raise Refused(f"The schema of the answer is longer than {LARGEST:,} characters.")
        grammar = LLMatcher.grammar_from_json_schema(text, overrides=STYLE)
        problem = LLMatcher.validate_grammar(grammar, self._table)
        if problem and not problem.startswith("WARNING"):
            raise Refused(f"The answer cannot be bound to this schema: {problem[:300]}")
        return Schema(LLMatcher(self._table, grammar, log_level=0), self._vocabulary)

    def spelled(self, token: int) -> tuple[str, list[int]]:
        """A token's text and bytes; part of a character is no text by itself."""
        if self._table.is_special_token(token):
            text = self._tokenizer.id_to_token(token) or ""
            return text, list(text.encode())
        raw = self._table.decode_bytes([token])
        return raw.decode(errors="replace"), list(raw)


class Schema:
    """How far one answer is."""

    def __init__(self, matcher: LLMatcher, vocabulary: int) -> None:
        self._matcher = matcher
        self._vocabulary = vocabulary

    def allowed(self) -> Tensor:
        """Raises: ValueError, when the schema grew too complex on the way."""
        marks = bytearray(self._matcher.compute_logit_bias())
        if self._matcher.is_error():
            raise ValueError(f"the schema cannot be followed further: {self._matcher.get_error()}")
        return torch.frombuffer(marks, dtype=torch.uint8)[: self._vocabulary] != 0

    def take(self, token: int) -> bool:
        """Note a chosen token; True when the answer is whole and nothing may follow."""
        if not self._matcher.consume_token(token):
            raise ValueError(f"the schema cannot be followed further: {self._matcher.get_error()}")
        return self._matcher.is_stopped()


def one_of(tools: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The schema of a call to one of these tools."""
    calls = [
        {
            "type": "object",
            "properties": {
                "name": {"const": tool["function"]["name"]},
                "arguments": tool["function"].get("parameters") or {"type": "object"},
            },
            "required": ["name", "arguments"],
            "additionalProperties": False,
        }
        for tool in tools
    ]
    return calls[0] if len(calls) == 1 else {"anyOf": calls}
