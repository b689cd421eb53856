"""Model folders with random weights, made in a second: the engine's rules hold for any model."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from hub.playground.engine.folders import BUILTIN

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
    """`llama`, `qwen2` (grouped heads, biases) or `mistral` (a sliding window)."""
    torch.manual_seed(1)
    made = {
        "llama": lambda: LlamaForCausalLM(LlamaConfig(**SIZES)),
        "qwen2": lambda: Qwen2ForCausalLM(Qwen2Config(**SIZES)),
        "mistral": lambda: MistralForCausalLM(MistralConfig(**SIZES, sliding_window=16)),
    }[kind]()
    made.generation_config.eos_token_id = None
    return made.eval()


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
