"""Places at an endpoint: never more than there are, and in turn for everybody."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.playground.turns import Turns


async def test_places_go_round_among_people():
    """Ana starts six, then Ben one: his is the second to begin, not the seventh."""
    turns, begun = Turns(1), []
    gate = asyncio.Event()

    async def call(owner: str) -> None:
        async with turns.one(owner, lambda _: None):
            begun.append(owner)
            await gate.wait()

    first = asyncio.create_task(call("ana"))
    await asyncio.sleep(0)
    others = [asyncio.create_task(call(owner)) for owner in ["ana"] * 5 + ["ben"]]
    await asyncio.sleep(0)
    gate.set()
    await asyncio.gather(first, *others)
    assert begun.index("ben") == 2
    assert turns.taken == 0


async def test_the_place_in_line_is_the_one_that_comes_true():
    turns, told, order = Turns(1), {}, []

    async def call(owner: str, name: str) -> None:
        async with turns.one(owner, lambda place: told.setdefault(name, []).append(place)):
            order.append(name)
            await asyncio.sleep(0)

    async with turns.one("x", lambda _: None):
        names = [("ana", "a1"), ("ana", "a2"), ("ben", "b1"), ("ana", "a3")]
        tasks = []
        for owner, name in names:
            tasks.append(asyncio.create_task(call(owner, name)))
            await asyncio.sleep(0)
    await asyncio.gather(*tasks)
    assert order == ["a1", "b1", "a2", "a3"]
    assert told["a1"][0] == 1
    assert told["b1"][0] == 2
    assert told["a3"][0] == 4


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 5)), max_size=30), st.integers(1, 3))
@settings(max_examples=60, deadline=None)
def test_no_place_is_lost_whoever_leaves_when(jobs, size):
    """Some wait, some leave in line, some while they hold a place: in the end all is free."""

    async def play() -> None:
        turns, most = Turns(size), 0

        async def call(owner: int, long: int) -> None:
            nonlocal most
            async with turns.one(owner, lambda _: None):
                most = max(most, turns.taken)
                for _ in range(long):
                    await asyncio.sleep(0)

        tasks = [asyncio.create_task(call(*job)) for job in jobs]
        for at, task in enumerate(tasks):
            if at % 3 == 0:
                await asyncio.sleep(0)
                task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert turns.taken == 0
        assert most <= size
        async with asyncio.timeout(60), turns.one("later", lambda _: None):
            pass

    asyncio.run(play())


async def test_more_places_may_be_given_while_calls_go_on():
    turns = Turns(1)
    async with turns.one("a", lambda _: None):
        turns.size = 2
        async with asyncio.timeout(60), turns.one("a", lambda _: None):
            assert turns.taken == 2


def test_an_endpoint_that_asked_to_wait_is_left_alone():
    turns = Turns(1)
    assert turns.held == 0
    turns.hold(5)
    turns.hold(1)
    assert turns.held == pytest.approx(5, abs=0.1)
