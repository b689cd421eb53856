"""The decode loop gives the model's own answers, alone and in company, and survives bad rows."""

from __future__ import annotations

import queue
import time
from collections.abc import Iterator
from functools import cache
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM

from hub.playground.engine import batch as batches
from hub.playground.engine.ask import Sampling
from hub.playground.engine.batch import BROKEN_NUMBERS, NO_MEMORY, Batch, Pace
from hub.playground.engine.folders import BUILTIN
from hub.playground.engine.graphs import Graphs, Recorded
from hub.playground.engine.loop import UNLOADED, Loop
from hub.playground.engine.refusal import Refused
from hub.playground.engine.slots import Slots
from hub.playground.engine.solo import Solo, best
from hub.playground.engine.stream import Event, Request
from tests.tiny_models import random_model

TOKENIZER = Tokenizer.from_file(str(BUILTIN / "tokenizer.json"))
GREEDY = Sampling(temperature=0)
FAMILIES = ("llama", "qwen2", "qwen3", "mistral", "gemma2", "gemma3", "mamba", "built-in")


class Recorder(Batch):
    """A batch that remembers the tokens it chose."""

    def __init__(self, forward: Any, ends: frozenset[int] = frozenset()) -> None:
        super().__init__(forward, TOKENIZER, ends)
        self.chosen: dict[int, list[int]] = {}

    def _take(self, row: Any, choice: Any) -> str | None:
        self.chosen.setdefault(id(row.request), []).append(choice.token)
        return super()._take(row, choice)


@pytest.fixture(autouse=True)
def no_gradients() -> Iterator[None]:
    with torch.inference_mode():
        yield


@cache
def model(kind: str) -> Any:
    if kind != "built-in":
        return random_model(kind)
    made = AutoModelForCausalLM.from_pretrained(BUILTIN, dtype=torch.float32)
    made.generation_config.eos_token_id = None
    return made.eval()


def own(kind: str, ids: list[int], tokens: int) -> list[int]:
    """What the model itself generates: nothing but greedy choice, a dynamic cache, one stream."""
    out = model(kind).generate(
        torch.tensor([ids]), do_sample=False, max_new_tokens=tokens, pad_token_id=5
    )
    return out[0, len(ids) :].tolist()


def request(ids: list[int], tokens: int = 24, sampling: Sampling = GREEDY, **more: Any) -> Any:
    events: list[Event] = []
    made: Any = Request(ids, events.append, tokens, sampling, **more)
    made.events = events
    return made


def run(batch: Batch, requests: list[Request], late: int = 0) -> None:
    """All at once, but the last `late` only after some ticks."""
    for one in requests[: len(requests) - late]:
        batch.add(one)
    for _ in range(5):
        batch.tick()
    for one in requests[len(requests) - late :]:
        batch.add(one)
    while batch.busy:
        batch.tick()


def prompts(count: int, longest: int = 90) -> list[list[int]]:
    random = Random(4)
    return [
        [random.randrange(10, 1000) for _ in range(random.randint(3, longest))]
        for _ in range(count)
    ]


def kinds(request: Any) -> list[str]:
    return [event.kind for event in request.events]


# ── the same answers as the model itself ────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", FAMILIES)
def test_greedy_answers_are_those_of_generate_alone_and_together(kind: str) -> None:
    asked = prompts(6)
    expected = [own(kind, ids, 16) for ids in asked]
    for together in (False, True):
        batch = Recorder(best(model(kind), 4))
        requests = [request(ids, 16) for ids in asked]
        for group in [requests] if together else [[one] for one in requests]:
            run(batch, group, late=2 if together else 0)
        assert [batch.chosen[id(one)] for one in requests] == expected


def test_all_that_attends_runs_in_slots_and_a_state_space_one_by_one() -> None:
    for kind in FAMILIES:
        assert isinstance(best(model(kind), 4), Solo if kind == "mamba" else Slots), kind


@pytest.mark.parametrize("kind", ["llama", "gemma3"])
def test_a_prompt_read_in_small_pieces_beside_running_streams_is_read_whole(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Pace, "tokens", lambda self, busy: 7)
    long = [Random(2).randrange(10, 1000) for _ in range(300)]
    batch = Recorder(best(model(kind), 4))
    requests = [request(ids, 40) for ids in [*prompts(2), long]]
    run(batch, requests, late=1)
    for one in requests:
        assert batch.chosen[id(one)] == own(kind, list(one.ids), 40)


