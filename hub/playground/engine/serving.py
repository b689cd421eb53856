"""`prompthub engine`: local models for other machines, watched and started again like the hub's."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import secrets
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import click

from hub.errors import Invalid, Unavailable
from hub.playground.engine import folders
from hub.playground.engine.child import Listen
from hub.playground.engine.process import Engine

LOOPBACK = ("127.0.0.1", "::1", "localhost")
IN_THE_CLEAR = (
    "The key and all prompts cross the network unencrypted: use a private network, a tunnel or a "
    "proxy with TLS."
)


def key_from(file: Path | None) -> str:
    """The key in the file, made if there is none; without a file a new one at each start.

    Raises:
        Invalid: the file holds no usable key.
    """
    if file is None:
        return secrets.token_urlsafe(24)
    if not file.exists():
        file.touch(mode=0o600)
        file.write_text(secrets.token_urlsafe(24) + "\n")
    key = file.read_text().strip()
    if len(key) < 16 or not key.isascii() or any(sign.isspace() for sign in key):
        raise Invalid(f"{file} holds no key: one line of at least 16 letters and digits.")
    return key


def check_free(host: str, port: int) -> None:
    """Said before seconds go by in which the child imports its libraries.

    Raises:
        Invalid: nothing can listen there.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        socket.create_server((host, port), family=family).close()
    except socket.gaierror as error:
        why = error.strerror
    except UnicodeError:  # a name of 64 letters and more
        why = "no such name"
    except OSError as error:  # without what Python says of where: that is said below
        why = os.strerror(error.errno or 0)
    else:
        return
    raise Invalid(
        f"Nothing can listen at {host}, port {port}: {why}. Choose others with --host and --port."
    )


def _size(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size / 1e6:.1f} MB"


def told(models: Sequence[Path], listen: Listen) -> list[str]:
    """What the operator reads at the start."""
    found = folders.find(models)
    lines = [
        f"  {one.name}: {one.problem}" if one.problem else f"  {one.name} ({_size(one.bytes)})"
        for one in found.values()
    ]
    shown = "HOST" if listen.host in ("0.0.0.0", "::") else listen.host  # noqa: S104
    return [
        "Models:", *lines,
        "In the hub, open Models, add a connection, and paste:",
        f"  address  http://{shown}:{listen.port}/v1",
        f"  key      {listen.token}",
        *([] if listen.host in LOOPBACK else [IN_THE_CLEAR]),
    ]  # fmt: skip


@click.command()
@click.option(
    "--model", "models", multiple=True,
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="A model's folder, or one that holds several. May be given more than once.",
)  # fmt: skip
@click.option("--host", default="127.0.0.1", show_default=True, help="0.0.0.0 for all networks.")
@click.option("--port", type=click.IntRange(1, 65535), default=8322, show_default=True)
@click.option(
    "--key-file", type=click.Path(path_type=Path, dir_okay=False), default=None,
    help="Holds the key, and is made if it is not there. Default: a new key at each start.",
)  # fmt: skip
@click.option("--threads", type=click.IntRange(1), default=None, help="Default: all cores but one.")
@click.option("--memory", type=click.FloatRange(0.1), default=None, help="For models, in GB.")
def engine(
    models: tuple[Path, ...], host: str, port: int, key_file: Path | None, threads: int | None,
    memory: float | None,
) -> None:  # fmt: skip
    """Serve this machine's models to hubs elsewhere, with an address and a key to paste there."""
    if importlib.util.find_spec("torch") is None:
        raise click.ClickException("Local models need the engine: pip install 'prompthub[engine]'.")
    try:
        check_free(host, port)
        listen = Listen(host, port, key_from(key_file))
    except Invalid as refused:
        raise click.ClickException(refused.sentence) from None
    except OSError as error:
        raise click.ClickException(f"{key_file}: {error.strerror or error}.") from None
    budget = int(memory * 1e9) if memory else None
    with tempfile.TemporaryDirectory(prefix="prompthub-engine-") as folder:
        made = Engine(Path(folder), models, threads=threads, budget=budget, listen=listen)
        sys.exit(asyncio.run(_until_ended(made, told(models, listen), click.echo)))


async def _until_ended(engine: Engine, lines: Sequence[str], say: Callable[[str], None]) -> int:
    over = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, over.set)
    try:
        await engine.start()
        for line in lines:
            say(line)
        return await _watched(engine, over, say)
    except Unavailable as error:
        say(str(error))
        return 1
    finally:
        await engine.stop()


async def _watched(engine: Engine, over: asyncio.Event, say: Callable[[str], None]) -> int:
    """Say what becomes of it; the child is started again by `Engine` itself."""
    state = engine.state
    while not over.is_set():
        try:
            await asyncio.wait_for(over.wait(), 0.5)
        except TimeoutError:
            if engine.state is not state:
                state = engine.state
                say(state.sentence)
            if state.name == "failed":
                return 1
    return 0
