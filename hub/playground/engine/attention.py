"""Attention of many streams in one forward pass, each over its own slot of one big tensor.

Registered with transformers under `NAME`: the model's linear layers see all tokens of a step as one
sequence, and only here do the streams part. Keys and values come in as the whole storage,
`[slots, tokens, heads, size]`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import sdpa_mask

NAME = "prompthub_slots"
UNKNOWN = ("s_aux", "position_bias")
"""Arguments of other families; a model that gives one is run stream by stream."""


NO_MASK = torch.ones(1, 1, 1, 1, dtype=torch.bool)
"""Given with every step: a mask of four dimensions is taken as it is, and ours is the step's."""


class Piece(NamedTuple):
    """Some tokens of one prompt: where they lie in the step, and what they stand behind."""

    slot: int
    start: int
    offset: int
    tokens: int


@dataclass
class Step:
    """The layout of one forward pass: first a token for each writing slot, then pieces."""

    first: int
    """The lowest writing slot; `at` begins there."""
    at: Tensor
    """Position of the new token of each slot from `first` on; 0 where nobody writes."""
    writing: Tensor | None
    """Which of them write, counted from `first`; None when all do."""
    singles: int
    width: int
    pieces: Sequence[Piece]
    windows: dict[int, int | None] = field(default_factory=dict[int, int | None])
    """The sliding window that each layer asked for, so that `best` can see that it did."""
    flash: Any = None
    _masks: dict[int | None, Tensor] = field(default_factory=dict[int | None, Tensor])

    def mask(self, window: int | None) -> Tensor:
        """What the writing slots see: `[slots, 1, 1, width]`."""
        if window not in self._masks:
            there = torch.arange(self.width, device=self.at.device)[None]
            seen = there <= self.at[:, None]
            if window is not None:
                seen &= there > self.at[:, None] - window
            self._masks[window] = seen[:, None, None]
        return self._masks[window]


def attend(
    module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None,
    scaling: float | None = None, sliding_window: int | None = None,
    softcap: float | None = None, step: Step | None = None, **more: Any,
) -> tuple[Tensor, None]:  # fmt: skip
    """As transformers calls it: `query` is `[1, heads, tokens, size]`."""
    if any(more.get(name) is not None for name in UNKNOWN):
        raise NotImplementedError("this model's attention is not one that slots know")
    if step is None:
        return _usual(query, key, value, attention_mask, scaling, softcap), None
    step.windows[module.layer_idx] = sliding_window
    parts: list[Tensor] = []
    if step.singles:
        parts.append(_write(step, query, key, value, scaling, sliding_window, softcap))
    for piece in step.pieces:
        parts.append(_read(piece, query, key, value, scaling, sliding_window, softcap))
    return (parts[0] if len(parts) == 1 else torch.cat(parts))[None], None


def _write(
    step: Step, query: Tensor, key: Tensor, value: Tensor, scaling: float | None,
    window: int | None, softcap: float | None,
) -> Tensor:  # fmt: skip
    """One new token per slot. Heads that share keys become queries of one head: nothing is
    copied."""
    heads, kept = query.shape[1], key.shape[2]
    asked = query[0, :, : step.singles].transpose(0, 1)
    if step.flash is not None and softcap is None:
        return step.flash(asked, key, value, scaling, window)
    asked = asked.reshape(step.singles, kept, heads // kept, -1)
    if step.writing is not None:
        spread = asked.new_zeros((len(step.at), *asked.shape[1:]))
        spread[step.writing] = asked
        asked = spread
    here = slice(step.first, step.first + len(step.at))
    keys = key[here, : step.width].transpose(1, 2)
    values = value[here, : step.width].transpose(1, 2)
    found = _core(asked, keys, values, step.mask(window), scaling, softcap)
    if step.writing is not None:
        found = found[step.writing]
    return found.reshape(step.singles, heads, -1)


def _read(
    piece: Piece, query: Tensor, key: Tensor, value: Tensor, scaling: float | None,
    window: int | None, softcap: float | None,
) -> Tensor:  # fmt: skip
    """A piece of a prompt over everything before it."""
    end = piece.start + piece.tokens
    asked = query[:, :, piece.offset : piece.offset + piece.tokens]
    keys = key[piece.slot : piece.slot + 1, :end].transpose(1, 2)
    values = value[piece.slot : piece.slot + 1, :end].transpose(1, 2)
    if softcap is None and piece.start == 0 and (window is None or window >= end):
        found = scaled_dot_product_attention(
            asked, keys, values, is_causal=True, scale=scaling, enable_gqa=True
        )
    else:
        there = torch.arange(end, device=query.device)[None]
        here = there[:, piece.start :].transpose(0, 1)
        seen = there <= here
        if window is not None:
            seen &= there > here - window
        groups = query.shape[1] // key.shape[2]
        keys, values = _repeated(keys, groups), _repeated(values, groups)
        found = _core(asked, keys, values, seen[None, None], scaling, softcap)
    return found[0].transpose(0, 1)


def _usual(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, scaling: float | None,
    softcap: float | None,
) -> Tensor:  # fmt: skip
    """Without slots, for whoever uses the model as any other."""
    groups = query.shape[1] // key.shape[1]
    if mask is None:
        before = key.shape[2] - query.shape[2]
        whole = torch.ones(query.shape[2], key.shape[2], dtype=torch.bool, device=key.device)
        mask = whole.tril(before)[None, None]
    key, value = _repeated(key, groups), _repeated(value, groups)
    return _core(query, key, value, mask, scaling, softcap).transpose(1, 2)


def _repeated(kept: Tensor, groups: int) -> Tensor:
    return kept if groups == 1 else kept.repeat_interleave(groups, dim=1)


def _core(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor, scaling: float | None,
    softcap: float | None,
) -> Tensor:  # fmt: skip
    if softcap is None:
        return scaled_dot_product_attention(query, key, value, attn_mask=mask, scale=scaling)
    scores = query @ key.transpose(-1, -2) * (scaling or query.shape[-1] ** -0.5)
    scores = torch.tanh(scores / softcap) * softcap
    scores = scores.masked_fill(~mask, float("-inf")).float().softmax(-1)
    return scores.to(value.dtype) @ value


AttentionInterface.register(NAME, attend)
AttentionMaskInterface.register(NAME, sdpa_mask)
