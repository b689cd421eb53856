"""The streams of one model, waiting and running; a tick brings every running one a step further.

A tick is one forward pass: a token for each stream that writes, and as many prompt tokens as fit
into a fraction of a second, so that newcomers with long prompts never make the others stall.
"""

from __future__ import annotations

import heapq
import time
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from itertools import count

import torch
from tokenizers import Tokenizer

from hub.playground.engine.graphs import ONE_AT_A_TIME
from hub.playground.engine.sampling import Choice, choose, unusable
from hub.playground.engine.slots import Forward, Work
from hub.playground.engine.stream import Event, Request, Row

REMEMBERED = 1000
"""People whose last turn is known."""
ALONE = 128
"""Prompt tokens a tick of a stream that is computed by itself."""

BROKEN_NUMBERS = (
    "The model produced numbers that cannot be used (not-a-number). "
    "Try another temperature, or another model."
)
NO_MEMORY = (
    "There is not enough memory left for this run. "
    "Try a shorter prompt, fewer columns at once, or a smaller model."
)
TOO_LONG = (
    "There is not enough memory for a conversation of {tokens:,} tokens on this model. "
    "Shorten the prompt or the longest answer, or choose a smaller model."
)


class Fatal(Exception):
    """The device is in a state that only a new process gets out of."""


class Pace:
    """How many prompt tokens go into a tick, learned from how long they take."""

    BUSY, IDLE = 0.1, 0.35
    """Seconds a tick should last while others write, and while nobody does."""
    LEAST, MOST = 16, 8192

    def __init__(self) -> None:
        self._each = self.IDLE / 1024

    def tokens(self, busy: bool) -> int:
        seconds = self.BUSY if busy else self.IDLE
        return min(self.MOST, max(self.LEAST, int(seconds / self._each)))

    def saw(self, tokens: int, seconds: float) -> None:
        if tokens >= self.LEAST:
            self._each += 0.5 * (seconds / tokens - self._each)


