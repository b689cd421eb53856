"""How fast the local engine is: `python -m bench.engine [--quick]`.

The same prompts, greedy, all at once, three ways in one run, in turn and several times over (the
median counts): by `generate` one after another, by transformers' continuous batching, and by our
loop. Writes `bench/results/engine.json` and, as one table, `bench/results/engine.md`.

On a CPU, speed is tokens per second of processor time, so that a busy machine does not count; the
time to the first token likewise. On a GPU both are wall time, the models have the shapes of Qwen2.5
1.5B and 7B with random weights, and the ceiling is what the memory's measured bandwidth allows.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer
from transformers import (
    AutoModelForCausalLM,
    ContinuousBatchingConfig,
    GenerationConfig,
    LlamaConfig,
    LlamaForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from hub.playground.engine.ask import Sampling
from hub.playground.engine.batch import Batch
from hub.playground.engine.folders import BUILTIN
from hub.playground.engine.loading import fast_bfloat16
from hub.playground.engine.slots import Slots
from hub.playground.engine.solo import best
from hub.playground.engine.stream import Event, Request

RESULTS = Path(__file__).parent / "results"
GPU = torch.cuda.is_available()
DEVICE = "cuda" if GPU else "cpu"
STREAMS = (1, 8, 64) if GPU else (1, 4, 16)
TOKENS = 256 if GPU else 48
PROMPT = (512, 512) if GPU else (12, 119)
MOST_ALONE = 4
"""Prompts for `generate`: one after another, more of them are not faster."""
WAYS = ("generate, one by one", "transformers' batching", "our loop")
Prompts = list[list[int]]


@dataclass
class Shape:
    name: str
    make: Callable[[], Any]
    dtype: torch.dtype = torch.float32


@dataclass
class Measured:
    speed: float
    first_mean: float
    first_last: float
    tokens: list[list[int]]


@dataclass
class Line:
    """One row of the table: the median of the rounds."""

    model: str
    dtype: str
    streams: int
    way: str
    tokens_per_s: float
    first_token_mean_ms: float
    first_token_last_ms: float
    same_as_generate: str
    share_of_ceiling: str


def clock() -> float:
    """Seconds of this process's work on a CPU; on a GPU, of the wall.

    Tokens that were read are there, so nothing is waited for: while transformers' thread records a
    graph, nobody else may ask the device to finish.
    """
    return time.perf_counter() if GPU else time.process_time()


def shapes() -> list[Shape]:
    half = torch.bfloat16
    if GPU:
        small = Qwen2Config(
            vocab_size=151936, hidden_size=1536, intermediate_size=8960, num_hidden_layers=28,
            num_attention_heads=12, num_key_value_heads=2, tie_word_embeddings=True,
        )  # fmt: skip
        large = Qwen2Config(
            vocab_size=152064, hidden_size=3584, intermediate_size=18944, num_hidden_layers=28,
            num_attention_heads=28, num_key_value_heads=4,
        )  # fmt: skip
        return [
            Shape("1.5B, random", lambda: _random(Qwen2ForCausalLM, small, half), half),
            Shape("7B, random", lambda: _random(Qwen2ForCausalLM, large, half), half),
        ]
    larger = LlamaConfig(
        vocab_size=2048, hidden_size=512, intermediate_size=1408, num_hidden_layers=8,
        num_attention_heads=8, num_key_value_heads=4,
    )  # fmt: skip
    made = [
        Shape("built-in", lambda: AutoModelForCausalLM.from_pretrained(BUILTIN)),
        Shape("28M, random", lambda: _random(LlamaForCausalLM, larger)),
    ]
    if fast_bfloat16():
        made.append(Shape("28M, random", made[1].make, half))
    return made


def _random(kind: Any, config: Any, dtype: torch.dtype = torch.float32) -> Any:
    """Made as wide as it stays: three of 7B in float32 are more than a GPU holds."""
    torch.manual_seed(0)
    with torch.device(DEVICE):
        return kind._from_config(deepcopy(config), dtype=dtype)


def ready(shape: Shape) -> Any:
    model = shape.make().to(DEVICE, shape.dtype).eval()
    model.generation_config.eos_token_id = None
    return model


def prompts(count: int) -> Prompts:
    random = Random(count)
    return [
        [random.randrange(10, 2000) for _ in range(random.randint(*PROMPT))] for _ in range(count)
    ]


def by_generate(model: Any) -> Callable[[Prompts], Measured]:
    def run(asked: Prompts) -> Measured:
        found: list[list[int]] = []
        began = clock()
        model.generate(
            torch.tensor(asked[:1], device=DEVICE), do_sample=False, max_new_tokens=1,
            pad_token_id=5,
        )  # fmt: skip
        first = clock() - began
        began = clock()
        for ids in asked[:MOST_ALONE]:
            given = torch.tensor([ids], device=DEVICE)
            out = model.generate(given, do_sample=False, max_new_tokens=TOKENS, pad_token_id=5)
            found.append(out[0, len(ids) :].tolist())
        took = clock() - began
        each = took / len(found)
        waits = [first + each * place for place in range(len(asked))]
        return Measured(len(found) * TOKENS / took, sum(waits) / len(waits), waits[-1], found)

    return run


def by_transformers(model: Any) -> Callable[[Prompts], Measured]:
    config = GenerationConfig(
        max_new_tokens=TOKENS, do_sample=False, eos_token_id=-1, pad_token_id=5
    )
    room = {} if GPU else {"num_blocks": 64, "max_batch_tokens": 2048}

    def run(asked: Prompts) -> Measured:
        manager = model.init_continuous_batching(config, ContinuousBatchingConfig(**room))
        manager.start()
        manager.add_request(list(range(50, 70)), request_id="warm", max_new_tokens=4)
        _heard(manager)
        began, first, found = clock(), {}, {}
        for index, ids in enumerate(asked):
            manager.add_request(
                ids, request_id=str(index), max_new_tokens=TOKENS, streaming=True
            )  # fmt: skip
        while len(found) < len(asked):
            said = _heard(manager)
            first.setdefault(said.request_id, clock() - began)
            if said.is_finished():
                found[said.request_id] = list(said.generated_tokens)
        took = clock() - began
        manager.stop(block=True)
        model.destroy_cached_continuous_batching_manager()
        waits = list(first.values())
        tokens = [found[str(index)] for index in range(len(asked))]
        return Measured(
            len(asked) * TOKENS / took, sum(waits) / len(waits), max(waits), tokens
        )  # fmt: skip

    return run


def _heard(manager: Any) -> Any:
    """The next word of transformers' thread.

    Raises:
        RuntimeError: it has died, which it tells nobody.
    """
    while (said := manager.get_result(timeout=60)) is None:
        if not manager.is_running():
            raise RuntimeError("transformers' batching ended in the middle; its log says why")
    return said


class Recorder(Batch):
    """Our loop, remembering what it chose, and when it chose the first.

    Not when text came of it: random weights write bytes that are no characters for a while, and
    transformers' batching, beside which this stands, tells tokens too.
    """

    def __init__(self, forward: Any) -> None:
        tokenizer = Tokenizer.from_file(str(BUILTIN / "tokenizer.json"))
        super().__init__(forward, tokenizer, frozenset())
        self.chosen: dict[int, list[int]] = {}
        self.first: list[float] = []

    def _take(self, row: Any, choice: Any) -> str | None:
        end = super()._take(row, choice)
        if id(row.request) not in self.chosen:
            self.first.append(clock())
        self.chosen.setdefault(id(row.request), []).append(choice.token)
        return end


def by_us(model: Any) -> Callable[[Prompts], Measured]:
    forward = best(model, max(STREAMS))
    assert isinstance(forward, Slots)

    def run(asked: Prompts) -> Measured:
        # Nothing may be known from the round before.
        forward._kept.clear()
        batch, began = Recorder(forward), clock()
        requests = [Request(ids, _unheard, TOKENS, Sampling(temperature=0)) for ids in asked]
        for one in requests:
            batch.add(one)
        while batch.busy:
            batch.tick()
        took = clock() - began
        waits = [moment - began for moment in batch.first]
        return Measured(
            len(asked) * TOKENS / took, sum(waits) / len(waits), max(waits),
            [batch.chosen[id(one)] for one in requests],
        )  # fmt: skip

    return run


def _unheard(event: Event) -> None:
    """Nobody listens."""


def bandwidth() -> float:
    """Bytes a second that this device reads and writes when it only copies."""
    source = torch.empty((4 << 30) if GPU else (256 << 20), dtype=torch.uint8, device=DEVICE)
    target = torch.empty_like(source)
    fastest = 0.0
    for _ in range(5):
        began = clock()
        target.copy_(source)
        if GPU:
            torch.cuda.synchronize()
        fastest = max(fastest, 2 * source.numel() / (clock() - began))
    return fastest


def ceiling(model: Any, streams: int, copied: float) -> float:
    """Tokens a second if each step only read the weights and what the streams have read."""
    config = model.config
    weights = sum(p.numel() * p.element_size() for p in model.parameters())
    size = config.hidden_size // config.num_attention_heads * config.num_key_value_heads
    kept = 2 * config.num_hidden_layers * size * model.dtype.itemsize
    context = sum(PROMPT) / 2 + TOKENS / 2
    return streams * copied / (weights + streams * context * kept)


def compare(shape: Shape, rounds: int, copied: float) -> list[Line]:
    makers = (by_generate, by_transformers, by_us)
    models = [ready(shape) for _ in makers]
    ways = [make(model) for make, model in zip(makers, models, strict=True)]
    lines: list[Line] = []
    for streams in STREAMS:
        asked = prompts(streams)
        seen: list[list[Measured]] = [[] for _ in ways]
        for _ in range(rounds + 1):
            for rows, run in zip(seen, ways, strict=True):
                rows.append(run(asked))
        right = seen[0][0].tokens
        most = ceiling(models[0], streams, copied)
        for way, rows in zip(WAYS, seen, strict=True):
            rows = rows[1:]  # the first round warms up
            speed = median(row.speed for row in rows)
            same = sum(a == b for a, b in zip(rows[-1].tokens, right, strict=False))
            lines.append(
                Line(
                    shape.name, str(shape.dtype).removeprefix("torch."), streams, way,
                    round(speed, 1), round(median(row.first_mean for row in rows) * 1000, 1),
                    round(median(row.first_last for row in rows) * 1000, 1),
                    f"{same} of {len(right)}", f"{speed / most:.0%}",
                )
            )  # fmt: skip
    del models, ways
    gc.collect()
    return lines


def machine() -> dict[str, Any]:
    name = torch.cuda.get_device_name() if GPU else platform.processor() or platform.machine()
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "device": name,
        "cores": os.cpu_count(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "time": "wall" if GPU else "processor time of one thread",
        "load": round(os.getloadavg()[0], 1),
        "tokens": TOKENS,
        "prompt_tokens": PROMPT,
    }


def table(facts: dict[str, Any], lines: list[Line]) -> str:
    titles = (
        "model", "numbers", "streams", "way", "tok/s", "first token, mean ms", "last ms",
        "same tokens as generate", "of the bandwidth's ceiling",
    )  # fmt: skip
    rows = ["| " + " | ".join(titles) + " |", "|" + "---|" * len(titles)]
    rows += [
        "| " + " | ".join(str(value) for value in asdict(one).values()) + " |" for one in lines
    ]
    told = "; ".join(f"{name}: {value}" for name, value in facts.items())
    return f"# The local engine\n\n{told}\n\n" + "\n".join(rows) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round, nothing written")
    quick: bool = parser.parse_args().quick
    torch.set_num_threads(1)
    lines: list[Line] = []
    with torch.inference_mode():
        copied = bandwidth()
        for shape in shapes():
            lines += compare(shape, 1 if quick else 5, copied)
    facts = {**machine(), "copied_gb_per_s": round(copied / 1e9, 1)}
    text = table(facts, lines)
    print(text)
    if not quick:
        data = {**facts, "lines": [asdict(one) for one in lines]}
        RESULTS.joinpath("engine.json").write_text(json.dumps(data, indent=1) + "\n")
        RESULTS.joinpath("engine.md").write_text(text)


if __name__ == "__main__":
    main()
