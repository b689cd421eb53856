"""What was live at a moment: the whole label as it stood, and put back in one step."""

from __future__ import annotations

import random
import re
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path

import pytest

from hub.db import Database
from hub.errors import Invalid
from hub.front import Front
from hub.people.policy import WorkspaceRef
from hub.registry import versions
from hub.registry.labels import labels
from hub.registry.labels.labels import Move
from hub.registry.pages import moments
from hub.registry.reading import as_of
from tests.cast import Browser
from tests.shelf import Shelf, make_shelf, saying, somebody
from tests.test_releases_pages import fields

DAY = datetime(2026, 5, 3, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
async def shelf(database: Database, tmp_path: Path) -> Shelf:
    made = await make_shelf(database, tmp_path)
    for name in ("clinical/intake", "clinical/triage", "support/mood", "support/later"):
        first = await made.save(name, f"One of {name}")
        await made.save(name, f"Two of {name}", base=first.hash)
    return made


async def release(shelf: Shelf, hours: float, *moves: Move, label: str = "production") -> None:
    await labels.move_many(
        shelf.publisher, shelf.workspace, moves, actor=shelf.ben, reason=f"At {hours}",
        at=DAY + hours * HOUR,
    )  # fmt: skip


async def state(shelf: Shelf, hours: float, folder: str = "") -> as_of.State:
    async with shelf.database.read() as db:
        return await as_of.state(db, shelf.workspace.id, "production", DAY + hours * HOUR, folder)


def names(found: list[as_of.Then]) -> dict[str, tuple[int | None, int | None]]:
    return {one.name: (one.version, one.now) for one in found}


async def test_the_whole_label_as_it_stood_beside_now(shelf: Shelf):
    await release(
        shelf, 0,
        *(
            Move("production", name, 1)
            for name in ("clinical/intake", "clinical/triage", "support/mood")
        ),
    )  # fmt: skip
    await release(shelf, 2, Move("production", "clinical/intake", 2))
    await release(shelf, 3, Move("production", "support/mood", None))
    await release(shelf, 4, Move("production", "support/later", 2))
    before = await state(shelf, -1)
    assert (before.live_count, before.later_count) == (0, 3)
    then = await state(shelf, 1)
    assert names(then.different) == {"clinical/intake": (1, 2), "support/mood": (1, None)}
    assert names(then.same) == {"clinical/triage": (1, 1)}
    assert names(then.later) == {"support/later": (None, 2)}
    assert (then.live_count, then.different[0].by, then.different[0].reason) == (
        3, "Ben Carter", "At 0",
    )  # fmt: skip
    assert then.different[0].since == DAY
    within = await state(shelf, 1, "clinical")
    assert names(within.different) == {"clinical/intake": (1, 2)}
    assert within.later == []
    now = await state(shelf, 5)
    assert (now.different, now.later, now.same_count) == ([], [], 3)


async def test_putting_a_state_back_brings_exactly_that_state(shelf: Shelf):
    """Whatever was moved in between, in whatever order."""
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    dice = random.Random(seed)
    every = ("clinical/intake", "clinical/triage", "support/mood", "support/later")
    stood: list[dict[str, int]] = []
    for turn in range(12):
        chosen = dice.sample(every, dice.randint(1, 4))
        moves = [Move("production", name, dice.choice((1, 2, None))) for name in chosen]
        await release(shelf, turn, *moves)
        found = await state(shelf, turn)
        stood.append({one.name: one.now or 0 for one in found.same})
    for turn in dice.sample(range(12), 6):
        then = await state(shelf, turn + 0.5)
        live = {one.name: one.version for one in (*then.same, *then.different)}
        assert live == stood[turn]
        if moves := then.moves("production"):
            await release(shelf, 100 + turn, *moves)
        after = await state(shelf, turn + 0.5)
        assert (after.different, after.later) == ([], [])


async def test_names_of_today_and_prompts_deleted_since(shelf: Shelf):
    await release(
        shelf, 0, Move("production", "clinical/intake", 1), Move("production", "support/mood", 1)
    )
    await versions.rename(
        shelf.publisher, shelf.workspace, "clinical/intake", "ward/intake", actor=shelf.ana
    )
    await versions.delete(shelf.publisher, shelf.workspace, "support/mood", actor=shelf.ben)
    then = await state(shelf, 1)
    assert names(then.same) == {"ward/intake": (1, 1)}
    (gone,) = then.different
    assert (gone.name, gone.deleted, gone.restorable) == ("support/mood", True, False)
    assert then.moves("production") == []


async def test_the_last_releases_are_offered_as_moments(shelf: Shelf):
    await release(
        shelf, 0, Move("production", "clinical/intake", 1), Move("production", "support/mood", 1)
    )
    await release(shelf, 1, Move("production", "support/later", 1))
    async with shelf.database.read() as db:
        found = await as_of.recent(db, shelf.workspace.id, "production")
    assert [(one.reason, one.count, one.at) for one in found] == [
        ("At 1", 1, DAY + HOUR), ("At 0", 2, DAY),
    ]  # fmt: skip


async def test_of_many_prompts_the_first_are_listed_and_all_are_counted(shelf: Shelf):
    documents = [(f"many/p{n:03}", saying(f"Text {n}")) for n in range(230)]
    await versions.save_many(
        shelf.publisher, shelf.workspace, documents, actor=shelf.ana, message="Many"
    )
    await release(shelf, 0, *(Move("production", name, 1) for name, _ in documents))
    then = await state(shelf, 1)
    assert (len(then.same), then.same_count, then.live_count) == (200, 230, 230)
    before = await state(shelf, -1)
    assert (len(before.later), before.later_count) == (200, 230)


# ── moments as people type them ─────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("typed", "offset", "meant"),
    [
        ("2026-05-03T14:00", "", "2026-05-03T14:00"),
        ("2026-05-03 14:00", "120", "2026-05-03T12:00"),
        ("2026-05-03T14:00", "-330", "2026-05-03T19:30"),
        ("2026-05-03T14:00+02:00", "-330", "2026-05-03T12:00"),
        ("2026-05-03T14:00Z", "60", "2026-05-03T14:00"),
        ("2026-05-03T14:00", "nonsense", "2026-05-03T14:00"),
        ("2026-05-03T14:00", "9999", "2026-05-03T14:00"),
    ],
)
def test_a_moment_is_read_on_the_clock_of_who_typed_it(typed: str, offset: str, meant: str):
    moment = moments.moment_of(typed, offset)
    assert moment == datetime.fromisoformat(f"{meant}+00:00")