class Batch:
    """Knows token ids and text, no prompt and no HTTP."""

    def __init__(self, forward: Forward, tokenizer: Tokenizer, ends: frozenset[int]) -> None:
        self.forward = forward
        self.tokenizer = tokenizer
        self.ends = ends
        self.pace = Pace()
        self.rows: list[Row] = []
        self.waiting: list[Request] = []
        self._numbers = count()
        self._turn = 0
        self._turns: dict[str, int] = {}
        """When each person last had a turn."""

    @property
    def busy(self) -> bool:
        return bool(self.rows or self.waiting)

    def add(self, request: Request) -> None:
        request.number = next(self._numbers)
        self.waiting.append(request)

    def cancel(self, request: Request) -> None:
        if request in self.waiting:
            self.waiting.remove(request)
            request.emit(Event("cancelled", prompt_tokens=len(request.ids)))
            self.tell_places()
        for row in self.rows:
            if row.request is request:
                self._remove(row)
                row.end("cancelled", "")
                break

    def tick(self) -> None:
        self._admit()
        together = [(row, ids) for row, ids in self._plan() if not row.request.alone]
        if together:
            self._step(together)
        for row in [row for row in self.rows if row.request.alone]:
            self._step([(row, row.next(row.left if self.forward.whole else ALONE))])

    def order(self) -> list[Request]:
        """Who is next: whoever has the fewest streams running or ahead; of those whoever had a
        turn longest ago, then who came first."""
        running = Counter(row.request.who for row in self.rows)
        queues: dict[str, deque[Request]] = {}
        for request in self.waiting:
            queues.setdefault(request.who, deque()).append(request)
        heads = [
            (running[who], self._turns.get(who, -1), queue[0].number, who)
            for who, queue in queues.items()
        ]
        heapq.heapify(heads)
        found: list[Request] = []
        while heads:
            ahead, _, _, who = heapq.heappop(heads)
            found.append(queues[who].popleft())
            if queues[who]:
                turn = self._turn + len(found)
                heapq.heappush(heads, (ahead + 1, turn, queues[who][0].number, who))
        return found

    def tell_places(self) -> None:
        for place, request in enumerate(self.order(), 1):
            if request.told != place:
                request.told = place
                request.emit(Event("queued", place=place))

    def fail_all(self, sentence: str) -> None:
        for request in self.waiting:
            request.emit(Event("failed", sentence, prompt_tokens=len(request.ids)))
        self.waiting.clear()
        for row in tuple(self.rows):
            self._remove(row)
            row.end("failed", sentence)

    def _admit(self) -> None:
        if not self.waiting:
            return
        for request in self.order():
            if self.forward.room() <= 0:
                break
            tokens = len(request.ids) + request.max_tokens
            fits = self.forward.holds(tokens)
            if fits is False:
                break
            self.waiting.remove(request)
            if fits is None:
                sentence = TOO_LONG.format(tokens=tokens)
                request.emit(Event("failed", sentence, prompt_tokens=len(request.ids)))
                continue
            try:
                slot, known = self.forward.take(request.ids, tokens, fresh=request.alone)
            except Exception as error:  # the loop must outlive any request
                request.emit(Event("failed", _sentence(error), prompt_tokens=len(request.ids)))
                continue
            self.rows.append(Row(request, self.tokenizer, slot, known))
            self._turn += 1
            self._turns.pop(request.who, None)
            self._turns[request.who] = self._turn
            if len(self._turns) > REMEMBERED:
                del self._turns[next(iter(self._turns))]
            request.emit(Event("started"))
        self.tell_places()

    def _plan(self) -> list[tuple[Row, Sequence[int]]]:
        """A token for each writing stream; the prompt tokens are shared out between people."""
        writing = [row for row in self.rows if not row.left]
        reading = [row for row in self.rows if row.left and not row.request.alone]
        parts = _shares(reading, self.pace.tokens(bool(writing)))
        if self.forward.whole:
            parts = [(row, row.left) for row in reading[:1]]
        found: list[tuple[Row, Sequence[int]]] = [(row, row.next(1)) for row in writing]
        return found + [(row, row.next(most)) for row, most in parts]

    def _step(self, planned: Sequence[tuple[Row, Sequence[int]]]) -> None:
        work: list[Work] = [(row.slot, ids) for row, ids in planned]
        began = time.perf_counter()
        try:
            logits = self.forward.step(work, alone=planned[0][0].request.alone)
            if logits.is_cuda:
                # Until then it is only asked for: how long it took is not known, nor whether it
                # went wrong.
                torch.cuda.current_stream(logits.device).synchronize()
        except Exception as error:  # give up the newest stream, keep the others
            self._give_up(planned[-1][0], error)
            return
        read = sum(len(ids) for row, ids in planned if row.left)
        self.pace.saw(read, time.perf_counter() - began)
        ready: list[int] = []
        for index, (row, ids) in enumerate(planned):
            if row.left:
                row.read += len(ids)
            if not row.left:
                ready.append(index)
        if ready:
            self._advance([planned[index][0] for index in ready], logits[ready])

    def _give_up(self, row: Row, error: Exception) -> None:
        self._remove(row)
        row.end("failed", _sentence(error))
        if _is_memory(error):
            self.forward.shrink()
        if _is_fatal(error):
            raise Fatal(str(error)) from error

    def _advance(self, rows: Sequence[Row], logits: torch.Tensor) -> None:
        """Choose each stream's next token."""
        broken: list[bool] = unusable(logits).tolist()
        if any(broken):
            for row in [row for row, bad in zip(rows, broken, strict=True) if bad]:
                self._remove(row, spoiled=True)
                row.end("failed", BROKEN_NUMBERS)
            fine = [index for index, bad in enumerate(broken) if not bad]
            rows, logits = [rows[index] for index in fine], logits[fine]
        if not rows:
            return
        for row, choice in zip(rows, choose(logits, [r.sampler for r in rows]), strict=True):
            try:
                if isinstance(choice, Exception):
                    raise choice
                end = self._take(row, choice)
            except Exception as error:  # one stream's text must not end the others
                self._remove(row)
                row.end("failed", _sentence(error))
                continue
            if end is not None:
                self._remove(row)
                row.end("done", end)

    def _take(self, row: Row, choice: Choice) -> str | None:
        """Write one token; the reason if it was the last one."""
        if choice.token in self.ends:
            row.say(row.writer.finish())
            return "stop"
        row.last = choice.token
        row.count += 1
        over = row.sampler.saw(choice.token)
        text = row.writer.push(choice.token)
        row.say(text, ((choice.token, choice.likely),) if choice.likely else ())
        if row.writer.stopped_by is not None:
            return "stop"
        if over or row.count >= row.request.max_tokens:
            row.say(row.writer.finish())
            return "stop" if over or row.writer.stopped_by is not None else "length"
        return None

    def _remove(self, row: Row, *, spoiled: bool = False) -> None:
        self.rows.remove(row)
        self.forward.drop(row.slot, spoiled=spoiled)


def _shares(reading: Iterable[Row], budget: int) -> list[tuple[Row, int]]:
    """Prompt tokens for this tick: an equal part for each person, first come first within it;
    what one person leaves goes to the others."""
    people: dict[str, deque[Row]] = {}
    for row in reading:
        people.setdefault(row.request.who, deque()).append(row)
    given: dict[Row, int] = {}
    while people and budget > 0:
        part = max(1, budget // len(people))
        for who, rows in tuple(people.items()):
            row, had = rows[0], given.get(rows[0], 0)
            more = min(part, budget, row.left - had)
            given[row] = had + more
            budget -= more
            if given[row] >= row.left:
                rows.popleft()
            if not rows:
                del people[who]
            if budget <= 0:
                break
    return list(given.items())


def _is_memory(error: Exception) -> bool:
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "allocate" in str(error)


def _is_fatal(error: Exception) -> bool:
    """A fault on a GPU leaves nothing that can still be computed in this process."""
    return torch.cuda.is_available() and "CUDA error" in str(error)


def _sentence(error: Exception) -> str:
    if _is_memory(error):
        if torch.cuda.is_available():
            with ONE_AT_A_TIME:  # a model that is loading may be recording just now
                torch.cuda.empty_cache()
        return NO_MEMORY
    return f"The model failed while it was answering: {type(error).__name__}: {str(error)[:200]}"
