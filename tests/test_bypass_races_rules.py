"""Ways round review, E again: two things at the same moment, where the rules, the groups and the
people themselves are changed, each by another door (6 rounds; `REVIEW_RACES=200`)."""

from __future__ import annotations

import pytest

from hub.people.models import PolicyChange
from hub.people.rules import Rule
from tests.governing import (
    agree,
    force,
    promote,
    role,
    set_role,
    set_rules,
    waiting,
)  # fmt: skip
from tests.racing import LONG, ROUNDS, doors_of, soon
from tests.rest_door import Api, Refused
from tests.shelf import all_of

pytestmark = [pytest.mark.asyncio(loop_scope="module"), LONG]
STRICT = Rule(kind="change", folder="clinical")
LOOSE = Rule(kind="change", folder="clinical", approvals=0)


async def test_agreed_to_and_declined_at_once(bench: Api):
    """One of the two, whole: declined is not in force, in force was not declined."""
    await promote(bench, "dora")
    await bench.rule()
    for turn in range(ROUNDS):
        door, other = doors_of(bench, turn)
        await reset(bench)
        await set_rules(bench, "maria", LOOSE, needs=1)
        change = await waiting(bench)
        jobs = (soon(agree(door, "dora")), soon(agree(other, "maria", decline=True)))
        for one in await all_of(*jobs):
            assert one is None or isinstance(one, Refused), one
        async with bench.database.read() as db:
            row = await db.get_one(PolicyChange, change)
        assert (row.accepted_at is None) != (row.declined_at is None), turn
        assert (await force(bench)).rules == ((LOOSE,) if row.accepted_at else (STRICT,))


async def reset(bench: Api) -> None:
    """Rules that are guarded, whatever they were."""
    if (await force(bench)).change_needs:
        await set_rules(bench, "maria", needs=0)
        await agree(bench, "dora")
    await set_rules(bench, "maria", STRICT, needs=1)


async def test_two_administrators_change_the_rules_at_once(bench: Api):
    """Both upon what they looked at: nobody's rule takes another's out unseen."""
    await promote(bench, "dora")
    for turn in range(ROUNDS):
        door, other = doors_of(bench, turn)
        mine, hers = (Rule(kind="change", folder=f"{who}{turn}") for who in ("maria", "dora"))
        await bench.rule(STRICT)
        jobs = (
            soon(set_rules(door, "maria", STRICT, mine)),
            soon(set_rules(other, "dora", STRICT, hers)),
        )
        for one in await all_of(*jobs):
            assert one is None or isinstance(one, Refused), one
        rules = set((await force(bench)).rules)
        assert STRICT in rules
        assert rules - {STRICT} in ({mine}, {hers}, {mine, hers})


async def test_two_administrators_take_each_other_out(bench: Api):
    """Somebody is left to administer: who is none any more does nothing after that."""
    await promote(bench, "dora")
    for turn in range(ROUNDS):
        door, other = doors_of(bench, turn)
        jobs = (
            soon(set_role(door, "maria", "dora", "viewer")),
            soon(set_role(other, "dora", "maria", "viewer")),
        )
        for one in await all_of(*jobs):
            assert one is None or isinstance(one, Refused), one
        roles = [await role(bench, who) for who in ("maria", "dora")]
        assert sorted(map(str, roles)) == ["admin", "viewer"], turn
        for who in ("maria", "dora"):
            await bench.set_role(who, "admin")
