"""One connection to the hub's stream: a thread that hands in what it reads."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any, NamedTuple

from sdk.breath import breathe
from sdk.events import Event, Events
from sdk.flow import Ask, Reply, refusal, waiting
from sdk.notes import Life
from sdk.table import BadDocument
from sdk.transport import Transport


class Ended(NamedTuple):
    """The stream is over; `status` is 0 when none was answered."""

    sentence: str
    status: int = 0
    wait: float = 0.0
    malformed: bool = False


class Line:
    """It lives until it ends or is cut; what it still says after that, nobody listens to."""

    def __init__(
        self, ask: Ask, transport: Transport,
        hand_in: Callable[[Line, Sequence[Event | Ended]], object], silence: float,
    ) -> None:  # fmt: skip
        """`hand_in` is called in the line's thread, with itself and what came in one piece."""
        self.heard = self.began = monotonic()
        self.greeted = False
        self.live: Life | None = None
        """Whose prompts are in step as long as something is heard."""
        self._ask, self._hand_in, self._silence = ask, hand_in, silence
        self._transport = transport
        self._over = False
        self.thread = threading.Thread(target=self._run, name="prompthub-stream", daemon=True)

    def cut(self) -> None:
        """End it, whatever it waits for."""
        self._over = True
        self._transport.cut()

    def _run(self) -> None:
        breathe()
        try:
            ended = self._read()
        except Exception as error:
            # Only the kind of error: its text may hold what was sent.
            words = str(error) if isinstance(error, BadDocument) else type(error).__name__
            breathe()
            ended = Ended(f"the stream broke ({words})", malformed=isinstance(error, ValueError))
        self._hand_in(self, [ended])

    def _read(self) -> Ended:
        events, answers = Events(), list[Reply]()
        # A little longer than we wait ourselves, in case nobody cuts this line.
        chunks = self._transport.stream(self._ask, self._silence + 5, answers.append)
        for chunk in chunks:
            if self._over:
                break
            self.heard = monotonic()
            if self.live is not None:
                self.live.heard = self.heard
            self._take(events, chunk)
        return self._why(answers)

    def _take(self, events: Events, chunk: bytes) -> None:
        """Hand in what has arrived whole, also if something malformed follows it."""
        found: list[Event] = []
        try:
            events.feed(chunk, found)
        finally:
            if found and not self.greeted:
                if found[0].kind != "hello":
                    raise BadDocument(f"it began with `{found[0].kind}`")
                self.greeted = True
            if found:
                self._hand_in(self, found)

    def _why(self, answers: list[Reply]) -> Ended:
        if not answers:
            return Ended("the stream was not answered")
        reply: Any = answers[0]
        if reply.status == 200:
            return Ended("the stream ended")
        return Ended(refusal(reply), reply.status, waiting(reply))