def test_room_grows_while_streams_run() -> None:
    batch = Recorder(best(model("llama"), 4))
    requests = [request(ids, 260) for ids in prompts(2)]
    run(batch, requests)
    for one in requests:
        assert batch.chosen[id(one)] == own("llama", list(one.ids), 260)


def test_in_bfloat16_a_difference_comes_only_where_two_tokens_are_nearly_even() -> None:
    """Its rounding depends on the batch, for transformers' own batches too."""
    made = random_model("llama").to(torch.bfloat16)
    noise, asked = 0.0, prompts(6)
    batch = Recorder(best(made, 6))
    requests = [request(ids, 16) for ids in asked]
    run(batch, requests)
    for one in requests:
        ids, said = list(one.ids), batch.chosen[id(one)]
        logits = made(torch.tensor([ids + said])).logits[0, len(ids) - 1 : -1].float()
        for row, token in zip(logits, said, strict=True):
            gap = float(row.max() - row[token])
            noise = max(noise, gap / float(row.std()))
    assert noise < 0.1


def test_who_begins_like_another_does_not_read_it_again() -> None:
    batch = Recorder(best(model("llama"), 4))
    shared = prompts(1)[0] * 3
    first, second = request([*shared, 7, 8], 10), request([*shared, 9], 10)
    again = request([*shared, 7, 8], 10)
    run(batch, [first, second], late=1)
    run(batch, [again])
    assert first.events[-1].cached_tokens == 0
    assert second.events[-1].cached_tokens == len(shared)
    assert again.events[-1].cached_tokens == len(shared) + 1
    for one in (first, second, again):
        assert batch.chosen[id(one)] == own("llama", list(one.ids), 10)


class Rehearsed(Graphs):
    """Recordings without a GPU: a replay computes the step again, from the same tensors."""

    def capture(self, made: Recorded, width: int, flash: Any) -> None:
        assert flash is None
        made.graph = SimpleNamespace(
            replay=lambda: setattr(made, "logits", self.forward(made, width, flash))
        )


@pytest.mark.parametrize("kind", ["llama", "gemma3"])
def test_what_a_gpu_replays_is_right_for_every_slot_with_a_stream_and_harms_no_other(
    kind: str,
) -> None:
    """All but the recording itself, which needs a GPU."""
    slots = best(model(kind), 4)
    assert isinstance(slots, Slots)
    slots.graphs = Rehearsed(slots)
    batch = Recorder(slots)
    requests = [request(ids, 16) for ids in prompts(6)]
    run(batch, requests, late=3)
    for one in requests:
        assert batch.chosen[id(one)] == own(kind, list(one.ids), 16)
    assert slots.graphs.usable
    assert {size for size, _ in slots.graphs.sizes} <= {1, 2, 4}
    assert slots.rows == 5


def test_a_model_that_cannot_be_recorded_runs_as_before() -> None:
    slots = best(model("llama"), 4)
    assert isinstance(slots, Slots)
    slots.graphs = Graphs(slots)  # without a GPU, recording fails
    batch = Recorder(slots)
    requests = [request(ids, 8) for ids in prompts(3)]
    run(batch, requests)
    for one in requests:
        assert batch.chosen[id(one)] == own("llama", list(one.ids), 8)
    assert not slots.graphs.usable


# ── sampling ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "cuts", [{}, {"top_p": 0.9}, {"top_k": 50}, {"top_p": 0.5, "top_k": 9}, {"top_p": 0.9999}]
)
def test_a_seed_gives_the_same_answer_in_company(cuts: dict[str, Any]) -> None:
    sampling = Sampling(temperature=1.3, seed=11, **cuts)
    alone, company = Recorder(best(model("llama"), 8)), Recorder(best(model("llama"), 8))
    first, again = request(prompts(1)[0], 20, sampling), request(prompts(1)[0], 20, sampling)
    run(alone, [first])
    run(company, [request(ids) for ids in prompts(5)] + [again], late=1)
    assert alone.chosen[id(first)] == company.chosen[id(again)]
    other = request(prompts(1)[0], 20, Sampling(temperature=1.3, seed=12))
    run(alone, [other])
    assert alone.chosen[id(other)] != alone.chosen[id(first)]


def test_a_stream_alone_is_computed_the_same_under_any_load_even_in_bfloat16() -> None:
    made = random_model("llama").to(torch.bfloat16)
    sampling = Sampling(temperature=1.0, seed=3)
    ids = [Random(9).randrange(10, 1000) for _ in range(300)]
    found: list[list[int]] = []
    for company in (0, 3):
        batch = Recorder(best(made, 8))
        one = request(ids, 30, sampling, alone=True)
        run(batch, [request(other, 60) for other in prompts(company)] + [one], late=1)
        found.append(batch.chosen[id(one)])
    assert found[0] == found[1]


