"""Models in memory: loaded when first asked for, the least recently used one makes room.

Who runs a model holds a lease on it. When two models do not fit together, the second waits until
the first has no lease left; who asks for the first one meanwhile waits for its next turn.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from hub.playground.engine import folders
from hub.playground.engine.folders import Found
from hub.playground.engine.loading import Loaded, forget, free, open_model, placement, taken
from hub.playground.engine.loop import Loop
from hub.playground.engine.refusal import Refused, broken

SPARE = 128 << 20


class Lease:
    """A claim on a model from the moment it is asked for until it is given back."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.model: Future[Loaded] = Future()
        self.held = False


class Shelf:
    """Finds, loads and unloads. Loading has a thread of its own, so running streams go on."""

    def __init__(self, places: list[Path], loop: Loop, budget: int | None = None) -> None:
        self._places = places
        self._loop = loop
        self._budget = budget
        self._loader = ThreadPoolExecutor(1, thread_name_prefix="load")
        self._lock = threading.Lock()
        self._waiting: dict[str, list[Lease]] = {}
        self._held: Counter[str] = Counter()
        self._leaving: set[str] = set()
        self._loading, self._before, self._need = "", 0, 0
        self._why = ""
        self.loaded: dict[str, Loaded] = {}

    def found(self) -> dict[str, Found]:
        return folders.find(self._places)

    def lease(self, name: str) -> Lease:
        """The model, now or when it is loaded; a refusal comes out of the lease's future."""
        lease = Lease(name)
        with self._lock:
            here = self.loaded.get(name)
            if here is not None and name not in self._leaving:
                self._hand_out(lease, here)
            elif name in self._waiting:
                self._waiting[name].append(lease)
            else:
                self._waiting[name] = [lease]
                self._loader.submit(self._serve, name)
        return lease

    def give_back(self, lease: Lease) -> None:
        with self._lock:
            if lease.held:
                lease.held = False
                self._held[lease.name] -= 1
            else:
                with suppress(ValueError):
                    self._waiting.get(lease.name, []).remove(lease)

    def progress(self, name: str) -> tuple[float, str]:
        """How far the model is, by the memory it has taken so far; and what it waits for."""
        need = self._need  # the loader's thread may be through with it at any moment
        if self._loading != name or not need:
            return 0.0, self._why if self._loading in (name, "") else ""
        return min(0.99, max(0.0, (taken() - self._before) / need)), ""

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
            done.set()

        self._loop.do(act)
        done.wait(10)
        forget()
        return True

    def _hand_out(self, lease: Lease, model: Loaded) -> None:
        model.used = time.monotonic()
        lease.held = True
        self._held[lease.name] += 1
        lease.model.set_result(model)

    def _serve(self, name: str) -> None:
        """On the loader's thread: load, and hand out what was asked for meanwhile."""
        error: BaseException | None = None
        try:
            if name not in self.loaded:
                self._load(name)
        except BaseException as caught:
            error = caught
        with self._lock:
            self._loading, self._need, self._why = "", 0, ""
            self._leaving.clear()
            model = self.loaded.get(name)
            for lease in self._waiting.pop(name, []):
                if model is not None:
                    self._hand_out(lease, model)
                else:
                    lease.model.set_exception(error or broken("The model was unloaded meanwhile."))

    def _load(self, name: str) -> None:
        found = self.found().get(name)
        if found is None:
            raise Refused(f"There is no local model called “{name}”.", 404)
        if found.problem:
            raise Refused(found.problem)
        self._loading = name
        device, dtype = placement(found)
        factor = 2 if dtype == torch.float32 else 1
        self._make_room(found, device, int(found.bytes * factor * 1.1) + SPARE)
        self._before, self._need = taken(), found.bytes * factor
        loaded, batch = open_model(found, device, dtype, self._free)
        ready = threading.Event()

        def act() -> None:
            self._loop.batches[name] = batch
            ready.set()

        self._loop.do(act)
        ready.wait(60)
        with self._lock:
            self.loaded[name] = loaded

    def _make_room(self, found: Found, device: str, need: int) -> None:
        """Unload idle models, the longest unused first, until this one fits; wait for busy ones."""
        while (left := self._free(device)) < need:
            with self._lock:
                by_use = sorted(self.loaded.values(), key=lambda one: one.used)
                idle = next((one for one in by_use if not self._held[one.found.name]), None)
                held = sum(one.bytes for one in by_use)
                self._leaving = {one.found.name for one in by_use}
            if idle is not None:
                self.unload(idle.found.name)
            elif not by_use or left + held < need:
                helps = "Stop other programs" if self._budget is None else "Raise the limit"
                raise Refused(
                    f"{found.name} needs about {need / 1e9:.1f} GB and {max(left, 0) / 1e9:.1f} GB "
                    f"are free. {helps}, or use a smaller model.",
                    507, "engine_error",
                )  # fmt: skip
            else:
                names = " and ".join(one.found.name for one in by_use)
                self._why = (
                    f"{found.name} and {names} do not fit into memory together, so they run one "
                    "after another."
                )
                time.sleep(0.05)
        with self._lock:
            self._leaving.clear()

    def _free(self, device: str) -> int:
        if self._budget is not None:
            return self._budget - sum(model.bytes for model in self.loaded.values())
        return free(device)

    def facts(self) -> dict[str, Any]:
        return {name: model.facts() for name, model in tuple(self.loaded.items())}
