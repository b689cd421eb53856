"""The forward passes: many streams in one step, each in its own slot of a shared cache."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor
from transformers.cache_utils import Cache, DynamicCache, DynamicLayer

from hub.playground.engine.attention import NO_MASK, Piece, Step
from hub.playground.engine.graphs import Graphs

GROW = 256
"""Room grows by so many tokens at a time."""
WORTH = 16
"""From so many tokens on, a beginning that another stream has read is copied."""

Work = tuple[int, Sequence[int]]
"""A slot, and the tokens that come next in it: one when writing, more when reading."""


class Forward(Protocol):
    """Streams by slot. If `step` fails, nothing has moved, and it may be tried again."""

    limit: int
    whole: bool
    """Whether a prompt has to be read in one go."""

    def room(self) -> int: ...
    def holds(self, tokens: int) -> bool | None: ...
    def take(self, ids: Sequence[int], tokens: int, *, fresh: bool = False) -> tuple[int, int]: ...
    def step(self, work: Sequence[Work], *, alone: bool = False) -> Tensor: ...
    def drop(self, slot: int, *, spoiled: bool = False) -> None: ...
    def shrink(self) -> None: ...


class _Layer(DynamicLayer):
    """One layer's keys and values for all slots: `[slots, tokens, heads, size]`."""

    def __init__(self, owner: Slots) -> None:
        super().__init__()
        self._owner = owner
        self.is_initialized = True

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        owner = self._owner
        if self.keys is None or self.values is None:
            self.keys = _empty(key_states, owner.rows, owner.tokens)
            self.values = _empty(value_states, owner.rows, owner.tokens)
        for kept, new in ((self.keys, key_states), (self.values, value_states)):
            kept.flatten(0, 1).index_copy_(0, owner.places, new[0].transpose(0, 1))
        return self.keys, self.values

    def resized(self, rows: int, tokens: int) -> tuple[Tensor, Tensor] | None:
        if self.keys is None or self.values is None:
            return None
        return _larger(self.keys, rows, tokens), _larger(self.values, rows, tokens)

    def get_seq_length(self) -> int:
        return 0


def _empty(like: Tensor, rows: int, tokens: int) -> Tensor:
    return like.new_zeros((rows, tokens, like.shape[1], like.shape[3]))


def _larger(kept: Tensor, rows: int, tokens: int) -> Tensor:
    made = kept.new_zeros((rows, tokens, *kept.shape[2:]))
    made[: len(kept), : kept.shape[1]] = kept
    return made