def test_draws_follow_the_model_and_cuts_leave_out_the_unlikely() -> None:
    logits = torch.log(torch.tensor([0.5, 0.25, 0.15, 0.06, 0.04]))

    def drawn(**given: Any) -> list[float]:
        from hub.playground.engine.sampling import Choice, Sampler, choose

        samplers = [Sampler(Sampling(seed=seed, **given)) for seed in range(1500)]
        counts = [0] * 5
        for choice in choose(logits.expand(1500, 5), samplers):
            assert isinstance(choice, Choice)
            counts[choice.token] += 1
        return [count / 1500 for count in counts]

    assert drawn() == pytest.approx([0.5, 0.25, 0.15, 0.06, 0.04], abs=0.05)
    assert drawn(top_p=0.75) == pytest.approx([2 / 3, 1 / 3, 0, 0, 0], abs=0.05)
    assert drawn(top_p=0.76) == pytest.approx([0.556, 0.278, 0.167, 0, 0], abs=0.05)
    assert drawn(top_k=2) == pytest.approx([2 / 3, 1 / 3, 0, 0, 0], abs=0.05)
    assert drawn(temperature=0.5) == pytest.approx([0.739, 0.185, 0.067, 0.011, 0.005], abs=0.05)
    assert drawn(top_k=1) == [1, 0, 0, 0, 0]
    assert drawn(top_p=0) == [1, 0, 0, 0, 0]
    assert drawn(bias=((0, -100.0),))[0] == 0


def test_log_probabilities_are_the_models_own_whatever_the_temperature() -> None:
    batch = Recorder(best(model("llama"), 4))
    ids = prompts(1)[0]
    one = request(ids, 6, Sampling(temperature=1.5, seed=2, logprobs=3))
    plain = request(ids, 6)
    run(batch, [one, plain])
    said = batch.chosen[id(one)]
    likely = [pair for event in one.events for pair in event.likely]
    assert [token for token, _ in likely] == said
    assert not any(event.likely for event in plain.events)
    right = model("llama")(torch.tensor([ids + said])).logits[0, len(ids) - 1 : -1]
    right = right.log_softmax(-1)
    for at, (token, told) in enumerate(likely):
        best_three = right[at].topk(3)
        assert told.logprob == pytest.approx(float(right[at, token]), abs=1e-3)
        assert [token for token, _ in told.top] == best_three.indices.tolist()


def test_penalties_keep_it_from_repeating() -> None:
    batch = Recorder(best(model("built-in"), 4))
    ids = prompts(1)[0]
    free, penalised = request(ids, 60), request(ids, 60, Sampling(temperature=0, frequency=2.0))
    run(batch, [free, penalised])
    kinds_of = [len(set(batch.chosen[id(one)])) for one in (free, penalised)]
    assert kinds_of[0] < kinds_of[1]


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

    def step(self, work: Any) -> torch.Tensor:
        if self.error is not None:
            error, self.error = self.error, None
            raise error
        logits = self._forward.step(work)
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
    assert said.get(timeout=10)[0] == "first"
    loop.add("m", second, third)
    loop.cancel("m", third)
    loop.cancel("m", first)
    last: dict[str, Event] = {}
    while set(last) != {"first", "second", "third"}:
        who, event = said.get(timeout=10)
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
        events = [said.get(timeout=10)[1] for _ in range(2)]
    assert "The engine failed: KeyError: 'a bug'. Run it again." in [one.text for one in events]
    loop.do(lambda: bug())
    loop.add("m", listening(said, "second", [5, 6], 3))
    loop.add("gone", listening(said, "third", [5, 6], 3))
    last = {}
    while set(last) != {"second", "third"}:
        who, event = said.get(timeout=10)
        if event.kind in ("done", "failed"):
            last[who] = event.text
    assert last == {"second": "length", "third": UNLOADED}
    assert "a bug" in capsys.readouterr().err


def test_a_tick_that_never_ends_can_be_seen_from_outside(loop: Loop) -> None:
    assert loop.stuck() == 0
    hold = queue.SimpleQueue[None]()
    slow = SimpleNamespace(busy=True, tick=hold.get, rows=[], waiting=[])
    loop.do(lambda: loop.batches.update(slow=slow))  # pyright: ignore[reportArgumentType]
    deadline = time.monotonic() + 10
    while loop.stuck() < 0.05:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    slow.busy = False
    hold.put(None)
