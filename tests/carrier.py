"""A hub that carries out what is due and dies at a chosen step.

`python -m tests.carrier DATA STEP`

Steps: begun (it is taken), asked (the request stands in line), moved (git and index have it),
settled (it is written down).
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

from hub.db import Database
from hub.lock import hold
from hub.registry.labels import due
from hub.registry.writing import recover
from hub.registry.writing.publish import Publisher


def die(*_: Any, **__: Any) -> Any:
    os.kill(os.getpid(), signal.SIGKILL)


async def main(data: Path, step: str) -> None:
    database = Database(f"sqlite+aiosqlite:///{data}/hub.db")
    with hold(data):
        assert await recover.at_start(database, data / "repositories") == []
        publisher = Publisher(database, data / "repositories")
        carrier = due.Due(database, publisher)
        if step == "begun":
            carrier._move = die  # type: ignore[method-assign]  # the step that never comes
        elif step == "asked":
            publisher.ensure = die  # type: ignore[method-assign]  # nor does this
        elif step == "moved":
            carrier._done = die  # type: ignore[method-assign]  # nor this
        await carrier.look()
        die()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