class Slots:
    """Many streams in one forward pass. A slot stays where it is; freed ones are taken again."""

    def __init__(self, model: Any, limit: int, memory: int | None = None) -> None:
        self.model = model
        self.limit = limit
        self.whole = False
        self._memory = memory
        names = inspect.signature(model.forward).parameters
        self._keeps = "logits_to_keep" in names
        self.device: torch.device = model.device
        self._layers = [_Layer(self) for _ in DynamicCache(config=model.config).layers]
        self.cache = Cache(layers=list(self._layers))
        self.rows, self.tokens = 0, 0
        self.places = torch.empty(0, dtype=torch.long)
        self.lengths: dict[int, int] = {}
        self._kept: dict[int, list[int]] = {}
        """The tokens in each slot, also after it was freed: others may begin the same way."""
        self.graphs = Graphs(self) if self.device.type == "cuda" else None
        self.step_was: Step | None = None

    def room(self) -> int:
        return self.limit - len(self.lengths)

    def bytes_per_token(self) -> int:
        """Of one stream, in all layers; known from the first step on."""
        kept = [t for layer in self._layers for t in (layer.keys, layer.values) if t is not None]
        return sum(t.shape[2] * t.shape[3] * t.element_size() for t in kept)

    def holds(self, tokens: int) -> bool | None:
        """Whether a stream of so many tokens fits now; None if it never will."""
        each = self.bytes_per_token()
        if self._memory is None or not each:
            return True
        rows, width = self._planned(self._free() + 1, tokens)
        if rows * width * each <= self._memory:
            return True
        if _rounded(tokens) * each > self._memory:
            return None
        if not self.lengths:
            self._release()
            return True
        return False

    def take(self, ids: Sequence[int], tokens: int, *, fresh: bool = False) -> tuple[int, int]:
        """A slot for a stream of at most `tokens`, and how many of `ids` are in it already."""
        source, known = (None, 0) if fresh else self._like(ids)
        slot = self._free(source)
        self._make_room(slot + 1, tokens)
        if known and source is not None and source != slot:
            for layer in self._layers:
                for kept in (layer.keys, layer.values):
                    if kept is not None:
                        kept[slot, :known] = kept[source, :known]
        self.lengths[slot] = known
        self._kept[slot] = list(ids[:known])
        return slot, known

    def step(self, work: Sequence[Work], *, alone: bool = False) -> Tensor:
        """Logits after the last token of each piece of work.

        `alone`: computed in the same shapes whoever else has a slot; a recording is as large as
        the number of the slot, and numbers of few bits come out otherwise in another size.
        """
        singles = sorted(one for one in work if len(one[1]) == 1)
        pieces = [one for one in work if len(one[1]) > 1]
        needed = max(self.lengths[slot] + len(ids) for slot, ids in work)
        self._make_room(0, needed)
        if not pieces and self.graphs is not None and not alone:
            logits = self.graphs.run(singles)
            order = {slot: index for index, (slot, _) in enumerate(singles)}
            found = None if logits is None else logits[[order[slot] for slot, _ in work]]
        else:
            found = None
        if found is None:
            found = self._run(work, singles, pieces)
        for slot, ids in work:
            self.lengths[slot] += len(ids)
            self._kept[slot] += ids
        return found

    def drop(self, slot: int, *, spoiled: bool = False) -> None:
        """Free a slot. Numbers that are none would reach whoever comes next, and are wiped."""
        del self.lengths[slot]
        if spoiled:
            self._kept.pop(slot, None)
            for layer in self._layers:
                for kept in (layer.keys, layer.values):
                    if kept is not None:
                        kept[slot] = 0

    def shrink(self) -> None:
        """Memory ran out: fewer streams at once from now on."""
        self.limit = max(1, self.limit // 2)
        if not self.lengths:
            self._release()

    def _run(self, work: Sequence[Work], singles: Sequence[Work], pieces: Sequence[Work]) -> Tensor:
        flat = [*singles, *pieces]
        ids = [token for _, tokens in flat for token in tokens]
        at = [self.lengths[s] + i for s, tokens in flat for i in range(len(tokens))]
        slots = [slot for slot, tokens in flat for _ in tokens]
        tensor = torch.tensor([ids, at, slots], device=self.device)
        self.places = tensor[2] * self.tokens + tensor[1]
        last: dict[int, int] = {}
        offset = 0
        laid: list[Piece] = []
        for slot, tokens in flat:
            if len(tokens) > 1:
                laid.append(Piece(slot, self.lengths[slot], offset, len(tokens)))
            offset += len(tokens)
            last[slot] = offset - 1
        step = self.step_was = self._laid(singles, laid)
        ends = torch.tensor([last[slot] for slot, _ in work], device=self.device)
        more = {"logits_to_keep": ends} if self._keeps else {}
        out = self.model(
            input_ids=tensor[0][None], position_ids=tensor[1][None], past_key_values=self.cache,
            attention_mask=NO_MASK, use_cache=True, step=step, **more,
        )  # fmt: skip
        return out.logits[0] if self._keeps else out.logits[0, ends]

    def _laid(self, singles: Sequence[Work], pieces: Sequence[Piece]) -> Step:
        if not singles:
            return Step(0, torch.empty(0), None, 0, 0, pieces)
        first, count = singles[0][0], singles[-1][0] - singles[0][0] + 1
        at = [0] * count
        for slot, _ in singles:
            at[slot - first] = self.lengths[slot]
        writing = None
        if len(singles) < count:
            writing = torch.tensor([slot - first for slot, _ in singles], device=self.device)
        width = max(at) + 1
        here = torch.tensor(at, device=self.device)
        return Step(first, here, writing, len(singles), width, pieces)

    def _planned(self, rows: int, tokens: int) -> tuple[int, int]:
        """How large the storage has to be.

        Growing moves the memory that graphs point at, so with graphs it grows by doubling; and
        there is one more slot that belongs to nobody, where they write for slots without a stream.
        """
        if self.graphs is None:
            return max(self.rows, rows), max(self.tokens, _rounded(tokens))
        rows = (1 << (rows - 1).bit_length()) + 1 if rows else 0
        return max(self.rows, rows), max(self.tokens, 1 << (_rounded(tokens) - 1).bit_length())

    def _make_room(self, rows: int, tokens: int) -> None:
        rows, tokens = self._planned(rows, tokens)
        if (rows, tokens) == (self.rows, self.tokens):
            return
        # All layers or none: memory may end in the middle, and places are counted for all alike.
        larger = [layer.resized(rows, tokens) for layer in self._layers]
        if self.graphs is not None:
            self.graphs.forget()
        for layer, made in zip(self._layers, larger, strict=True):
            if made is not None:
                layer.keys, layer.values = made
        self.rows, self.tokens = rows, tokens

    def _free(self, wanted: int | None = None) -> int:
        if wanted is not None and wanted not in self.lengths:
            return wanted
        return next(slot for slot in range(len(self.lengths) + 1) if slot not in self.lengths)

    def _like(self, ids: Sequence[int]) -> tuple[int | None, int]:
        """The slot that holds the longest beginning of `ids`, short of the last token."""
        asked = list(ids[:-1])
        best, length = None, WORTH - 1
        for slot, kept in self._kept.items():
            same = _same(asked, kept[: self.lengths.get(slot, len(kept))])
            if same > length and (slot in self.lengths or slot < self.limit):
                best, length = slot, same
        return (best, length) if best is not None else (None, 0)

    def _release(self) -> None:
        """Give the memory back; the next stream makes it anew, as large as it needs."""
        for layer in self._layers:
            layer.keys = layer.values = None
        self.rows = self.tokens = 0
        self._kept.clear()
        if self.graphs is not None:
            self.graphs.forget()


def _rounded(tokens: int) -> int:
    return -(-tokens // GROW) * GROW


def _same(left: list[int], right: list[int]) -> int:
    """How many tokens both begin with.

    >>> _same([1, 2, 3, 4], [1, 2, 9]), _same([1], [1, 2]), _same([], [1])
    (2, 1, 0)
    """
    low, high = 0, min(len(left), len(right))
    while low < high:
        middle = (low + high + 1) // 2
        if left[low:middle] == right[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
