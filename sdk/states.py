"""What a connection to a hub can be in, and what it tells the program about it."""

from __future__ import annotations

from typing import Literal, NamedTuple

from sdk.table import Place

State = Literal["boot", "live", "retry", "polling", "stale", "refused", "closed"]
"""`boot`: no document yet. `live`: the stream tells of every change at once. `retry`: the stream
was lost just now. `polling`: asks every few seconds. `stale`: nothing usable has come for a
minute. `refused`: the hub refuses the key, or is not there; asked again every few minutes.
`closed`: by `close`."""


class Status(NamedTuple):
    """How the connection is doing, at one moment.

    Attributes:
        state: see `State`.
        source: where the prompts in use came from: `stream`, `poll`, `snapshot`, `bundled` or "".
        epoch: the line of history of the hub that `revision` is of.
        revision: what was applied last.
        prompts: how many pointers the program could read.
        age: seconds since the prompts were last known to be what the hub serves.
        stale: whether that is too long ago.
        error: what went wrong last, or "".
        one_by_one: the hub is an old one that has to be asked for each prompt.
    """

    state: State
    source: str
    epoch: str
    revision: int
    prompts: int
    age: float
    stale: bool
    error: str
    one_by_one: bool


class Event(NamedTuple):
    """What `subscribe` tells of: prompts changed, or the state did.

    Attributes:
        kind: `changed` or `state`.
        state: the state now.
        places: (label, name) of what changed.
    """

    kind: Literal["changed", "state"]
    state: State
    places: tuple[Place, ...]


class Timing(NamedTuple):
    """Seconds. The values are the protocol's; tests make them shorter."""

    silence: float = 45.0
    """The stream has sent nothing for so long: it is dead."""
    greeting: float = 10.0
    """So long the first event may take; a proxy that gathers what we send would swallow it."""
    polls_after: float = 30.0
    stale_after: float = 60.0
    first_retry: float = 0.5
    longest_retry: float = 30.0
    healthy: float = 60.0
    """A stream that lived so long begins counting its failures anew."""
    refused: float = 60.0
    longest_refused: float = 300.0
    look_at_key: float = 2.0
    save_after: float = 1.0
    report: float = 60.0
    report_soon: float = 5.0
    miss: float = 5.0
    """So long a name that is not there is believed to be none, while the hub is only polled."""
