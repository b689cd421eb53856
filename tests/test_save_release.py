"""A version and the labels it is made with are one step: both are there, or neither."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from hub.db import Database
from hub.errors import Invalid
from hub.people.keys import KeyGrant
from hub.people.rules import Rule
from hub.registry import versions
from hub.registry.git import deploy_file
from hub.registry.reading import catalog
from hub.registry.review.guard import NeedsReview
from hub.registry.review.live_callers import BreaksPrograms
from hub.registry.writing.asks import BaseMoved, Saved
from hub.registry.writing.saves import ANY
from hub.sync.usage import Inbox, Report, Use
from tests.cast import on_both_engines
from tests.offered import set_rules
from tests.shelf import Shelf, all_of, make_shelf, saying

NAME = "support/triage"


@pytest.fixture
async def shelf(database: Database, settings: Any) -> Shelf:
    return await make_shelf(database, settings.data)


async def both(
    shelf: Shelf, text: str, base: str | None = None, labels: Sequence[str] = ("production",),
    name: str = NAME,
) -> Saved:  # fmt: skip
    return await versions.save_and_release(
        shelf.publisher, shelf.workspace, name, saying(text), base=base, labels=labels,
        actor=shelf.ben, message="Say it better",
    )  # fmt: skip


async def live(shelf: Shelf, label: str = "production", name: str = NAME) -> int:
    async with shelf.database.read() as db:
        return (await catalog.version(db, shelf.workspace.id, name, None, label)).number


def pointer(shelf: Shelf, label: str = "production", name: str = NAME) -> deploy_file.Pointer:
    found = deploy_file.parse(shelf.git("show", f"deploy:{label}/{name}.yml").encode())
    assert found
    return found


@on_both_engines
async def test_the_label_s_file_names_the_commit_that_was_made_with_it(shelf: Shelf):
    first = await both(shelf, "One", labels=("production", "staging"))
    assert (first.version, await live(shelf), await live(shelf, "staging")) == (1, 1, 1)
    second = await both(shelf, "Two", first.hash)
    assert (await live(shelf), await live(shelf, "staging")) == (2, 1)
    assert pointer(shelf).commit == second.commit == shelf.git("rev-parse", "main")
    assert pointer(shelf).why == "Say it better"
    assert shelf.git("rev-parse", "main:support/triage.prompt.yml") == pointer(shelf).blob
    assert shelf.log("--format=%an %s", "deploy")[0] == "Ben Carter Say it better"
    await shelf.assert_rebuilds()


async def test_a_text_that_is_there_already_is_only_released(shelf: Shelf):
    first = await shelf.save(NAME, "One")
    again = await both(shelf, "One", first.hash)
    assert (again.version, again.created, await live(shelf)) == (1, False, 1)
    assert pointer(shelf).commit == first.commit
    tips = shelf.repository.tips()
    assert not (await both(shelf, "One", first.hash)).created  # and again: nothing
    assert shelf.repository.tips() == tips


async def test_many_at_once_are_one_after_the_other(shelf: Shelf):
    made = await all_of(
        *(both(shelf, f"Text {n}", ANY, name=f"a/p{n % 3}") for n in range(12)),
        *(shelf.save(f"b/{n}", "Other") for n in range(4)),
    )
    assert not [one for one in made if isinstance(one, BaseException)]
    for name in ("a/p0", "a/p1", "a/p2"):
        assert await live(shelf, name=name) == 4
        newest = max((one for one in made if one.name == name), key=lambda one: one.version)
        assert pointer(shelf, name=name).commit == newest.commit
    assert shelf.repository.check() == []
    await shelf.assert_rebuilds()


async def test_whoever_comes_second_is_told_and_nothing_moves(shelf: Shelf):
    first = await both(shelf, "One")
    made = await all_of(both(shelf, "Two", first.hash), both(shelf, "Three", first.hash))
    assert [type(one) for one in made if isinstance(one, BaseException)] == [BaseMoved]
    assert await live(shelf) == 2
    await shelf.assert_rebuilds()


@pytest.mark.parametrize("rule", [Rule(kind="change"), Rule(kind="release", label="production")])
async def test_what_the_rules_refuse_leaves_nothing(shelf: Shelf, rule: Rule):
    await set_rules(shelf.database, shelf.workspace.id, rule)
    tips = shelf.repository.tips()
    with pytest.raises(NeedsReview):
        await both(shelf, "One")
    assert shelf.repository.tips() == tips
    with pytest.raises(catalog.NoSuchPrompt):
        await live(shelf)


async def test_a_version_that_running_programs_cannot_fill_in_is_not_even_saved(shelf: Shelf):
    snippet = await shelf.save("parts/tone", "Be kind to {{ name }}.")
    first = await both(shelf, "{{ ticket }}")
    inbox = Inbox(shelf.database)
    use = Use(name=NAME, version=1, label="production", source="stream", variables=["ticket"])
    grant = KeyGrant(key_id="akey", name="desk", scope="read", workspace=shelf.workspace)
    inbox.put(grant, Report(app="desk", instance="one", prompts=[use]))
    await inbox.write()
    tips = shelf.repository.tips()
    text = saying('{% include "parts/tone@1" %} {{ ticket }}', template="jinja")
    assert snippet.version == 1
    with pytest.raises(BreaksPrograms, match="needs `name`, which desk does not pass"):
        await versions.save_and_release(
            shelf.publisher, shelf.workspace, NAME, text, base=first.hash, labels=["production"],
            actor=shelf.ben, message="",
        )  # fmt: skip
    assert shelf.repository.tips() == tips


async def test_a_version_has_no_thousands_of_labels_at_once(shelf: Shelf):
    with pytest.raises(Invalid, match="100 labels at most"):
        await both(shelf, "One", labels=[f"l{at}" for at in range(101)])
    assert not shelf.repository.tips()


async def test_the_same_request_twice_is_one_deed(shelf: Shelf):
    async def ask() -> Saved:
        return await versions.save_and_release(
            shelf.publisher, shelf.workspace, NAME, saying("One"), base=None, labels=["staging"],
            actor=shelf.ben, message="", request_id="a-key",
        )  # fmt: skip

    first, twin = await asyncio.gather(ask(), ask())
    assert first == twin == await ask()
    assert msgspec.structs.asdict(first)["version"] == await live(shelf, "staging") == 1
    assert len(shelf.log("--format=%h", "deploy")) == 1
