"""The decode loop survives bad rows and full memory, is fair, and always ends a stream."""

from __future__ import annotations

import queue
import time
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from hub.playground.engine import batch as batches
from hub.playground.engine.batch import BROKEN_NUMBERS, NO_MEMORY, Batch, Pace
from hub.playground.engine.loop import UNLOADED, Loop
from hub.playground.engine.refusal import Refused
from hub.playground.engine.slots import Slots
from hub.playground.engine.solo import best
from hub.playground.engine.stream import Event, Request
from tests.streams import (
    GREEDY,
    TOKENIZER,
    Recorder,
    kinds,
    model,
    no_gradients,  # noqa: F401 used by every test
    own,
    prompts,
    request,
    run,
)
from tests.tiny_models import random_model

# ── faults ──────────────────────────────────────────────────────────────────────────────────────


class Faulty:
    """Stands before a real forward and breaks on demand."""

    def __init__(self, forward: Any) -> None:
        self._forward = forward
        self.spoil: int | None = None
        self.error: Exception | None = None
        self.shrunk = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._forward, name)

    def shrink(self) -> None:
        self.shrunk += 1
        self._forward.shrink()

    def step(self, work: Any, *, alone: bool = False) -> torch.Tensor:
        if self.error is not None:
            error, self.error = self.error, None
            raise error
        logits = self._forward.step(work, alone=alone)
        if self.spoil is not None:
            logits[self.spoil, 3] = float("nan")
            self.spoil = None
        return logits


@pytest.mark.parametrize("fault", ["nan", "memory", "other"])
def test_a_fault_ends_one_stream_and_leaves_the_others_right(fault: str) -> None:
    asked = prompts(3)
    forward = Faulty(best(model("llama"), 4))
    batch = Recorder(forward)
    requests = [request(ids) for ids in asked]
    for one in requests:
        batch.add(one)
    for _ in range(6):
        batch.tick()
    lost = 1 if fault == "nan" else 2
    if fault == "nan":
        forward.spoil = lost
    else:
        broken = torch.OutOfMemoryError("CUDA out of memory")
        forward.error = broken if fault == "memory" else RuntimeError("a shape is wrong")
    run(batch, [])
    said = {"nan": BROKEN_NUMBERS, "memory": NO_MEMORY}
    sentence = said.get(
        fault, "The model failed while it was answering: RuntimeError: a shape is wrong"
    )
    for index, one in enumerate(requests):
        last = one.events[-1]
        if index == lost:
            assert (last.kind, last.text) == ("failed", sentence)
        else:
            assert last.kind == "done"
            assert batch.chosen[id(one)] == own("llama", list(one.ids), 24)
    assert forward.shrunk == (fault == "memory")
    assert forward.limit == (2 if fault == "memory" else 4)


def test_numbers_that_are_none_do_not_reach_who_takes_the_slot_next() -> None:
    slots = best(model("llama"), 1)
    assert isinstance(slots, Slots)
    batch = Recorder(slots)
    spoiled = request(prompts(1)[0] * 3, 5)
    batch.add(spoiled)
    batch.tick()
    for layer in slots.cache.layers:
        layer.values[0] = float("nan")
    run(batch, [])
    assert spoiled.events[-1].text == BROKEN_NUMBERS
    after = request([11, 12, 13], 5)
    run(batch, [after])
    assert batch.chosen[id(after)] == own("llama", [11, 12, 13], 5)


def test_a_fault_of_a_tokenizer_or_listener_ends_one_stream() -> None:
    batch = Recorder(best(model("llama"), 4))
    fine, deaf = request([5, 6, 7], 6), request([5, 6, 8], 6)

    def explode(event: Event) -> None:
        deaf.events.append(event)
        if event.kind == "delta":
            raise ValueError("nobody can hear this")

    deaf.emit = explode
    run(batch, [fine, deaf])
    assert fine.events[-1].kind == "done"
    assert deaf.events[-1].kind == "failed"


def test_what_memory_can_hold_comes_in_and_the_rest_waits_or_is_told() -> None:
    probe = best(model("llama"), 4)
    assert isinstance(probe, Slots)
    each = probe.bytes_per_token()
    batch = Recorder(best(model("llama"), 4, memory=each * 512))
    requests = [request(ids, 20) for ids in prompts(4)]
    run(batch, requests)
    assert [one.events[-1].kind for one in requests] == ["done"] * 4
    assert batch.forward.rows <= 2
    too_long = request([5] * 400, 300)
    run(batch, [too_long])
    assert (too_long.events[-1].kind, len(too_long.events)) == ("failed", 1)
    assert "not enough memory for a conversation of 700 tokens" in too_long.events[-1].text
    long = request([*prompts(1)[0], *[7] * 300], 20)
    run(batch, [long])
    assert batch.chosen[id(long)] == own("llama", list(long.ids), 20)


def test_a_family_that_comes_out_wrong_is_refused() -> None:
    made = random_model("llama")
    honest = made.forward

    def forgetful(input_ids: Any = None, **given: Any) -> Any:
        """As a model whose cache this transformers does not keep right."""
        return honest(input_ids=input_ids, use_cache=False) if given else honest(input_ids)

    made.forward = forgetful
    with pytest.raises(Refused, match="family llama do not give right answers here"):
        best(made, 2)


# ── turns ───────────────────────────────────────────────────────────────────────────────────────


