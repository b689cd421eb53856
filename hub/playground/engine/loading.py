"""A model folder to a model in memory: safetensors only, never program code of its own."""

from __future__ import annotations

import gc
import hashlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM, AutoTokenizer

from hub.playground.engine import chat
from hub.playground.engine.batch import Batch
from hub.playground.engine.folders import Found
from hub.playground.engine.grammar import Guide
from hub.playground.engine.graphs import ONE_AT_A_TIME
from hub.playground.engine.memory import available, resident
from hub.playground.engine.refusal import Refused, broken
from hub.playground.engine.solo import best

SMALL = 64 << 20
"""Models up to this many bytes run in float32: exact, and fast enough."""
SLOTS = {"cpu": 16, "cuda": 64}
LEAST = 64 << 20
"""Bytes for what streams have read, however little is free."""
_TORN = "The weights of {} are damaged or not all there: {}. Copy its folder here once more."
SUGGESTED = ("temperature", "top_p", "top_k", "repetition_penalty")


@dataclass
class Loaded:
    found: Found
    tokenizer: Any
    backend: Tokenizer
    ends: frozenset[int]
    context: int
    vocabulary: int
    device: str
    dtype: str
    bytes: int
    route: str
    fingerprint: str
    quantised: str = ""
    suggested: dict[str, float] = field(default_factory=dict[str, float])
    """What the model's makers sample with. Shown, never applied behind anybody's back."""
    used: float = field(default_factory=time.monotonic)
    _guide: Guide | None = None
    _making: threading.Lock = field(default_factory=threading.Lock)

    def guide(self) -> Guide:
        """Made when first needed: it reads the whole vocabulary, which may take a second."""
        with self._making:
            if self._guide is None:
                self._guide = Guide(self.backend, self.vocabulary, self.ends)
            return self._guide

    def facts(self) -> dict[str, Any]:
        return {
            "device": self.device, "dtype": self.dtype, "bytes": self.bytes,
            "context": self.context, "route": self.route, "fingerprint": self.fingerprint,
            "quantised": self.quantised, "suggested": self.suggested,
        }  # fmt: skip


def placement(found: Found) -> tuple[str, torch.dtype]:
    """The GPU in bfloat16 if there is one; else bfloat16 only on CPUs that are fast at it."""
    if torch.cuda.is_available():
        modern = torch.cuda.get_device_capability()[0] >= 8
        return "cuda", torch.bfloat16 if modern else torch.float16
    if found.bytes > SMALL and fast_bfloat16():
        return "cpu", torch.bfloat16
    return "cpu", torch.float32


def fast_bfloat16() -> bool:
    """Plain AVX2 computes bfloat16 some twenty times slower than float32."""
    try:
        flags = Path("/proc/cpuinfo").read_text()
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


def free(device: str) -> int:
    """Bytes that models may take: most of what is free, less what everything else may need."""
    there = torch.cuda.mem_get_info()[0] if device.startswith("cuda") else available()
    return int(there * 0.9) - min(1_500_000_000, there // 5)


def taken() -> int:
    """Bytes, by which progress is told: weights for a GPU are read into memory first."""
    return resident() + (torch.cuda.memory_allocated() if torch.cuda.is_available() else 0)


def forget() -> None:
    """Give memory back that models left behind."""
    gc.collect()
    if torch.cuda.is_available():
        with ONE_AT_A_TIME:  # not while another model's step is recorded: that waits for the device
            torch.cuda.empty_cache()


def open_model(
    found: Found, device: str, dtype: torch.dtype, left: Callable[[str], int]
) -> tuple[Loaded, Batch]:
    before = left(device)
    model, tokenizer = _read(found, device, dtype)
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if not isinstance(backend, Tokenizer):
        raise Refused(f"{found.name} has no fast tokenizer (tokenizer.json), which is needed here.")
    suggested = _suggested(model.generation_config)
    size = sum(p.numel() * p.element_size() for p in model.parameters())
    forward = best(model, SLOTS[device], max(LEAST, (before - size) // 2))
    quantised: dict[str, Any] = getattr(model.config, "quantization_config", None) or {}
    ends = chat.ends(tokenizer, model.generation_config)
    loaded = Loaded(
        found, tokenizer, backend, ends, found.context or 2048,
        model.config.get_text_config().vocab_size, device,
        str(dtype).removeprefix("torch."), size, type(forward).__name__.lower(),
        fingerprint(found.folder), str(dict(quantised).get("quant_method", "")), suggested,
    )  # fmt: skip
    return loaded, Batch(forward, backend, ends)


def fingerprint(folder: Path) -> str:
    """Which weights these are: the shape of every file and its first and last megabyte.

    Reading all of a large model would take as long as loading it once more.
    """
    digest = hashlib.sha256()
    for path in sorted([*folder.glob("*.safetensors"), folder / "config.json"]):
        size = path.stat().st_size
        digest.update(f"{path.name} {size}\n".encode())
        with path.open("rb") as file:
            digest.update(file.read(1 << 20))
            file.seek(max(0, size - (1 << 20)))
            digest.update(file.read())
    return digest.hexdigest()[:16]


def _suggested(given: Any) -> dict[str, float]:
    found = {name: getattr(given, name, None) for name in SUGGESTED}
    return {name: value for name, value in found.items() if isinstance(value, int | float)}


def _read(found: Found, device: str, dtype: torch.dtype) -> tuple[Any, Any]:
    try:
        model, told = _attempt(
            lambda attention: AutoModelForCausalLM.from_pretrained(
                found.folder, local_files_only=True, trust_remote_code=False, use_safetensors=True,
                dtype=dtype, attn_implementation=attention, output_loading_info=True,
            )
        )  # fmt: skip
        if lacking := sorted(told["missing_keys"]):
            # Transformers makes them up, at random, and says so in its log alone.
            raise Refused(_TORN.format(found.name, f"{lacking[0]} is missing"))
        tokenizer: Any = AutoTokenizer.from_pretrained(
            found.folder, local_files_only=True, trust_remote_code=False
        )
        return model.to(device).eval(), tokenizer
    except (torch.OutOfMemoryError, MemoryError) as error:
        forget()
        raise broken(f"{found.name} does not fit into memory. Use a smaller model.") from error
    except Refused:
        raise
    except SafetensorError as error:
        raise Refused(_TORN.format(found.name, str(error))) from error
    except Exception as error:  # whatever a broken folder makes transformers raise
        reason = str(error).strip().splitlines()
        raise Refused(
            f"{found.name} cannot be loaded: {reason[0][:300] if reason else type(error).__name__}"
        ) from error


def _attempt(load: Callable[[str], Any]) -> Any:
    """`sdpa` where the model has it, else `eager`."""
    try:
        return load("sdpa")
    except (ValueError, ImportError) as error:
        if "scaled_dot_product_attention" not in str(error) and "sdpa" not in str(error):
            raise
        return load("eager")
