"""What a model endpoint can tell us while it answers, whatever its dialect."""

from __future__ import annotations

from typing import Literal

import msgspec


class Delta(msgspec.Struct, frozen=True):
    """The next piece of the answer, of the model's reasoning, or of both."""

    text: str = ""
    reasoning: str = ""


class Called(msgspec.Struct, frozen=True):
    """The model asks for a tool; `arguments` is JSON as the model wrote it."""

    name: str
    arguments: str
    id: str = ""


class Usage(msgspec.Struct, frozen=True):
    """How many tokens the endpoint counted; None: it did not say.

    `tokens_in` is all of the input, also what was read from or written to a cache; `tokens_out`
    all of the output, reasoning too. A later usage takes the place of an earlier one.
    """

    tokens_in: int | None = None
    tokens_out: int | None = None
    cached: int | None = None
    cache_written: int | None = None
    reasoning: int | None = None
    cost: float | None = None
    """US dollars, where the endpoint itself says what it charges."""


class Finish(msgspec.Struct, frozen=True):
    """The answer is whole; why it ended: `stop`, `length`, `tool_calls`, `content_filter`."""

    reason: str


class Note(msgspec.Struct, frozen=True):
    """Why nothing comes yet, said before the first token."""

    sentence: str
    kind: Literal["load", "queue"] = "queue"


class Remark(msgspec.Struct, frozen=True):
    """What was done differently from what was asked, to be read beside the answer."""

    sentence: str


class Timing(msgspec.Struct, frozen=True):
    """What the endpoint measured of itself, in seconds, and what it ran on (`cpu`, `cuda`)."""

    queued: float | None = None
    loaded: float | None = None
    device: str = ""


class Failed(msgspec.Struct, frozen=True):
    """There is no (further) answer, and a sentence that says why and what to do."""

    sentence: str
    again: bool = False
    """It may pass: a busy endpoint, not a wrong request."""


Event = Delta | Called | Usage | Finish | Note | Remark | Timing | Failed
