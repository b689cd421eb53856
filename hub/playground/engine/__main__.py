"""The engine's child process: `python -m hub.playground.engine --socket PATH --models DIR …`.

With `--host` and `--port` it listens for other machines instead, and the first line of its
standard input is the key they have to show.
"""

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
    parser.add_argument("--socket")
    parser.add_argument("--host")
    parser.add_argument("--port", type=int)
    parser.add_argument("--models", type=Path, nargs="*", default=[])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--nice", type=int, default=0, help="how far to step back for others")
    parser.add_argument("--budget", type=int, default=None, help="bytes of memory for models")
    given = parser.parse_args()
    if given.nice and hasattr(os, "nice"):
        os.nice(given.nice)
    token = "" if given.socket else _line_from_parent()
    if not given.socket and not token:
        parser.error("Without a key this engine would be open to everybody who reaches it.")
    threading.Thread(target=_follow_parent, daemon=True).start()
    engine: Future[Engine] = Future()
    threading.Thread(
        target=_build, args=(engine, given.models, given.threads, given.budget), daemon=True
    ).start()
    app = Server(engine, given.models, token)
    where = {"uds": given.socket} if given.socket else {"host": given.host, "port": given.port}
    uvicorn.run(  # pyright: ignore[reportUnknownMemberType]  # its options are typed as a dict
        app, lifespan="off", log_level="warning", access_log=False, timeout_graceful_shutdown=1,
        **where,
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


def _line_from_parent() -> str:
    line = b""
    while not line.endswith(b"\n") and (byte := os.read(0, 1)):
        line += byte
    return line.decode().strip()


def _follow_parent() -> None:
    """The parent holds the other end of stdin; when it is gone, however it died, so are we.

    Not through `sys.stdin`: a thread that waits in there breaks the interpreter's own end.
    """
    while os.read(0, 4096):
        pass
    os._exit(0)


if __name__ == "__main__":
    main()
