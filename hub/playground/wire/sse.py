"""Server-sent events from bytes.

Written here because line readers that split text also split on U+2028 and U+0085, which are legal
inside a JSON string: one event of such a model became three broken lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

LONGEST_LINE = 4 * 1024 * 1024
_LINE_END = re.compile(rb"\r\n|\n|\r")
_BOM = b"\xef\xbb\xbf"


class TooLong(ValueError):
    """A line that does not end."""


class Reader:
    """Feed it bytes as they come; it gives the data of every event that is complete.

    >>> reader = Reader()
    >>> list(reader.feed(b": hello\\r\\ndata: one\\r\\ndata: tw")), list(reader.feed(b"o\\n\\n"))
    ([], ['one\\ntwo'])
    """

    def __init__(self) -> None:
        self._rest = bytearray()
        self._data: list[str] = []
        self._begun = False
        self._skip_lf = False

    def feed(self, chunk: bytes) -> Iterator[str]:
        """The data of the events that `chunk` completes."""
        if self._skip_lf and chunk:
            # The last chunk ended in \r, which ended a line; its \n is not another one.
            chunk, self._skip_lf = chunk.removeprefix(b"\n"), False
        seen = len(self._rest)  # holds no line end; a line in many chunks is not read again
        self._rest += chunk
        if not self._begun:
            if _BOM.startswith(self._rest):
                return
            self._begun, seen = True, 0
            if self._rest.startswith(_BOM):
                del self._rest[: len(_BOM)]
        buffer, self._rest = self._rest, bytearray()
        start = 0
        for end in _LINE_END.finditer(buffer, seen):
            line, start = bytes(buffer[start : end.start()]), end.end()
            if (data := self._line(line)) is not None:
                yield data
        self._skip_lf = start > 0 and start == len(buffer) and buffer.endswith(b"\r")
        self._rest = buffer[start:] if start else buffer
        if len(self._rest) > LONGEST_LINE:
            raise TooLong

    def end(self) -> str | None:
        """The data of a last event that no empty line closed; None: there is none."""
        self._line(bytes(self._rest))
        self._rest = bytearray()
        return self._line(b"")

    def _line(self, line: bytes) -> str | None:
        if not line:
            data, self._data = self._data, []
            return "\n".join(data) if data else None
        field, _, value = line.partition(b":")
        if field == b"data":
            self._data.append(value.removeprefix(b" ").decode("utf-8", "replace"))
        return None
