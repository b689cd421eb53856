"""How fast the local engine is: `python -m bench.engine`.

The same streams through `generate`, one after another, and through our loop, alone and together;
with the built-in model and with a random one of 28 million parameters. Ratios are of one run, so a
busy machine cancels out.
"""

from __future__ import annotations

import json
import time
from typing import Any

import torch
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

from hub.playground.engine.folders import BUILTIN
from hub.playground.engine.loop import Batch, Request
from hub.playground.engine.sampling import Sampling
from hub.playground.engine.slots import best

TOKENS = 48
STREAMS = 16


def models() -> dict[str, Any]:
    torch.manual_seed(0)
    larger = LlamaConfig(
        vocab_size=2048, hidden_size=512, intermediate_size=1408, num_hidden_layers=8,
        num_attention_heads=8, num_key_value_heads=4,
    )  # fmt: skip
    builtin = AutoModelForCausalLM.from_pretrained(BUILTIN, dtype=torch.float32)
    return {"built-in": builtin.eval(), "28M": LlamaForCausalLM(larger).eval()}


def measure(model: Any) -> dict[str, float]:
    model.generation_config.eos_token_id = None
    prompts = [list(range(20, 40 + 5 * n)) for n in range(STREAMS)]
    tokenizer = Tokenizer.from_file(str(BUILTIN / "tokenizer.json"))
    began = time.perf_counter()
    for ids in prompts:
        model.generate(torch.tensor([ids]), do_sample=False, max_new_tokens=TOKENS, pad_token_id=5)
    generate = STREAMS * TOKENS / (time.perf_counter() - began)
    figures = {"generate tok/s": generate}
    for together in (1, STREAMS):
        batch = Batch(best(model, together), tokenizer, frozenset())
        began = time.perf_counter()
        for ids in prompts:
            batch.add(Request(ids, lambda event: None, TOKENS, Sampling(temperature=0)))
        while batch.rows or batch.waiting:
            batch.tick()
        speed = STREAMS * TOKENS / (time.perf_counter() - began)
        figures[f"loop tok/s, {together} at once"] = speed
        figures[f"ratio to generate, {together} at once"] = speed / generate
    return {name: round(value, 2) for name, value in figures.items()}


def main() -> None:
    torch.set_num_threads(1)
    with torch.inference_mode():
        print(json.dumps({name: measure(model) for name, model in models().items()}, indent=1))


if __name__ == "__main__":
    main()
