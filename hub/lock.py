"""One hub per data folder: a second one would serve from memory that the first one outdates."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from hub.errors import Unavailable

LONGEST = 20.0
"""Seconds to wait for what a killed hub left behind."""


class DataInUse(Unavailable):
    """Another hub has this data folder open."""


@contextmanager
def hold(data: Path) -> Generator[None]:
    """Hold `DATA/hub.lock` for as long as the block runs; the kernel lets go if we die.

    Raises:
        DataInUse: another process holds it.
    """
    # Drafts, sessions and sealed keys are nobody else's; a folder that is there keeps its rights.
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (data / "hub.lock").open("a+") as file:
        patience = time.monotonic() + LONGEST
        while not _locked(file):
            file.seek(0)
            owner = file.read().strip()
            if time.monotonic() < patience and _is_dead(owner):
                time.sleep(0.02)
                continue
            raise DataInUse(
                f"A hub is already running on the data folder {data.resolve()} "
                f"(process {owner or 'unknown'}). Stop it first, or choose another "
                "folder with --data."
            )
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def _locked(file: TextIO) -> bool:
    with contextlib.suppress(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False


def _is_dead(owner: str) -> bool:
    """Whether the hub was killed: a child that it was just starting has the lock for a moment."""
    if not owner.isdecimal():
        return False
    with contextlib.suppress(PermissionError):
        try:
            os.kill(int(owner), 0)
        except ProcessLookupError:
            return True
    return False
