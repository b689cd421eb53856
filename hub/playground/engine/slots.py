"""The forward passes: many streams in one step, each in its own row of a shared cache.

`Slots` needs plain attention in every layer. Other families (sliding windows, state spaces) run
through `Solo`, one stream after another; `_fits` compares both on the model itself.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor
from transformers.cache_utils import Cache, DynamicCache, DynamicLayer

CHUNK = 512
STEP = 256
"""Room grows by so many tokens at a time."""


class Forward(Protocol):
    """Rows are numbered 0…n-1; dropping one puts the last in its place."""

    def prefill(self, ids: Sequence[int]) -> Tensor: ...
    def decode(self, tokens: Sequence[int]) -> Tensor: ...
    def drop(self, row: int) -> None: ...
    def room(self) -> int: ...


class _Runner:
    def __init__(self, model: Any) -> None:
        self.model = model
        self.device: torch.device = model.device
        names = inspect.signature(model.forward).parameters
        self._last: dict[str, int] = {"logits_to_keep": 1} if "logits_to_keep" in names else {}

    def read(self, ids: Sequence[int]) -> tuple[Tensor, DynamicCache]:
        """Logits after the prompt, and a cache that holds it; long prompts go in pieces."""
        cache = DynamicCache(config=self.model.config)
        logits = torch.empty(0)
        for start in range(0, len(ids), CHUNK):
            piece = torch.tensor([ids[start : start + CHUNK]], device=self.device)
            logits = self.run(piece, cache)
        return logits[0], cache

    def run(self, ids: Tensor, cache: Cache, **more: Any) -> Tensor:
        out = self.model(input_ids=ids, past_key_values=cache, use_cache=True, **self._last, **more)
        return out.logits[:, -1]


class _SlotLayer(DynamicLayer):
    """One layer's keys and values for all rows: `[rows, heads, tokens, size]`."""

    def __init__(self, like: DynamicLayer, owner: Slots) -> None:
        super().__init__()
        self._owner = owner
        self.is_initialized = True
        self.dtype, self.device = like.dtype, like.device
        self.keys = _room(like.keys, 1, STEP)
        self.values = _room(like.values, 1, STEP)

    def make_room(self, rows: int, tokens: int) -> None:
        assert self.keys is not None
        assert self.values is not None
        have_rows, _, have_tokens, _ = self.keys.shape
        if rows <= have_rows and tokens <= have_tokens:
            return
        rows = max(rows, have_rows)
        tokens = max(have_tokens, -(-tokens // STEP) * STEP)
        keys, values = _room(self.keys, rows, tokens), _room(self.values, rows, tokens)
        keys[:have_rows, :, :have_tokens] = self.keys
        values[:have_rows, :, :have_tokens] = self.values
        self.keys, self.values = keys, values

    def place(self, row: int, keys: Tensor, values: Tensor) -> None:
        assert self.keys is not None
        assert self.values is not None
        self.keys[row, :, : keys.shape[-2]] = keys
        self.values[row, :, : values.shape[-2]] = values

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        assert self.keys is not None
        assert self.values is not None
        owner = self._owner
        rows, at, width = owner.rows, owner.at, owner.width
        self.keys[rows, :, at] = key_states[:, :, 0]
        self.values[rows, :, at] = value_states[:, :, 0]
        count = len(owner.lengths)
        return self.keys[:count, :, :width], self.values[:count, :, :width]

    def get_seq_length(self) -> int:
        return self._owner.width - 1


def _room(like: Tensor | None, rows: int, tokens: int) -> Tensor:
    assert like is not None
    return like.new_zeros((rows, like.shape[1], tokens, like.shape[3]))


class Slots:
    """Many rows in one forward pass."""

    def __init__(self, model: Any, limit: int) -> None:
        self._runner = _Runner(model)
        self._limit = limit
        self._layers: list[_SlotLayer] = []
        self._cache: Cache | None = None
        self._additive = model.config._attn_implementation == "eager"
        self.lengths: list[int] = []
        self.rows = self.at = torch.empty(0, dtype=torch.long)
        self.width = 0

    def room(self) -> int:
        return self._limit - len(self.lengths)

    def prefill(self, ids: Sequence[int]) -> Tensor:
        logits, cache = self._runner.read(ids)
        held = [layer for layer in cache.layers if isinstance(layer, DynamicLayer)]
        if not self._layers:
            self._layers = [_SlotLayer(layer, self) for layer in held]
            self._cache = Cache(layers=list(self._layers))
        row = len(self.lengths)
        for mine, read in zip(self._layers, held, strict=True):
            assert read.keys is not None
            assert read.values is not None
            mine.make_room(row + 1, len(ids) + 1)
            mine.place(row, read.keys[0], read.values[0])
        self.lengths.append(len(ids))
        return logits

    def decode(self, tokens: Sequence[int]) -> Tensor:
        """One step of all rows. If it fails nothing has moved, and it may be tried again."""
        assert self._cache is not None
        device = self._runner.device
        self.width = max(self.lengths) + 1
        for layer in self._layers:
            layer.make_room(len(self.lengths), self.width)
        self.at = torch.tensor(self.lengths, device=device)
        self.rows = torch.arange(len(self.lengths), device=device)
        seen = torch.arange(self.width, device=device)[None] <= self.at[:, None]
        logits = self._runner.run(
            torch.tensor(tokens, device=device)[:, None],
            self._cache,
            position_ids=self.at[:, None],
            attention_mask=self._mask(seen)[:, None, None],
        )
        self.lengths = [length + 1 for length in self.lengths]
        return logits

    def _mask(self, seen: Tensor) -> Tensor:
        if not self._additive:
            return seen
        dtype = self._runner.model.dtype
        return torch.zeros(seen.shape, dtype=dtype, device=seen.device).masked_fill(
            ~seen, torch.finfo(dtype).min
        )

    def drop(self, row: int) -> None:
        last = len(self.lengths) - 1
        if row != last:
            length = self.lengths[last]
            for layer in self._layers:
                assert layer.keys is not None
                assert layer.values is not None
                layer.place(row, layer.keys[last, :, :length], layer.values[last, :, :length])
            self.lengths[row] = length
        self.lengths.pop()


class Solo:
    """Each row has the model's own cache and its own forward pass; right for any family."""

    def __init__(self, model: Any, limit: int) -> None:
        self._runner = _Runner(model)
        self._limit = limit
        self._caches: list[DynamicCache] = []

    def room(self) -> int:
        return self._limit - len(self._caches)

    def prefill(self, ids: Sequence[int]) -> Tensor:
        logits, cache = self._runner.read(ids)
        self._caches.append(cache)
        return logits

    def decode(self, tokens: Sequence[int]) -> Tensor:
        device = self._runner.device
        steps = zip(tokens, self._caches, strict=True)
        return torch.stack(
            [
                self._runner.run(torch.tensor([[token]], device=device), cache)[0]
                for token, cache in steps
            ]
        )

    def drop(self, row: int) -> None:
        self._caches[row] = self._caches[-1]
        self._caches.pop()


@torch.inference_mode()
def best(model: Any, limit: int) -> Forward:
    """`Slots` when it gives the model's own answers, else `Solo`."""
    layers = DynamicCache(config=model.config).layers
    plain = all(type(layer) is DynamicLayer for layer in layers)
    return Slots(model, limit) if plain and _fits(model) else Solo(model, limit)


def _fits(model: Any) -> bool:
    """Two prompts of unlike length, together in slots and each alone, must agree."""
    ids = [5 % model.config.vocab_size, 7 % model.config.vocab_size]
    prompts = [ids * 2, [*ids, *ids, ids[0]] * 2]
    try:
        together, alone = Slots(model, 2), Solo(model, 2)
        for forward in (together, alone):
            for prompt in prompts:
                forward.prefill(prompt)
        together.decode(ids)
        alone.decode(ids)
        left, right = together.decode(ids), alone.decode(ids)
        spread = float(right.float().std()) or 1.0
        return float((left - right).abs().max()) < 0.05 * spread
    except (RuntimeError, ValueError, TypeError, AttributeError, IndexError, AssertionError):
        return False
