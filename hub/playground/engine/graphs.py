"""On a GPU, writing one token for each slot is recorded once and replayed.

At small batches a GPU waits for Python most of the time; a recorded step needs one call. A
recording holds for a number of slots and a width, both rounded up, and for the storage it was made
with: when that moves, `forget`. A model that cannot be recorded runs as before.

A recording knows addresses, not tensors: whatever it reads that was made outside it has to be kept
for as long as it is replayed.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from hub.playground.engine.attention import NO_MASK, Step

if TYPE_CHECKING:
    from hub.playground.engine.slots import Slots, Work

SIZES = (1, 2, 4, 8, 16, 32, 64)
NARROWEST = 256
ONE_AT_A_TIME = threading.Lock()
"""CUDA records one graph at a time in a process; a model may be tried out while another writes."""
Flash = Callable[[Tensor, Tensor, Tensor, float | None, int | None], Tensor]


@dataclass
class Recorded:
    """A step whose tensors stay where they are; `graph.replay()` brings new `logits`."""

    ids: Tensor
    at: Tensor
    places: Tensor
    logits: Tensor
    graph: Any = None
    flash: Any = None
    """Holds what the kernel reads besides: where queries and keys of each slot begin."""


class Graphs:
    """The recordings of one model's slots."""

    def __init__(self, slots: Slots) -> None:
        self._slots = slots
        self._made: dict[tuple[int, int], Recorded] = {}
        self._pool: Any = None
        self._flash = True
        self.usable = True

    @property
    def sizes(self) -> list[tuple[int, int]]:
        """Slots and width of each recording."""
        return list(self._made)

    def forget(self) -> None:
        """The memory of all recordings goes with the last of them, so the next begin anew."""
        self._made.clear()
        self._pool = None

    def run(self, singles: Sequence[Work]) -> Tensor | None:
        """Logits by slot in the order given; None where this step cannot be replayed."""
        slots = self._slots
        size = next((n for n in SIZES if n > singles[-1][0]), None)
        if not self.usable or size is None or size > slots.rows - 1:
            return None
        need = max(slots.lengths[slot] for slot, _ in singles) + 1
        width = min(slots.tokens, max(NARROWEST, 1 << (need - 1).bit_length()))
        try:
            made = self._made.get((size, width)) or self._record(size, width)
        except Exception:
            # What a model does that a recording may not: read a number back, choose a path by it.
            # A fault of the device comes up again in the step that is computed instead.
            self.usable = False
            self.forget()
            return None
        self._fill(made, singles, size)
        made.graph.replay()
        return made.logits[[slot for slot, _ in singles]].clone()

    def _fill(self, made: Recorded, singles: Sequence[Work], size: int) -> None:
        """Slots without a stream write into the last one, which belongs to nobody."""
        slots = self._slots
        ids, at = [0] * size, [0] * size
        places = [(slots.rows - 1) * slots.tokens] * size
        for slot, tokens in singles:
            ids[slot], at[slot] = tokens[0], slots.lengths[slot]
            places[slot] = slot * slots.tokens + at[slot]
        both = torch.tensor([ids, at, places], pin_memory=slots.device.type == "cuda")
        for held, new in zip((made.ids, made.at, made.places), both, strict=True):
            held.copy_(new, non_blocking=True)

    def _record(self, size: int, width: int) -> Recorded:
        made = self.blank(size)
        made.flash = _flash(self._slots, size, width) if self._flash else None
        try:
            self.capture(made, width)
        except (RuntimeError, TypeError, ValueError):
            if made.flash is None:
                raise
            self._flash, made.flash = False, None
            self.capture(made, width)
        self._made[size, width] = made
        return made

    def blank(self, size: int) -> Recorded:
        """Tensors for a step of so many slots, none of which has a stream yet."""
        slots = self._slots
        zeros = torch.zeros(size, dtype=torch.long, device=slots.device)
        places = torch.full_like(zeros, (slots.rows - 1) * slots.tokens)
        return Recorded(zeros, zeros.clone(), places, torch.empty(0))

    def forward(self, made: Recorded, width: int) -> Tensor:
        slots = self._slots
        slots.places = made.places
        used = None if made.flash is None else made.flash(made.at)
        step = Step(0, made.at, None, len(made.at), width, (), flash=used)
        return slots.model(
            input_ids=made.ids[None], position_ids=made.at[None], past_key_values=slots.cache,
            attention_mask=NO_MASK, use_cache=True, step=step,
        ).logits[0]  # fmt: skip

    def capture(self, made: Recorded, width: int) -> None:
        device = self._slots.device
        here, aside = torch.cuda.current_stream(device), torch.cuda.Stream(device)
        graph = torch.cuda.CUDAGraph()
        # A recording that breaks leaves its own stream the current one.
        with ONE_AT_A_TIME, torch.cuda.stream(here):
            aside.wait_stream(here)
            with torch.cuda.stream(aside):
                for _ in range(2):
                    self.forward(made, width)
            here.wait_stream(aside)
            # Another model may be loading meanwhile, on a thread of its own.
            with torch.cuda.graph(graph, pool=self._pool, capture_error_mode="thread_local"):
                made.logits = self.forward(made, width)
        self._pool = self._pool or graph.pool()
        made.graph = graph


def _flash(slots: Slots, size: int, width: int) -> Callable[[Tensor], Flash] | None:
    """Torch's own flash kernel over slots, where this torch has it with the arguments we need."""
    try:
        from torch.nn.attention.varlen import varlen_attn
    except ImportError:
        return None
    names = inspect.signature(varlen_attn).parameters
    if not {"seqused_k", "enable_gqa", "window_size", "scale"} <= set(names):
        return None
    if slots.model.dtype not in (torch.float16, torch.bfloat16):
        return None
    queries = torch.arange(size + 1, dtype=torch.int32, device=slots.device)
    keys = queries * slots.tokens

    def at_positions(at: Tensor) -> Flash:
        used = (at + 1).to(torch.int32)

        def attend(
            query: Tensor, key: Tensor, value: Tensor, scaling: float | None, window: int | None
        ) -> Tensor:
            # The new token is the last of its slot: it sees all that is used, or a window of it.
            behind = -1 if window is None else window - 1
            found = varlen_attn(
                query.contiguous(), key[:size].flatten(0, 1), value[:size].flatten(0, 1),
                queries, keys, 1, width, scale=scaling, enable_gqa=True,
                window_size=(behind, -1 if window is None else 0), seqused_k=used,
            )  # fmt: skip
            return found if isinstance(found, Tensor) else found[0]

        return attend

    return at_positions
