"""Calls to tools in what a model writes: `<tool_call>` blocks, or an answer that is only JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from hub.playground.engine.writer import overlap

OPEN = "<tool_call>"
BLOCK = re.compile(r"<tool_call>\s*(.*?)\s*(?:</tool_call>|$)", re.S)


@dataclass(frozen=True)
class Call:
    name: str
    arguments: str
    """As JSON, the way the chat dialect carries it."""


class Caller:
    """Passes text on, but keeps back what may be a call until it is known whether it is one."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = frozenset(names)
        self._held = ""
        self._said = False
        self._holding = False

    def push(self, text: str) -> str:
        """Text that is certainly no call."""
        self._held += text
        if self._holding:
            return ""
        begun = self._held.lstrip()
        if not self._said and (not begun or begun[0] in "{["):
            self._holding = bool(begun)
            return ""
        at = self._held.find(OPEN)
        if at >= 0:
            self._holding = True
        else:
            at = len(self._held) - overlap(self._held, OPEN)
        text, self._held = self._held[:at], self._held[at:]
        self._said = self._said or bool(text)
        return text

    def finish(self) -> tuple[str, list[Call]]:
        """The rest of the text, and the calls; if what was held is no call, it is text."""
        held, self._held = self._held, ""
        blocks = BLOCK.findall(held)
        calls = [call for block in blocks or [held] for call in self._calls(block)]
        if not calls or (blocks and len(calls) < len(blocks)):
            return held, []
        return BLOCK.sub("", held).strip() if blocks else "", calls

    def _calls(self, text: str) -> list[Call]:
        try:
            found: Any = json.loads(text)
        except (ValueError, RecursionError):
            return []
        listed: list[Any] = found if isinstance(found, list) else [found]
        calls = [call for one in listed if (call := self._call(one)) is not None]
        return calls if len(calls) == len(listed) else []

    def _call(self, found: Any) -> Call | None:
        if not isinstance(found, dict) or found.get("name") not in self._names:
            return None
        given = found.get("arguments", found.get("parameters", {}))
        if not isinstance(given, dict):
            return None
        return Call(found["name"], json.dumps(given, ensure_ascii=False))
