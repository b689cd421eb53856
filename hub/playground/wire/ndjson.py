"""JSON, one value a line, from bytes; a line of Ollama ends in `\\n` and in nothing else."""

from __future__ import annotations

from collections.abc import Iterator

from hub.playground.wire.sse import LONGEST_LINE, TooLong


class Reader:
    """Feed it bytes as they come; it gives every line that is complete and not empty.

    >>> reader = Reader()
    >>> list(reader.feed(b'{"a"')), list(reader.feed(b': 1}\\r\\n\\n{')), reader.end()
    ([], ['{"a": 1}'], '{')
    """

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, chunk: bytes) -> Iterator[str]:
        self._rest += chunk
        if b"\n" not in chunk:
            lines: list[bytearray] = []
        else:
            *lines, self._rest = self._rest.split(b"\n")
        for line in lines:
            if line := line.strip(b" \t\r"):
                yield line.decode("utf-8", "replace")
        if len(self._rest) > LONGEST_LINE:
            raise TooLong

    def end(self) -> str | None:
        rest, self._rest = self._rest.strip(b" \t\r"), bytearray()
        return rest.decode("utf-8", "replace") or None
