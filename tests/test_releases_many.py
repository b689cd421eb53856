"""Several labels and prompts released in one step: all of them, or none."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from sqlalchemy import delete

from hub.db import Database
from hub.errors import Conflict, Forbidden, Invalid, NotFound
from hub.registry.indexing import index
from hub.registry.labels import labels
from hub.registry.labels.labels import Move
from hub.registry.models import Intent
from tests.shelf import Shelf, all_of, make_shelf

NAMES = ("clinical/intake", "clinical/triage", "support/mood")


@pytest.fixture
async def shelf(database: Database, tmp_path: Path) -> Shelf:
    """Three prompts of two versions each."""
    made = await make_shelf(database, tmp_path)
    for name in NAMES:
        first = await made.save(name, f"One of {name}")
        await made.save(name, f"Two of {name}", base=first.hash)
    return made


async def release(shelf: Shelf, *moves: Move, **more) -> list[labels.Landed]:
    given = {"actor": shelf.ben, "reason": "The autumn round"} | more
    return await labels.move_many(shelf.publisher, shelf.workspace, moves, **given)


async def live(shelf: Shelf, label: str = "production") -> dict[str, int]:
    return {
        path.removeprefix(f"{label}/").removesuffix(".yml"): int(
            shelf.git("show", f"deploy:{path}").split("version: ")[1].split()[0]
        )
        for path in shelf.git("ls-tree", "-r", "--name-only", "deploy").split()
        if path.startswith(f"{label}/")
    }


async def test_several_prompts_and_labels_go_in_one_commit(shelf: Shelf):
    landed = await release(
        shelf,
        *(Move("production", name, 1, None) for name in NAMES),
        Move("staging", NAMES[0], 2, None),
    )
    assert len({one.commit for one in landed}) == 1
    assert [(one.label, one.name, one.old, one.new) for one in landed] == [
        ("production", NAMES[0], None, 1),
        ("production", NAMES[1], None, 1),
        ("production", NAMES[2], None, 1),
        ("staging", NAMES[0], None, 2),
    ]
    assert shelf.log("deploy", "--format=%an: %s") == ["Ben Carter: The autumn round"]
    assert await live(shelf) == dict.fromkeys(NAMES, 1)
    assert await live(shelf, "staging") == {NAMES[0]: 2}
    assert (await shelf.assert_rebuilds()).count("label_moves:") == 4


async def test_one_that_moved_meanwhile_stops_them_all_and_is_named(shelf: Shelf):
    await release(shelf, Move("production", NAMES[1], 1, None))
    with pytest.raises(labels.LabelMoved, match=f"production of {NAMES[1]} is at version 1") as no:
        await release(shelf, *(Move("production", name, 2, None) for name in NAMES))
    assert no.value.facts == {
        "label": "production", "name": NAMES[1], "expected": None, "current": 1,
    }  # fmt: skip
    assert await live(shelf) == {NAMES[1]: 1}
    await release(shelf, Move("production", NAMES[0], 1, None))
    with pytest.raises(labels.LabelMoved, match="1 more moved as well"):
        await release(shelf, *(Move("production", name, 2, None) for name in NAMES))
    await shelf.assert_rebuilds()


@pytest.mark.parametrize(
    ("bad", "error", "says"),
    [
        (Move("production", "clinical/nothing", 1), NotFound, "no prompt called clinical/nothing"),
        (Move("production", NAMES[2], 9), NotFound, f"{NAMES[2]} has no version 9"),
        (Move("production", NAMES[0], 2), Invalid, "asked for 2 times"),
        (Move("Not a label", NAMES[2], 1), Invalid, "label"),
        (Move("latest", NAMES[2], 1), Invalid, "latest"),
    ],
)
async def test_one_that_cannot_be_stops_them_all(shelf: Shelf, bad: Move, error, says: str):
    with pytest.raises(error, match=says):
        await release(shelf, Move("production", NAMES[0], 1), Move("production", NAMES[1], 1), bad)
    assert "deploy" not in shelf.git("for-each-ref", "--format=%(refname)")


async def test_none_at_all_and_too_many_are_refused(shelf: Shelf):
    for moves in ([], [Move(f"l{n}", NAMES[0], 1) for n in range(1001)]):
        with pytest.raises(Invalid, match="at least one prompt to release, and at most 1,000"):
            await release(shelf, *moves)


async def test_only_who_may_release_does(shelf: Shelf):
    with pytest.raises(Forbidden, match="cannot move labels"):
        await release(shelf, Move("production", NAMES[0], 1), actor=shelf.ana)


async def test_what_is_there_already_is_left_as_it_is(shelf: Shelf):
    await release(shelf, Move("production", NAMES[0], 1))
    landed = await release(shelf, *(Move("production", name, 1) for name in NAMES[:2]))
    assert [(one.old, one.new, bool(one.commit)) for one in landed] == [
        (1, 1, False), (None, 1, True),
    ]  # fmt: skip
    again = await release(shelf, *(Move("production", name, 1) for name in NAMES[:2]))
    assert [one.commit for one in again] == ["", ""]
    assert len(shelf.log("deploy", "--format=%H")) == 2
    await shelf.assert_rebuilds()


async def test_taking_off_and_putting_on_go_together(shelf: Shelf):
    await release(shelf, *(Move("production", name, 2) for name in NAMES))
    await release(
        shelf, Move("production", NAMES[0], 1, 2), Move("production", NAMES[1], None, 2), reason=""
    )
    assert await live(shelf) == {NAMES[0]: 1, NAMES[2]: 2}
    assert shelf.log("-1", "deploy", "--format=%s") == ["Move production of 2 prompts"]
    await shelf.assert_rebuilds()


async def test_of_two_rounds_at_once_one_wins_whole(shelf: Shelf):
    await release(shelf, *(Move("production", name, 1) for name in NAMES))
    for turn in range(20):
        before = await live(shelf)
        rounds = [
            [Move("production", name, number, before.get(name)) for name in NAMES]
            for number in ((1, 2) if turn % 2 else (2, 1))
        ]
        done = await all_of(*(release(shelf, *moves) for moves in rounds))
        kinds = sorted(type(one).__name__ for one in done)
        assert kinds in (["LabelMoved", "list"], ["list", "list"])
        assert len(set((await live(shelf)).values())) == 1  # never half of each
    await shelf.assert_rebuilds()


async def test_the_same_request_twice_is_done_once_even_after_a_rebuild(shelf: Shelf):
    moves = [Move("production", name, 1, None) for name in NAMES]
    first = await release(shelf, *moves, request_id="autumn")
    assert await release(shelf, *moves, request_id="autumn") == first
    async with shelf.database.write() as db:
        await db.execute(delete(Intent))
    await index.reindex(shelf.database, shelf.repository, shelf.workspace.id)
    await release(shelf, Move("production", NAMES[0], 2))
    again = await release(shelf, *moves, request_id="autumn")
    assert {(one.name, one.new, one.commit) for one in again} == {
        (one.name, one.new, one.commit) for one in first
    }
    assert (await live(shelf))[NAMES[0]] == 2
    with pytest.raises(Conflict, match="used for another request"):
        await release(shelf, *moves[:1], request_id="autumn")


async def test_whatever_is_moved_in_whatever_order_the_rebuild_agrees(shelf: Shelf):
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    dice = random.Random(seed)
    await release(shelf, Move("production", NAMES[0], 1))  # or there may be no `deploy` to read
    for _ in range(30):
        pairs = [(label, name) for label in ("production", "staging") for name in NAMES]
        chosen = dice.sample(pairs, dice.randint(1, len(pairs)))
        moves = [Move(label, name, dice.choice((1, 2, None))) for label, name in chosen]
        landed = await release(shelf, *moves)
        for move, one in zip(moves, landed, strict=True):
            assert (one.label, one.name, one.new) == (move.label, move.name, move.version)
            assert (await live(shelf, move.label)).get(move.name) == move.version
    await shelf.assert_rebuilds()
