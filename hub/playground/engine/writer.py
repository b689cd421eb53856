"""Turn tokens into text as they come, and stop at a stop string, even one across tokens."""

from __future__ import annotations

from collections.abc import Sequence

from tokenizers import Tokenizer
from tokenizers.decoders import DecodeStream


class Writer:
    """The text of one answer. Text that may be the start of a stop string is held back."""

    def __init__(self, tokenizer: Tokenizer, stop: Sequence[str] = ()) -> None:
        self._tokenizer = tokenizer
        self._stream = DecodeStream(skip_special_tokens=True)
        self._stop = tuple(stop)
        self._held = ""
        self._ids: list[int] = []
        self._decoded = 0
        self.stopped_by: str | None = None

    def push(self, token: int) -> str:
        """Text that is safe to show now; `stopped_by` is set when a stop string is complete."""
        self._ids.append(token)
        piece = self._stream.step(self._tokenizer, token) or ""
        self._decoded += len(piece)
        return self._cut(piece)

    def finish(self) -> str:
        """What is still held; a character cut in the middle becomes the replacement sign."""
        if self.stopped_by is not None:
            return ""
        whole = self._tokenizer.decode(self._ids, skip_special_tokens=True)
        text = self._cut(whole[self._decoded :])
        held, self._held = self._held, ""
        return text + ("" if self.stopped_by is not None else held)

    def _cut(self, piece: str) -> str:
        text = self._held + piece
        found = [(text.find(stop), stop) for stop in self._stop if stop in text]
        if found:
            at, self.stopped_by = min(found)
            self._held = ""
            return text[:at]
        keep = max((overlap(text, stop) for stop in self._stop), default=0)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]


def overlap(text: str, stop: str) -> int:
    """Length of the longest end of `text` that begins `stop`.

    >>> overlap("one EN", "END")
    2
    """
    longest = min(len(text), len(stop) - 1)
    return next((n for n in range(longest, 0, -1) if text.endswith(stop[:n])), 0)