def test_one_person_with_many_columns_does_not_starve_another() -> None:
    batch = Recorder(best(model("llama"), 1))
    greedy = [request([5, 6, 7], 4, who="ana") for _ in range(4)]
    other = request([5, 6, 8], 4, who="ben")
    for one in [*greedy, other]:
        batch.add(one)
    assert batch.order() == [greedy[0], other, *greedy[1:]]
    begun: list[Any] = []
    while batch.busy:
        batch.tick()
        begun += [row.request for row in batch.rows if row.request not in begun]
    assert begun == [greedy[0], other, *greedy[1:]]
    places = [event.place for event in greedy[3].events if event.kind == "queued"]
    assert places == [4, 3, 2, 1]
    assert [event.place for event in other.events if event.kind == "queued"] == [1]
    assert kinds(greedy[3])[-6:] == ["started", *["delta"] * 4, "done"]


def test_who_has_a_stream_running_comes_after_who_has_none() -> None:
    batch = Recorder(best(model("llama"), 2))
    running = [request([5, 6, 7], 30, who="ana") for _ in range(2)]
    for one in running:
        batch.add(one)
    batch.tick()
    late = [request([5, 6, 9], 4, who="ana"), request([5, 6, 8], 4, who="ben")]
    for one in late:
        batch.add(one)
    batch.tick()
    assert batch.order() == late[::-1]


def test_a_long_prompt_makes_nobody_wait_longer_than_a_tick(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Pace, "tokens", lambda self, busy: 64)
    batch = Recorder(best(model("llama"), 4))
    writing = request([5, 6, 7], 100, who="ana")
    batch.add(writing)
    batch.tick()
    long, short = request([9] * 900, 4, who="ben"), request([8] * 30, 4, who="eve")
    batch.add(long)
    batch.add(short)
    for _ in range(3):
        before = len(writing.events)
        batch.tick()
        assert len(writing.events) == before + 1
    assert "delta" in kinds(short)
    assert "delta" not in kinds(long)
    run(batch, [])
    assert kinds(long)[-1] == "done"


def test_the_pace_follows_what_the_machine_can_do() -> None:
    pace = Pace()
    for _ in range(20):
        pace.saw(100, 1.0)
    assert pace.tokens(busy=True) == 16
    for _ in range(40):
        pace.saw(1000, 0.01)
    assert pace.tokens(busy=True) == pytest.approx(8192, rel=0.25)
    assert pace.tokens(busy=True) <= pace.tokens(busy=False)


# ── the thread ──────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def loop() -> Loop:
    made = Loop()
    made.batches["m"] = Batch(best(model("llama"), 1), TOKENIZER, frozenset())
    made.start()
    return made


def listening(said: queue.Queue[tuple[str, Event]], name: str, ids: list[int], tokens: int) -> Any:
    return Request(ids, lambda event: said.put((name, event)), tokens, GREEDY)


def test_cancelling_frees_the_slot_and_always_ends_the_stream(loop: Loop) -> None:
    said: queue.Queue[tuple[str, Event]] = queue.Queue()
    first = listening(said, "first", [5, 6], 2000)
    second, third = listening(said, "second", [7, 8], 3), listening(said, "third", [7, 8], 3)
    loop.add("m", first)
    assert said.get(timeout=60)[0] == "first"
    loop.add("m", second, third)
    loop.cancel("m", third)
    loop.cancel("m", first)
    last: dict[str, Event] = {}
    while set(last) != {"first", "second", "third"}:
        who, event = said.get(timeout=60)
        if event.kind in ("done", "cancelled", "failed"):
            assert who not in last
            last[who] = event
    assert [last[one].kind for one in ("first", "second", "third")] == [
        "cancelled", "done", "cancelled",
    ]  # fmt: skip
    assert last["first"].prompt_tokens == 2
    assert last["first"].completion_tokens > 0
    assert loop.facts() == {"m": {"running": 0, "waiting": 0}}


def test_a_fault_of_ours_ends_streams_with_a_sentence_and_the_thread_goes_on(
    loop: Loop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said: queue.Queue[tuple[str, Event]] = queue.Queue()

    def bug(*given: Any) -> Any:
        raise KeyError("a bug")

    with monkeypatch.context() as patched:
        patched.setattr(batches, "_shares", bug)
        loop.add("m", listening(said, "first", [5, 6], 3))
        events = [said.get(timeout=60)[1] for _ in range(2)]
    assert "The engine failed: KeyError: 'a bug'. Run it again." in [one.text for one in events]
    loop.do(lambda: bug())
    loop.add("m", listening(said, "second", [5, 6], 3))
    loop.add("gone", listening(said, "third", [5, 6], 3))
    last = {}
    while set(last) != {"second", "third"}:
        who, event = said.get(timeout=60)
        if event.kind in ("done", "failed"):
            last[who] = event.text
    assert last == {"second": "length", "third": UNLOADED}
    assert "a bug" in capsys.readouterr().err


def test_a_tick_that_never_ends_can_be_seen_from_outside(loop: Loop) -> None:
    assert loop.stuck() == 0
    hold = queue.SimpleQueue[None]()
    slow = SimpleNamespace(busy=True, tick=hold.get, rows=[], waiting=[])
    loop.do(lambda: loop.batches.update(slow=slow))  # pyright: ignore[reportArgumentType]
    deadline = time.monotonic() + 60
    while loop.stuck() < 0.05:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    slow.busy = False
    hold.put(None)
