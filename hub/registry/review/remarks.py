"""What people write in a remark: who is meant by `@name`, what is quoted, what can be shown. Pure.

A remark is plain text. Lines that begin with `>` quote somebody; `@` and a member's name, first
name or address calls them; addresses of the web become links. Nothing else has a meaning.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

import msgspec

from hub.errors import Invalid
from hub.registry.prompt.unseen import Unseen, find_unseen, pieces

LONGEST = 10_000

_LINK = re.compile(r"https?://[^\s<>\"“”]+[^\s<>\"“”.,;:!?)\]}'’]")
_AT = re.compile(r"(?<![\w@.+-])@(?=[^\W_])")
_TAIL = re.compile(r"\w|[@.-]\w")


class Member(msgspec.Struct, frozen=True):
    """Somebody who can be called."""

    account_id: int
    name: str
    email: str


class Piece(msgspec.Struct, frozen=True):
    """A stretch of a remark."""

    kind: Literal["text", "mention", "link"]
    text: str

    @property
    def hides(self) -> bool:
        """Whether a character of it cannot be seen; next to no remark has one."""
        return bool(find_unseen(self.text))

    @property
    def pieces(self) -> list[str | Unseen]:
        """Cut at its hidden characters, each of which becomes a chip."""
        return pieces(self.text, find_unseen(self.text))


class Block(msgspec.Struct, frozen=True):
    """A paragraph, or lines that quote somebody."""

    kind: Literal["said", "quoted"]
    pieces: list[Piece]


def clean(body: str) -> str:
    """What is kept of what was typed.

    Raises:
        Invalid: nothing was, or too much.
    """
    body = body.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "")
    body = body.encode("utf-8", "replace").decode().strip()
    if not body:
        raise Invalid("Write something first.")
    if len(body) > LONGEST:
        raise Invalid(
            f"A remark is at most {LONGEST:,} characters long; this one has {len(body):,}. "
            "Say it in several."
        )
    return body


def quoted(body: str) -> str:
    """A remark as the beginning of an answer to it."""
    said = [line for line in body.split("\n") if not line.startswith(">")]
    lines = "\n".join(said).strip().split("\n")
    return "".join(f"> {line}\n" for line in lines) + "\n"


class Callable(msgspec.Struct, frozen=True):
    """Everybody who can be called, by what they may be called."""

    names: dict[str, int]
    longest: int

    def at(self, text: str, start: int) -> tuple[int, int] | None:
        """(account, end) of the longest name that stands at `start`."""
        for length in range(min(self.longest, len(text) - start), 0, -1):
            end = start + length
            account = self.names.get(text[start:end].casefold())
            if account is not None and not _TAIL.match(text, end):
                return account, end
        return None


def callable_by(members: Iterable[Member]) -> Callable:
    """Full names and addresses; first names and what stands before the `@` where one has them."""
    members = list(members)
    short = Counter(alias for one in members for alias in {*_short(one)})
    names = {alias: one.account_id for one in members for alias in _short(one) if short[alias] == 1}
    full = Counter(one.name.casefold() for one in members)
    names |= {
        one.name.casefold(): one.account_id for one in members if full[one.name.casefold()] == 1
    }
    names |= {one.email.casefold(): one.account_id for one in members}
    names.pop("", None)
    return Callable(names, max(map(len, names), default=0))


def _short(member: Member) -> Iterator[str]:
    yield member.email.partition("@")[0].casefold()
    yield (member.name.split() or [""])[0].casefold()


def mentioned(body: str, known: Callable) -> list[int]:
    """Whom the remark calls, each once; what it quotes calls nobody again."""
    said = "\n".join("" if line.startswith(">") else line for line in body.split("\n"))
    found = [known.at(said, at.end()) for at in _AT.finditer(said)]
    return list(dict.fromkeys(one[0] for one in found if one))


def blocks(body: str, known: Callable) -> list[Block]:
    """The remark as it is shown."""
    made: list[Block] = []
    for kind, text in _paragraphs(body.split("\n")):
        made.append(Block(kind, list(_pieces(text, known))))
    return made


def _paragraphs(lines: Sequence[str]) -> Iterator[tuple[Literal["said", "quoted"], str]]:
    held: list[str] = []
    quote = False
    for line in [*lines, ""]:
        is_quote = line.startswith(">")
        if held and (not line.strip() or is_quote != quote):
            yield "quoted" if quote else "said", "\n".join(held)
            held = []
        quote = is_quote
        if line.strip():
            held.append(line.removeprefix(">").removeprefix(" ") if is_quote else line)


def _pieces(text: str, known: Callable) -> Iterator[Piece]:
    marks: list[tuple[int, int, Literal["mention", "link"]]] = [
        (one.start(), one.end(), "link") for one in _LINK.finditer(text)
    ]
    for at in _AT.finditer(text):
        if called := known.at(text, at.end()):
            marks.append((at.start(), called[1], "mention"))
    done = 0
    for start, end, kind in sorted(marks):
        if start < done:
            continue
        if start > done:
            yield Piece("text", text[done:start])
        yield Piece(kind, text[start:end])
        done = end
    if done < len(text):
        yield Piece("text", text[done:])