@pytest.mark.parametrize("typed", ["", "soon", "2026-13-40T00:00", "0001-01-01T00:00+14:00"])
def test_what_is_no_moment_is_refused(typed: str):
    with pytest.raises(Invalid, match="Write the moment"):
        moments.moment_of(typed, "840")


def test_a_moment_is_said_on_the_same_clock():
    moment = datetime(2026, 5, 4, 7, 0, tzinfo=UTC)
    assert moments.said(moment, "120") == "Monday 4 May 2026 at 9:00"
    assert moments.said(moment) == "Monday 4 May 2026 at 7:00 (UTC)"
    assert moments.typed(moment, "120") == "2026-05-04T09:00"


# ── the page ────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
async def ward(hub: Front, workspace: WorkspaceRef) -> Shelf:
    """The clinic, with a history of releases."""
    made = Shelf(
        hub.state.database, hub.state.publisher, workspace,
        somebody("Ana Oliveira", "editor", workspace.id),
        somebody("Ben Carter", "reviewer", workspace.id),
    )  # fmt: skip
    for name in ("clinical/intake", "support/mood"):
        first = await made.save(name, f"One of {name}")
        await made.save(name, f"Two of {name}", base=first.hash)
    await release(
        made, 0, Move("production", "clinical/intake", 1), Move("production", "support/mood", 1)
    )
    await release(made, 2, Move("production", "clinical/intake", 2))
    return made


async def test_ben_restores_what_was_live_on_the_third_of_may(ward: Shelf, ben: Browser):
    page = await ben.get("/clinic/as-of?label=production&at=2026-05-03T13:00")
    assert "2 prompts were live" in re.sub(r"<[^>]+>", "", page.text)
    assert "1 different from now" in page.text
    assert "/clinic/version/1/clinical/intake" in page.text
    assert "At 0" in page.text
    form = fields(page, "restore")
    assert [key for key in form if key.startswith("pick.")] == ["pick.clinical/intake"]
    look = await ben.post_form("/clinic/release-several/look", form)
    assert "Put intake v1 into production" in look.text
    assert "Two" in look.text  # the change in words
    sheet = fields(look, "release")
    assert sheet["reason"].startswith("Put back what was live on Sunday 3 May 2026 at 13:00 (UTC)")
    done = await ben.post_form("/clinic/release-several", sheet)
    assert done.status_code == 303
    again = await ben.get("/clinic/as-of?at=2026-05-03T13:00")
    assert "all as they are now" in again.text
    assert 'id="restore"' not in again.text


async def test_the_clock_of_who_asks_counts(ward: Shelf, ben: Browser):
    """15:00 in Berlin in May is 13:00 UTC: before the second release."""
    for query, differs in (
        ("at=2026-05-03T15:00", False),
        ("at=2026-05-03T15:00&offset=120", True),
    ):
        page = await ben.get(f"/clinic/as-of?{query}")
        assert ("1 different from now" in page.text) is differs


async def test_everybody_here_may_look_and_only_who_may_release_restores(
    ward: Shelf, carla: Browser, mallory: Browser
):
    page = await carla.get("/clinic/as-of?at=2026-05-03T13:00")
    assert page.status_code == 200
    assert "different from now" in page.text
    assert "Restore what is ticked" not in page.text
    assert "pick." not in page.text
    assert (await mallory.get("/clinic/as-of?at=2026-05-03T13:00")).status_code == 404


@pytest.mark.parametrize("query", ["at=soon", "label=No+label", "label=latest", "at=9999-99-99"])
async def test_what_cannot_be_asked_is_answered_with_a_sentence(ward, ben: Browser, query: str):
    page = await ben.get(f"/clinic/as-of?{query}")
    assert page.status_code in (200, 422)
    assert "Write the moment" in page.text or "label" in page.text


async def test_an_empty_workspace_has_a_page_too(ben: Browser):
    page = await ben.get("/clinic/as-of")
    assert "Nothing is live" in page.text
    then = await ben.get("/clinic/as-of?at=2026-05-03T14:00&folder=clinical&label=staging")
    assert "Nothing was live under staging then" in unescape(then.text)
