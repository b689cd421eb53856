"""Git's packets: four hexadecimal digits of length, then so many bytes less four. Pure, but for
reading the parts of a body as they come."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable

from hub.errors import Invalid

FLUSH = b"0000"
MOST_IN_ONE = 65_516
TOO_MANY = "This pushes too many branches and tags. Push one branch at a time."
NOT_GIT = "The push is not in git's own words."


def packet(data: bytes) -> bytes:
    return b"%04x" % (len(data) + 4) + data


def beside(channel: int, data: bytes) -> bytes:
    """`data` on a channel beside others: 1 is the answer, 2 what the person at git reads."""
    size = MOST_IN_ONE - 1
    parts = (data[at : at + size] for at in range(0, len(data), size))
    return b"".join(packet(bytes([channel]) + part) for part in parts)


def told(lines: Iterable[str]) -> bytes:
    """Sentences for the person at git, who sees `remote: ` before each."""
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "replace")


class Packets:
    """Reads packets off a body, and then whatever follows them."""

    def __init__(self, parts: AsyncIterator[bytes]) -> None:
        self._parts = parts
        self._kept = b""

    async def _have(self, size: int) -> bool:
        while len(self._kept) < size:
            try:
                self._kept += await anext(self._parts)
            except StopAsyncIteration:
                return False
        return True

    async def until_flush(self, most: int) -> list[bytes]:
        """The packets up to the next flush; none at the end of the body.

        Raises:
            Invalid: they have more than `most` bytes, or are none that git would write.
        """
        found: list[bytes] = []
        seen = 0
        while await self._have(4):
            head, self._kept = self._kept[:4], self._kept[4:]
            if head == FLUSH:
                return found
            try:
                size = int(head, 16) - 4
            except ValueError:
                raise Invalid(NOT_GIT) from None
            seen += size + 4
            if not 1 <= size <= MOST_IN_ONE or not await self._have(size):
                raise Invalid(NOT_GIT)
            if seen > most:
                raise Invalid(TOO_MANY)
            found.append(self._kept[:size])
            self._kept = self._kept[size:]
        if found or self._kept:
            raise Invalid(NOT_GIT)
        return []

    async def peek(self, size: int) -> bytes:
        """The next bytes, which stay."""
        await self._have(size)
        return self._kept[:size]

    async def rest(self) -> AsyncIterator[bytes]:
        """All that follows."""
        if self._kept:
            yield self._kept
        self._kept = b""
        async for part in self._parts:
            yield part
