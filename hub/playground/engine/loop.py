"""The decode loop: one thread, every model's streams once a tick, nothing a request does ends it.

A request gets `queued` events while it waits, `delta` events, and always exactly one last: `done`,
`failed` or `cancelled`.
"""

from __future__ import annotations

import os
import queue
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any

import torch

from hub.playground.engine.batch import Batch, Fatal
from hub.playground.engine.stream import Event, Request

UNLOADED = "The model was unloaded meanwhile. Run it again."
BROKEN_DEVICE = "The GPU reported a fault, and the engine is started again. Run it again."
FAULT = "The engine failed: {}. Run it again."


class Loop:
    """The thread, and its inbox."""

    def __init__(self) -> None:
        self._inbox: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self.batches: dict[str, Batch] = {}
        self._working_since: float | None = None
        self._thread = threading.Thread(target=self._run, name="decode", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def do(self, action: Callable[[], None]) -> None:
        """Have the loop's own thread do something between two ticks."""
        self._inbox.put(action)

    def add(self, model: str, *requests: Request) -> None:
        """All of them or none get into the batch before its next tick."""

        def act() -> None:
            batch = self.batches.get(model)
            for request in requests:
                if batch is None:
                    request.emit(Event("failed", UNLOADED, prompt_tokens=len(request.ids)))
                else:
                    batch.add(request)
            if batch is not None and batch.forward.room() <= 0:
                batch.tell_places()

        self.do(act)

    def cancel(self, model: str, request: Request) -> None:
        def act() -> None:
            batch = self.batches.get(model)
            if batch is not None:
                batch.cancel(request)

        self.do(act)

    def facts(self) -> dict[str, Any]:
        return {
            name: {"running": len(batch.rows), "waiting": len(batch.waiting)}
            for name, batch in tuple(self.batches.items())
        }

    def stuck(self) -> float:
        """Seconds that the present tick has lasted; 0 between ticks."""
        since = self._working_since
        return 0.0 if since is None else time.monotonic() - since

    def _run(self) -> None:
        with torch.inference_mode():
            while True:
                self._drain(wait=not any(batch.busy for batch in self.batches.values()))
                self._working_since = time.monotonic()
                for batch in tuple(self.batches.values()):
                    if batch.busy:
                        self._tick(batch)
                self._working_since = None

    def _tick(self, batch: Batch) -> None:
        try:
            batch.tick()
        except Fatal:
            for one in self.batches.values():
                one.fail_all(BROKEN_DEVICE)
            traceback.print_exc()
            # The events above go out on the server's thread; the parent starts the next child.
            threading.Timer(0.5, os._exit, (5,)).start()
            time.sleep(5)
        except Exception as error:  # a fault of ours: say so, and go on
            traceback.print_exc()
            batch.fail_all(FAULT.format(f"{type(error).__name__}: {str(error)[:200]}"))

    def _drain(self, wait: bool) -> None:
        if wait:
            _perform(self._inbox.get())
        while True:
            try:
                action = self._inbox.get_nowait()
            except queue.Empty:
                return
            _perform(action)


def _perform(action: Callable[[], None]) -> None:
    try:
        action()
    except Exception:  # a fault of ours; the parent keeps the last lines of stderr
        traceback.print_exc()
