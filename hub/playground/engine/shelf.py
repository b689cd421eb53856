"""Models in memory: loaded when first asked for, the least recently used one makes room."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM, AutoTokenizer

from hub.playground.engine import chat, folders
from hub.playground.engine.folders import Found
from hub.playground.engine.loop import Batch, Loop
from hub.playground.engine.memory import available, resident
from hub.playground.engine.refusal import Refused, broken
from hub.playground.engine.slots import best

SMALL = 64 << 20
"""Models up to this many bytes run in float32: exact, and fast enough."""
SLOTS = 16


@dataclass
class Loaded:
    found: Found
    tokenizer: Any
    ends: frozenset[int]
    context: int
    device: str
    dtype: str
    bytes: int
    route: str
    used: float = field(default_factory=time.monotonic)

    def facts(self) -> dict[str, Any]:
        return {
            "device": self.device, "dtype": self.dtype, "bytes": self.bytes,
            "context": self.context, "route": self.route,
        }  # fmt: skip


class Shelf:
    """Finds, loads and unloads. Loading has a thread of its own, so running streams go on."""

    def __init__(self, places: list[Path], loop: Loop, budget: int | None = None) -> None:
        self._places = places
        self._loop = loop
        self._budget = budget
        self._loader = ThreadPoolExecutor(1, thread_name_prefix="load")
        self._lock = threading.Lock()
        self._loading: dict[str, Future[Loaded]] = {}
        self._before, self._need = 0, 0
        self.loaded: dict[str, Loaded] = {}

    def found(self) -> dict[str, Found]:
        return folders.find(self._places)

    def get(self, name: str) -> Future[Loaded]:
        """The model, now or when it is loaded; a refusal comes out of the future."""
        with self._lock:
            here = self.loaded.get(name)
            if here is not None:
                here.used = time.monotonic()
                done: Future[Loaded] = Future()
                done.set_result(here)
                return done
            if name not in self._loading:
                self._loading[name] = self._loader.submit(self._load, name)
            return self._loading[name]

    def progress(self) -> float:
        """How far the model being loaded is, by the memory it has taken so far."""
        if not self._need:
            return 0.0
        return min(0.99, max(0.0, (self._taken() - self._before) / self._need))

    def _taken(self) -> int:
        return torch.cuda.memory_allocated() if torch.cuda.is_available() else resident()

    def unload(self, name: str, sentence: str = "The model was unloaded. Run it again.") -> bool:
        """Forget a model; its running streams end with the sentence."""
        with self._lock:
            if self.loaded.pop(name, None) is None:
                return False
        done = threading.Event()

        def act() -> None:
            batch = self._loop.batches.pop(name, None)
            if batch is not None:
                batch.fail_all(sentence)
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            done.set()

        self._loop.do(act)
        done.wait(10)
        return True

    def _load(self, name: str) -> Loaded:
        try:
            found = self.found().get(name)
            if found is None:
                raise Refused(f"There is no local model called “{name}”.", 404)
            if found.problem:
                raise Refused(found.problem)
            device, dtype = placement(found)
            self._make_room(found, device, dtype)
            self._before = self._taken()
            self._need = found.bytes * (2 if dtype == torch.float32 else 1)
            loaded, batch = _open(found, device, dtype)
            ready = threading.Event()

            def act() -> None:
                self._loop.batches[name] = batch
                ready.set()

            self._loop.do(act)
            ready.wait(60)
            with self._lock:
                self.loaded[name] = loaded
            return loaded
        finally:
            self._need = 0
            with self._lock:
                self._loading.pop(name, None)

    def _make_room(self, found: Found, device: str, dtype: torch.dtype) -> None:
        """Unload idle models, the longest unused first, until this one fits."""
        need = int(found.bytes * (2 if dtype == torch.float32 else 1) * 1.1) + (128 << 20)
        while (free := self._free(device)) < need:
            idle = [
                (model.used, name)
                for name, model in self.loaded.items()
                if not self._loop.busy(name)
            ]
            if not idle:
                raise broken(
                    f"{found.name} needs about {need / 1e9:.1f} GB and {max(free, 0) / 1e9:.1f} GB "
                    "are free. Stop other runs, or use a smaller model."
                )
            self.unload(min(idle)[1])

    def _free(self, device: str) -> int:
        if self._budget is not None:
            return self._budget - sum(model.bytes for model in self.loaded.values())
        if device.startswith("cuda"):
            return int(torch.cuda.mem_get_info()[0] * 0.9)
        return int(available() * 0.7)


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


def _open(found: Found, device: str, dtype: torch.dtype) -> tuple[Loaded, Batch]:
    try:
        model = _attempt(
            lambda attention: AutoModelForCausalLM.from_pretrained(
                found.folder, local_files_only=True, trust_remote_code=False, use_safetensors=True,
                dtype=dtype, attn_implementation=attention,
            )
        )  # fmt: skip
        tokenizer: Any = AutoTokenizer.from_pretrained(
            found.folder, local_files_only=True, trust_remote_code=False
        )
        model = model.to(device).eval()
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise broken(f"{found.name} does not fit into memory. Use a smaller model.") from error
    except Exception as error:  # whatever a broken folder makes transformers raise
        reason = str(error).strip().splitlines()
        raise Refused(
            f"{found.name} cannot be loaded: {reason[0][:300] if reason else type(error).__name__}"
        ) from error
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if not isinstance(backend, Tokenizer):
        raise Refused(f"{found.name} has no fast tokenizer (tokenizer.json), which is needed here.")
    ends = chat.ends(tokenizer, model.generation_config)
    forward = best(model, SLOTS)
    size = sum(p.numel() * p.element_size() for p in model.parameters())
    context = found.context or 2048
    loaded = Loaded(
        found, tokenizer, ends, context, device, str(dtype).removeprefix("torch."), size,
        type(forward).__name__.lower(),
    )  # fmt: skip
    return loaded, Batch(forward, backend, ends)


def _attempt(load: Callable[[str], Any]) -> Any:
    """`sdpa` where the model has it, else `eager`."""
    try:
        return load("sdpa")
    except (ValueError, ImportError) as error:
        if "scaled_dot_product_attention" not in str(error) and "sdpa" not in str(error):
            raise
        return load("eager")
