"""Streams of the engine's loop for tests: real forwards, and what the model itself would say."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from random import Random
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM

from hub.playground.engine.ask import Sampling
from hub.playground.engine.batch import Batch
from hub.playground.engine.folders import BUILTIN
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
