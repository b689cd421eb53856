"""What the engine's child is started with, and how it stands. No torch, no process."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import hub

KINDLY = 10
"""How much the hub's engine steps back, as `nice` counts: pages come before answers, where there
are too few cores for both."""


@dataclass(frozen=True)
class State:
    name: Literal["off", "starting", "ready", "restarting", "failed"]
    sentence: str


OFF = State("off", "The local engine starts when a model is first run.")
STARTING = State("starting", "The local engine is starting.")
READY = State("ready", "The local engine is running.")
AGAIN = State("restarting", "The local engine stopped unexpectedly and is being started again.")


@dataclass(frozen=True)
class Listen:
    """Where other machines reach the engine, and the key they have to show."""

    host: str
    port: int
    token: str

    @property
    def url(self) -> str:
        """From this machine; an address that means all of them is reached over loopback."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(self.host, self.host)  # noqa: S104
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"


def command(
    models: Sequence[Path], *, threads: int, budget: int | None, path: str, listen: Listen | None,
) -> list[str]:  # fmt: skip
    """One that listens for other machines is a service of its own and steps back for nobody."""
    line = [sys.executable, "-m", "hub.playground.engine", "--threads", str(threads)]
    if listen is not None:
        line += ["--host", listen.host, "--port", str(listen.port)]
    else:
        line += ["--socket", path, "--nice", str(KINDLY)]
    line += ["--budget", str(budget)] if budget is not None else []
    return line + (["--models", *map(str, models)] if models else [])


def environment(folder: Path, threads: int) -> dict[str, str]:
    """All that the child knows of its surroundings, but for what the operator's GPUs need."""
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(Path(hub.__file__).parent.parent),
        "PYTHONUNBUFFERED": "1",
        "HF_HOME": str(folder),
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "TRANSFORMERS_VERBOSITY": "error",
        "TOKENIZERS_PARALLELISM": "false",
        "OMP_WAIT_POLICY": "PASSIVE",
        "OMP_NUM_THREADS": str(threads),
    }


async def next_line(stream: asyncio.StreamReader) -> str:
    """The next line that holds something; empty at the end. Endless lines come in pieces."""
    while True:
        try:
            raw = await stream.readuntil(b"\n")
        except asyncio.IncompleteReadError as error:
            return error.partial.decode(errors="replace").strip()
        except asyncio.LimitOverrunError as error:
            raw = await stream.readexactly(error.consumed)
        if text := raw.decode(errors="replace").strip():
            return text
