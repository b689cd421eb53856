"""One hub per data folder: a second one would serve from memory that the first one outdates."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from hub.errors import Unavailable


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
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            raise DataInUse(
                f"A hub is already running on the data folder {data.resolve()} "
                f"(process {file.read().strip() or 'unknown'}). Stop it first, or choose another "
                "folder with --data."
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
