"""The stream of a large grid: what is new, once, and without keeping others from their turn."""

from __future__ import annotations

import asyncio
import re

from hub.playground.calls import Call
from hub.playground.courtesy import Courtesy
from hub.playground.live import LiveGrid, Place
from hub.playground.look import read_look
from hub.playground.models import Run
from hub.playground.options import Options
from hub.playground.stream import watch
from hub.playground.view import Answer, stack
from hub.playground.wire.events import Delta

ROWS, SAMPLES = 100, 6


def named(place: Place) -> str:
    return "-".join(map(str, place))


def large() -> LiveGrid:
    grid = LiveGrid(1, Options(samples=SAMPLES), {})
    for row in range(ROWS):
        for sample in range(SAMPLES):
            grid.calls[row, 0, sample] = Call(grid.changed)
    return grid


async def test_hundreds_of_changes_at_once_leave_others_their_turn():
    grid, drawn = large(), 0

    def draw(row: int, column: int) -> str:
        nonlocal drawn
        drawn += 1
        return ""

    async def read() -> None:
        async for _ in watch(grid, draw, named, thoughts=True, turn=Courtesy().turn):
            pass

    reading = asyncio.create_task(read())
    most = 0
    async with asyncio.timeout(60):
        while drawn < ROWS:
            before = drawn
            await asyncio.sleep(0)
            most = max(most, drawn - before)
    reading.cancel()
    assert most < ROWS / 2, "no stretch in which all are drawn"


async def test_text_that_comes_while_stacks_are_drawn_is_told_once():
    grid = large()

    def draw(row: int, column: int) -> str:
        said = "".join(grid.calls[row, 0, sample].output for sample in range(SAMPLES))
        for call in grid.calls.values():
            if call.begun and len(call.output) < 40:
                call.take(Delta("x"))
        return said

    for call in grid.calls.values():
        call.begin()
        call.take(Delta("x"))
    shown: dict[str, str] = {}
    async for piece in watch(grid, draw, named, thoughts=True, turn=Courtesy().turn):
        for target, swap, text in re.findall(
            r'hx-target="#([^"]+)" hx-swap="(\w+)">([^<]*)<', piece.decode()
        ):
            kind, _, place = target.partition("-")
            row = place.split("-")[0]
            shown[row] = text if kind == "stack" else shown[row] + text
            assert swap == ("outerHTML" if kind == "stack" else "beforeend")
        if len(shown) == ROWS and all(len(one) == 40 * SAMPLES for one in shown.values()):
            grid.over = True
            grid.changed()
    for row in range(ROWS):
        said = [grid.calls[row, 0, sample].output for sample in range(SAMPLES)]
        assert shown[str(row)] == "".join(said)


def test_answers_as_long_as_books_are_not_compared_word_by_word():
    def differing(length: int) -> Answer:
        old, new = (Run(id=1, state="done", output=sign * length, note="") for sign in "ab")
        runs = {(0, 0, 0): old, (0, 1, 0): new}
        look = read_look({"base": "1"}, [0, 1], hidden=False)
        return stack(runs, runs, look, 0, 1, 1).answers[0]

    assert (differing(100).differs, bool(differing(100).words)) == (True, True)
    assert (differing(60_000).differs, bool(differing(60_000).words)) == (True, False)


def test_a_hidden_answer_that_was_stopped_does_not_seem_to_wait():
    runs = {(0, 0, 0): Run(id=1, state="stopped", output="", note="")}
    cell = stack(runs, runs, read_look({}, [0], hidden=True), 0, 0, 1).answers[0].cell
    assert cell.wait.startswith("Stopped")
