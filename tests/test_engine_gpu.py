"""What a GPU does with slots, as far as that can be tried without one."""

from __future__ import annotations

from random import Random
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from transformers import AutoModelForCausalLM

from hub.playground.engine import slots as storage
from hub.playground.engine.attention import NAME
from hub.playground.engine.graphs import Graphs, Recorded
from hub.playground.engine.slots import Slots
from hub.playground.engine.solo import best
from tests.streams import (
    Recorder,
    model,
    no_gradients,  # noqa: F401 used by every test
    own,
    prompts,
    request,
    run,
)
from tests.tiny_models import random_model


class Rehearsed(Graphs):
    """Recordings without a GPU: a replay computes the step again, from the same tensors."""

    def capture(self, made: Recorded, width: int) -> None:
        made.graph = SimpleNamespace(
            replay=lambda: setattr(made, "logits", self.forward(made, width))
        )


def slotted(made: Any) -> Slots:
    slots = best(made, 4)
    assert isinstance(slots, Slots)
    return slots


@pytest.mark.parametrize("kind", ["llama", "gemma3"])
def test_what_a_gpu_replays_is_right_for_every_slot_with_a_stream_and_harms_no_other(
    kind: str,
) -> None:
    """All but the recording itself, which needs a GPU."""
    slots = slotted(model(kind))
    slots.graphs = Rehearsed(slots)
    batch = Recorder(slots)
    requests = [request(ids, 16) for ids in prompts(6)]
    run(batch, requests, late=3)
    for one in requests:
        assert batch.chosen[id(one)] == own(kind, list(one.ids), 16)
    assert slots.graphs.usable
    assert {size for size, _ in slots.graphs.sizes} <= {1, 2, 4}
    assert slots.rows == 5


def test_a_stream_that_is_computed_by_itself_is_not_replayed_in_the_size_of_its_slot() -> None:
    """A recording for four slots may round otherwise than one for one: the promise is the same
    answer under any load."""
    slots = slotted(model("llama"))
    slots.graphs = Rehearsed(slots)
    batch = Recorder(slots)
    first, second, ids = prompts(3)
    last = request(ids, 30, alone=True)
    run(batch, [request(first, 12), request(second, 12), last])
    assert batch.chosen[id(last)] == own("llama", ids, 30)
    assert {size for size, _ in slots.graphs.sizes} == {2}, "that of the others alone"


@pytest.mark.parametrize("kind", ["llama", "gemma3"])
def test_a_step_reads_no_number_back_and_touches_one_device_alone(kind: str) -> None:
    """On torch's device without memory, either of which fails; on a GPU it would break a recording,
    or make it replay the numbers of the first time."""
    with torch.device("meta"):
        blank = AutoModelForCausalLM.from_config(model(kind).config, dtype=torch.bfloat16).eval()
    blank.set_attn_implementation(NAME)
    slots = Slots(blank, 4)
    slots.graphs = Graphs(slots)
    slots._make_room(4, 300)  # pyright: ignore[reportPrivateUsage]
    logits = slots.graphs.forward(slots.graphs.blank(4), 256)
    assert (logits.shape[0], logits.device.type, logits.dtype) == (4, "meta", torch.bfloat16)
    slots.graphs = None
    for slot, ids in ((0, [1, 2, 3]), (1, [4, 5])):
        assert slots.take(ids, 16)[0] == slot
    logits = slots.step([(0, [1, 2, 3]), (1, [4, 5])])
    logits = slots.step([(0, [6]), (1, [7, 8])])
    assert (len(logits), logits.device.type) == (2, "meta")


def test_a_model_that_cannot_be_recorded_runs_as_before() -> None:
    slots = slotted(model("llama"))
    slots.graphs = Graphs(slots)  # without a GPU, recording fails
    batch = Recorder(slots)
    requests = [request(ids, 8) for ids in prompts(3)]
    run(batch, requests)
    for one in requests:
        assert batch.chosen[id(one)] == own("llama", list(one.ids), 8)
    assert not slots.graphs.usable
    assert not slots.graphs.sizes


def plain_varlen(
    query: Tensor, key: Tensor, value: Tensor, queries: Tensor, keys: Tensor, max_q: int,
    max_k: int, *, scale: float | None, enable_gqa: bool, window_size: tuple[int, int],
    seqused_k: Tensor,
) -> Tensor:  # fmt: skip
    """What torch's documentation says of its kernel, which runs on GPUs alone."""
    assert {query.dtype, key.dtype} == {torch.bfloat16}
    assert queries.dtype == keys.dtype == seqused_k.dtype == torch.int32
    assert query.is_contiguous()
    assert max_q == 1
    found: list[Tensor] = []
    for at, used in enumerate(seqused_k.tolist()):
        assert queries[at + 1] - queries[at] == 1
        assert used <= max_k <= keys[at + 1] - keys[at]
        back = used if window_size[0] < 0 else min(used, window_size[0] + 1)
        here = slice(int(keys[at]) + used - back, int(keys[at]) + used)
        one = scaled_dot_product_attention(
            query[queries[at] : queries[at + 1]].transpose(0, 1), key[here].transpose(0, 1),
            value[here].transpose(0, 1), scale=scale, enable_gqa=enable_gqa,
        )  # fmt: skip
        found.append(one.transpose(0, 1))
    return torch.cat(found)


def said_by(slots: Slots, asked: list[list[int]], more: int) -> Tensor:
    """Logits after each of `more` tokens that streams of unlike length are given at once."""
    random, found = Random(3), []
    taken = [slots.take(ids, 64, fresh=True)[0] for ids in asked]
    slots.step(list(zip(taken, asked, strict=True)))
    slots.drop(taken.pop(0))  # a slot without a stream stays among them
    for _ in range(more):
        found.append(slots.step([(slot, [random.randrange(10, 1000)]) for slot in taken]))
    return torch.cat(found).float()


@pytest.mark.parametrize("kind", ["llama", "gemma3"])
def test_the_flash_kernel_is_asked_for_what_the_slots_hold(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.nn.attention.varlen.varlen_attn", plain_varlen)
    made = random_model(kind).to(torch.bfloat16)
    asked = [*prompts(3), [7, 8, 9] * 9]
    plain, flash = slotted(made), slotted(made)
    flash.graphs = Rehearsed(flash)
    wanted, found = said_by(plain, asked, 12), said_by(flash, asked, 12)
    assert flash.graphs.usable
    assert all(one.flash is not None for one in flash.graphs._made.values())
    assert float((found - wanted).abs().max()) < 0.1 * float(wanted.std())


def test_memory_that_ends_while_room_grows_leaves_every_stream_as_it_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    batch = Recorder(slotted(model("llama")))
    running, large = [request(ids, 300) for ids in prompts(2)], request(prompts(1)[0], 600)
    for one in running:
        batch.add(one)
    for _ in range(20):
        batch.tick()
    larger, left = storage._larger, [3]

    def scarce(kept: Tensor, rows: int, tokens: int) -> Tensor:
        left[0] -= 1
        if left[0] == 0:
            raise torch.OutOfMemoryError("cannot allocate")
        return larger(kept, rows, tokens)

    monkeypatch.setattr(storage, "_larger", scarce)
    batch.add(large)
    while batch.busy:
        batch.tick()
    assert left[0] <= 0
    assert large.events[-1].kind == "failed"
    for one in running:
        assert batch.chosen[id(one)] == own("llama", list(one.ids), 300)
