"""Pictures that nothing names any more are deleted; what anybody can still come across stays."""

from __future__ import annotations

import struct
import zlib
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from hub.db import now
from hub.people.policy import Actor
from hub.playground import examples, pictures
from hub.playground.models import Grid, Picture
from hub.playground.unused import KEPT, sweep
from hub.registry import drafts
from tests.cast import on_both_engines

PROMPT = "p_photo"


def png(number: int) -> bytes:
    """A picture like no other."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    dot = zlib.compress(b"\0" + number.to_bytes(3, "big"))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", dot) + chunk(b"IEND", b"")


@pytest.fixture
def ana_is(cast: Any) -> Actor:
    return Actor(
        kind="person", name="Ana", email="ana@example.org", account_id=cast.account_ids["ana"],
        workspace_id=cast.workspace.id, role="editor",
    )  # fmt: skip


async def choose(hub: Any, cast: Any, actor: Actor, *numbers: int) -> list[str]:
    async with hub.state.database.write() as db:
        return [
            await pictures.keep(db, cast.workspace.id, png(number), actor=actor)
            for number in numbers
        ]


async def kept(hub: Any) -> set[str]:
    async with hub.state.database.read() as db:
        return set(await db.scalars(select(Picture.hash)))


async def add(hub: Any, cast: Any, actor: Actor, digest: str) -> Any:
    async with hub.state.database.write() as db:
        return await examples.add(
            db, cast.workspace.id, PROMPT, name="hand", expected=None, actor=actor,
            variables={"photo": {"picture": digest}, "note": "Blue."},
        )  # fmt: skip


def later() -> Any:
    return now() + KEPT + timedelta(minutes=1)


@on_both_engines
async def test_only_what_nothing_names_any_more_is_deleted(hub: Any, cast: Any, ana_is: Actor):
    base, place = hub.state.database, cast.workspace.id
    numbers = await choose(hub, cast, ana_is, *range(5))
    in_example, taken_away, in_grid, in_draft, unused = numbers
    await add(hub, cast, ana_is, in_example)
    gone = await add(hub, cast, ana_is, taken_away)
    async with base.write() as db:
        await examples.take_away(db, place, PROMPT, gone.id)
        row = {"name": "hand", "variables": {"photo": {"picture": in_grid}}, "expected": None}
        db.add(
            Grid(
                workspace_id=place, prompt_id=PROMPT, prompt_name="photo", columns=[], rows=[row],
                state="done", created_by="Ana", created_at=now(), options={},
            )
        )  # fmt: skip
        await drafts.put(
            db, place, cast.account_ids["ana"], PROMPT, {"photo": {"picture": in_draft}},
            name="photo", base=None, base_version=None,
        )  # fmt: skip
    assert await sweep(base) == 0, "all of them were chosen just now"
    assert await sweep(base, later()) == 1
    assert await kept(hub) == set(numbers) - {unused}
    assert await sweep(base, later()) == 0


async def test_what_another_workspace_names_does_not_hold_ours(hub: Any, cast: Any, ana_is: Actor):
    (mine,) = await choose(hub, cast, ana_is, 1)
    async with hub.state.database.write() as db:
        theirs = await pictures.keep(db, cast.rival.id, png(1), actor=ana_is)
        await examples.add(
            db, cast.rival.id, PROMPT, name="x", variables={"a": {"picture": theirs}},
            expected=None, actor=ana_is,
        )  # fmt: skip
    assert mine == theirs
    assert await sweep(hub.state.database, later()) == 1
    async with hub.state.database.read() as db:
        assert list(await db.scalars(select(Picture.workspace_id))) == [cast.rival.id]


async def test_one_that_is_chosen_again_is_young_again(hub: Any, cast: Any, ana_is: Actor):
    (digest,) = await choose(hub, cast, ana_is, 1)
    async with hub.state.database.write() as db:
        await db.execute(update(Picture).values(created_at=now() - 2 * KEPT))
    await choose(hub, cast, ana_is, 1)
    assert await sweep(hub.state.database) == 0
    assert await kept(hub) == {digest}


async def test_an_example_that_comes_between_looking_and_deleting_keeps_its_picture(
    hub: Any, cast: Any, ana_is: Actor, monkeypatch: Any
):
    """Somebody sends a form that has been open for a week, at the worst moment."""
    first, second = await choose(hub, cast, ana_is, 1, 2)
    base = hub.state.database
    deleting = base.write_at_once

    async def late(work: Any) -> Any:
        await add(hub, cast, ana_is, first)
        return await deleting(work)

    monkeypatch.setattr(base, "write_at_once", late)
    assert await sweep(base, later()) == 1
    assert await kept(hub) == {first}
    assert second not in await kept(hub)
