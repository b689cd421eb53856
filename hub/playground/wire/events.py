"""What a model endpoint can tell us while it answers, whatever its dialect."""

from __future__ import annotations

import msgspec


class Delta(msgspec.Struct, frozen=True):
    """The next piece of the answer, of the model's reasoning, or of both."""

    text: str = ""
    reasoning: str = ""


class Usage(msgspec.Struct, frozen=True):
    """How many tokens the endpoint counted; None: it did not say."""

    tokens_in: int | None = None
    tokens_out: int | None = None


class Finish(msgspec.Struct, frozen=True):
    """The answer is whole; why it ended: `stop`, `length`, `tool_calls`, `content_filter`."""

    reason: str


class Note(msgspec.Struct, frozen=True):
    """Why nothing comes yet, said before the first token."""

    sentence: str


class Remark(msgspec.Struct, frozen=True):
    """What was done differently from what was asked, to be read beside the answer."""

    sentence: str


class Failed(msgspec.Struct, frozen=True):
    """There is no (further) answer, and a sentence that says why and what to do."""

    sentence: str


Event = Delta | Usage | Finish | Note | Remark | Failed
