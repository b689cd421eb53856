"""Streams one after another, for any family; and whether a model can do without that.

`Slots` needs attention in every layer that goes through transformers' attention interface. Other
families (state spaces, attention in chunks) run through `Solo`; `best` compares both on the model
itself.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import DynamicCache, DynamicLayer, DynamicSlidingWindowLayer

from hub.playground.engine.attention import NAME
from hub.playground.engine.refusal import Refused
from hub.playground.engine.slots import Forward, Slots, Work


class Solo:
    """Each stream has the model's own cache and its own forward pass; right for any family."""

    def __init__(self, model: Any, limit: int, *, whole: bool = False) -> None:
        self._model = model
        self.limit = limit
        names = inspect.signature(model.forward).parameters
        self._last: dict[str, int] = {"logits_to_keep": 1} if "logits_to_keep" in names else {}
        self._named = "cache_params" if "cache_params" in names else "past_key_values"
        self._caches: dict[int, DynamicCache] = {}
        self.whole = whole

    def room(self) -> int:
        return self.limit - len(self._caches)

    def holds(self, tokens: int) -> bool | None:
        return True

    def take(self, ids: Sequence[int], tokens: int, *, fresh: bool = False) -> tuple[int, int]:
        slot = next(n for n in range(len(self._caches) + 1) if n not in self._caches)
        self._caches[slot] = DynamicCache(config=self._model.config)
        return slot, 0

    def step(self, work: Sequence[Work], *, alone: bool = False) -> Tensor:
        return torch.stack([self._run(self._caches[slot], ids) for slot, ids in work])

    def _run(self, cache: DynamicCache, ids: Sequence[int]) -> Tensor:
        given = torch.tensor([list(ids)], device=self._model.device)
        held: dict[str, Any] = {self._named: cache}
        out = self._model(input_ids=given, use_cache=True, **held, **self._last)
        return out.logits[0, -1]

    def drop(self, slot: int, *, spoiled: bool = False) -> None:
        del self._caches[slot]

    def shrink(self) -> None:
        self.limit = max(1, self.limit // 2)


@torch.inference_mode()
def best(model: Any, limit: int, memory: int | None = None) -> Forward:
    """`Slots` when it gives the model's own answers, else `Solo`.

    Raises:
        Refused: not even one stream after another comes out right.
    """
    wanted = _reference(model)
    if bool(wanted.isnan().any()):
        number = str(model.dtype).removeprefix("torch.")
        raise Refused(
            f"Its weights give no numbers. They are damaged, or not made for {number}: copy its "
            "folder here once more."
        )
    if _plain(model.config) and (slots := _slots(model, limit, memory, wanted)) is not None:
        return slots
    for whole in (False, True):
        if _agrees(Solo(model, 2, whole=whole), wanted):
            return Solo(model, limit, whole=whole)
    raise Refused(
        f"Models of the family {model.config.model_type} do not give right answers here yet. "
        "Serve it with vLLM, and connect that."
    )


def _slots(model: Any, limit: int, memory: int | None, wanted: Tensor) -> Slots | None:
    own = model.config._attn_implementation
    try:
        model.set_attn_implementation(NAME)
        slots = Slots(model, limit, memory)
        if _agrees(slots, wanted) and _windows_seen(slots):
            return slots
    except (ValueError, TypeError, AttributeError):
        pass
    model.set_attn_implementation(own)
    return None


def _agrees(forward: Forward, wanted: Tensor) -> bool:
    try:
        found = _answers(forward, wanted.shape[-1])
    except (RuntimeError, ValueError, TypeError, AttributeError, IndexError, NotImplementedError):
        return False
    spread = float(wanted.float().std()) or 1.0
    return float((found - wanted).abs().max()) < 0.05 * spread


def _plain(config: Any) -> bool:
    """Whether each token looks at all before it, or a window of them, and its place is its own."""
    layers = DynamicCache(config=config).layers
    kinds = set(getattr(config, "layer_types", None) or ())
    rope: dict[str, Any] = getattr(config, "rope_parameters", None) or {}
    named = {str(one.get("rope_type")) for one in (rope, *rope.values()) if isinstance(one, dict)}
    return (
        all(type(layer) in (DynamicLayer, DynamicSlidingWindowLayer) for layer in layers)
        and kinds <= {"full_attention", "sliding_attention"}
        and not named & {"dynamic", "longrope"}
    )


def _windows_seen(slots: Slots) -> bool:
    """A window is longer than the prompts tried; that the layers asked for it must do."""
    layers = DynamicCache(config=slots.model.config).layers
    seen = slots.step_was.windows if slots.step_was is not None else {}
    return all(
        seen.get(index) is not None
        for index, layer in enumerate(layers)
        if isinstance(layer, DynamicSlidingWindowLayer)
    )


def _tokens(vocabulary: int) -> list[int]:
    return [5 % vocabulary, 7 % vocabulary, 11 % vocabulary]


def _reference(model: Any) -> Tensor:
    """The two prompts of `_answers` to their end, each in one pass and without a cache."""
    ids = _tokens(model.config.get_text_config().vocab_size)
    prompts = [[*ids * 3, *ids[:1]], ids * 3]
    given = [torch.tensor([one], device=model.device) for one in prompts]
    return torch.stack([model(input_ids=one, use_cache=False).logits[0, -1] for one in given])


def _answers(forward: Forward, vocabulary: int) -> Tensor:
    """Two prompts of unlike length, one read in pieces while the other writes."""
    ids = _tokens(vocabulary)
    first, _ = forward.take(ids * 2, 16, fresh=True)
    second, _ = forward.take(ids * 3, 16, fresh=True)
    forward.step([(first, ids * 2)])
    if forward.whole:
        forward.step([(first, ids[:1]), (second, ids * 3)])
        forward.step([(first, ids[1:2])])
    else:
        forward.step([(first, ids[:1]), (second, ids * 2)])
        forward.step([(first, ids[1:2]), (second, ids)])
    logits = forward.step([(second, ids[:1]), (first, ids[2:])])
    forward.drop(first)
    forward.drop(second)
    return logits
