"""What no hub under test does by the clock, so that nothing fails because a machine is busy."""

from __future__ import annotations

import httpx

from hub.playground import render
from hub.playground.engine import child, process
from hub.sync.webhooks import sending

SECONDS = 60


def be_patient() -> None:
    """For this process, and those that are forked off it. A test of patience sets its own."""
    render.DEADLINE = sending.PATIENCE = SECONDS
    process.START_SECONDS = 200
    # Beside tests that take every core, an engine that steps back does not come to its answer.
    child.KINDLY = 0
    for step in ("connect", "read", "write", "pool"):
        setattr(httpx._config.DEFAULT_TIMEOUT_CONFIG, step, SECONDS)
