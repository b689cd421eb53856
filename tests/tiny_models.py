"""Model folders with random weights, made in a second: the engine's rules hold for any model."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import (
    Gemma2Config,
    Gemma2ForCausalLM,
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    LlamaConfig,
    LlamaForCausalLM,
    MambaConfig,
    MambaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from hub.playground.engine.folders import BUILTIN

# Two busy threads on two busy cores wait for each other more than they compute.
torch.set_num_threads(1)

SIZES: dict[str, Any] = {
    "vocab_size": 2048, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 2048,
    # Far from zero, so that a random model has clear favourites and answers are not all alike.
    "initializer_range": 0.3,
}  # fmt: skip
# A template that, like Gemma's, knows no system role.
NO_SYSTEM = (
    "{%- for m in messages -%}{%- if m.role == 'system' -%}"
    "{{- raise_exception('System role not supported') -}}{%- endif -%}"
    "{{- '<|' + m.role + '|>' + m.content + '<|end|>' -}}{%- endfor -%}{{- '<|assistant|>' -}}"
)


def random_model(kind: str) -> Any:
    """Random weights in the shape of a family; each name is one of `SHAPES`."""
    torch.manual_seed(1)
    made = SHAPES[kind]()
    made.generation_config.eos_token_id = None
    return made.eval()


SHAPES: dict[str, Callable[[], Any]] = {
    "llama": lambda: LlamaForCausalLM(LlamaConfig(**SIZES)),
    # Grouped heads and biases.
    "qwen2": lambda: Qwen2ForCausalLM(Qwen2Config(**SIZES)),
    # Queries and keys have norms of their own, heads are wider than the model.
    "qwen3": lambda: Qwen3ForCausalLM(Qwen3Config(**SIZES, head_dim=32)),
    # A sliding window in every layer.
    "mistral": lambda: MistralForCausalLM(MistralConfig(**SIZES, sliding_window=16)),
    # A window in every other layer, and soft caps on scores and logits.
    "gemma2": lambda: Gemma2ForCausalLM(
        Gemma2Config(**SIZES, head_dim=16, sliding_window=16, attn_implementation="eager")
    ),
    # Windowed layers turn by another rope than the full ones.
    "gemma3": lambda: Gemma3ForCausalLM(
        Gemma3TextConfig(**SIZES, head_dim=16, sliding_window=16,
                         layer_types=["sliding_attention", "full_attention"])
    ),
    # A state space: no attention at all, so it runs stream by stream.
    "mamba": lambda: MambaForCausalLM(
        MambaConfig(vocab_size=2048, hidden_size=32, num_hidden_layers=2, state_size=8,
                    initializer_range=0.3)
    ),
}  # fmt: skip


def save(folder: Path, kind: str = "llama", template: str | None = None) -> Path:
    """A folder any `transformers` program can load, with the built-in model's tokenizer."""
    folder.mkdir(parents=True)
    random_model(kind).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(BUILTIN / name, folder)
    if template is not None:
        path = folder / "tokenizer_config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"chat_template": template}))
    return folder
