"""The dialects by name: which one a connection speaks is all that the rest of the house knows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol, cast

from hub.playground.wire import anthropic, gemini, ollama, openai_chat, openai_responses
from hub.playground.wire.asked import Sent
from hub.playground.wire.events import Event
from hub.playground.wire.reading import Listed


class AnswerReader(Protocol):
    """Bytes to events; `over`: nothing further counts."""

    over: bool

    def __init__(self, *, streamed: bool = True) -> None: ...

    def feed(self, chunk: bytes) -> Iterator[Event]: ...

    def end(self) -> Iterator[Event]: ...


class Dialect(Protocol):
    """What a module of a dialect offers; all of it pure."""

    MODELS: str
    """Where its models are listed, behind `base`."""
    Reader: type[AnswerReader]

    def base(self, url: str) -> str: ...

    def headers(self, key: str | None) -> dict[str, str]: ...

    def request(self, asked: Mapping[str, Any], *, model: str) -> Sent: ...

    def models_of(self, data: bytes) -> list[Listed] | None: ...


OPENAI = "openai"
# A module is an object with these names; type checkers do not see a class's constructor in it.
DIALECTS = cast(
    "dict[str, Dialect]",
    {
        OPENAI: openai_chat,
        "responses": openai_responses,
        "anthropic": anthropic,
        "gemini": gemini,
        "ollama": ollama,
    },
)


def of(kind: str) -> Dialect:
    """The dialect of a connection; one kept by a newer hub is asked in the oldest language."""
    return DIALECTS.get(kind, DIALECTS[OPENAI])
