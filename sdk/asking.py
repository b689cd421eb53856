"""One question to the hub, asked again while somebody waits and it may go well a moment later."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic_ns, sleep

from sdk.flow import Failed, Pin, Reply, Said, reading, soon


def asked(get: Callable[[], Reply], key: tuple[Pin, str]) -> Said:
    """What the answer means; whatever goes wrong is said, not raised."""
    try:
        reply: Reply | Exception = get()
    except Exception as error:  # whatever it is, the worker lives on and the key is freed
        reply = error
    try:
        return reading(reply, *key)
    except Exception as error:
        return Failed(f"the hub's answer could not be read ({type(error).__name__})")


def asked_again(ask: Callable[[], Said], waits: Callable[[float], bool]) -> Said:
    """The last answer; `waits`: whether anybody will want another one so many seconds from now."""
    tries = 0
    while True:
        said = ask()
        if not isinstance(said, Failed) or not said.passing:
            return said
        pause = max(soon(tries, dice()), said.wait)
        if not waits(pause):
            return said
        sleep(pause)
        tries += 1


def dice() -> float:
    """0 to 1. The clock's last digits are random enough, and `random` takes 5 ms to import."""
    return monotonic_ns() % 1009 / 1009
