"""The engine's child process: `python -m hub.playground.engine --socket PATH --models DIR …`."""

from __future__ import annotations

import argparse
import os
import sys
import threading
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn

from hub.playground.engine.server import Server

if TYPE_CHECKING:
    from hub.playground.engine.run import Engine


def main() -> None:
    parser = argparse.ArgumentParser(description="The local model engine, started by the hub.")
    parser.add_argument("--socket", required=True)
    parser.add_argument("--models", type=Path, nargs="*", default=[])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--budget", type=int, default=None, help="bytes of memory for models")
    given = parser.parse_args()
    threading.Thread(target=_follow_parent, daemon=True).start()
    engine: Future[Engine] = Future()
    threading.Thread(
        target=_build, args=(engine, given.models, given.threads, given.budget), daemon=True
    ).start()
    app = Server(engine, given.models)
    uvicorn.run(  # pyright: ignore[reportUnknownMemberType]
        app, uds=given.socket, lifespan="off", log_level="warning", access_log=False,
        timeout_graceful_shutdown=1,
    )  # fmt: skip


def _build(future: Future[Engine], places: list[Path], threads: int, budget: int | None) -> None:
    """Import torch off the main thread, so that the socket answers at once."""
    try:
        from hub.playground.engine.run import build

        future.set_result(build(places, threads, budget))
    except BaseException as error:
        future.set_exception(error)
        print(f"The engine cannot start: {error}", file=sys.stderr, flush=True)
        os._exit(3)


def _follow_parent() -> None:
    """The parent holds the other end of stdin; when it is gone, however it died, so are we."""
    while sys.stdin.buffer.read(4096):
        pass
    os._exit(0)


if __name__ == "__main__":
    main()
