"""What the page of a grid and its stream draw alike."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from typing import Any

import msgspec
from markupsafe import Markup
from sqlalchemy.ext.asyncio import AsyncSession

from hub.people.policy import Actor, WorkspaceRef
from hub.playground import adopting, columns, grid, votes
from hub.playground.adopting import Ways
from hub.playground.again import LACKING
from hub.playground.beside import beside
from hub.playground.expected import LONGEST_JUDGED, judgeable
from hub.playground.feet import feet as feet_of
from hub.playground.live import LiveGrid, Place
from hub.playground.look import Look, read_look
from hub.playground.models import Grid
from hub.playground.options import Options, options_of
from hub.playground.pages.common import may_run, playground_of, plural
from hub.playground.stream import Draw, partial
from hub.playground.values import dicts, picture_in, show
from hub.playground.view import Cells, Runs, Stack, heads, stack, title_of
from hub.web import Ask


class Seen(msgspec.Struct, kw_only=True):
    """A grid, as one person looks at it now."""

    grid: Grid
    options: Options
    runs: Runs
    live: LiveGrid | None
    look: Look
    votes: dict[int, int]
    won: Counter[int]
    """How often each column was chosen, while names are not hidden."""
    ways: Ways

    @property
    def running(self) -> bool:
        return self.live is not None and not self.live.over

    @property
    def cells(self) -> Cells:
        return grid.cells(dict(self.runs), self.live)

    def name(self, place: Place) -> str | None:
        """`row-column-sample` as the page has it; None: it does not show this one."""
        row, column, sample = place
        return f"{row}-{self.look.at(column)}-{sample}" if column in self.look.order else None


async def see(request: Ask, db: AsyncSession, grid_id: int) -> Seen:
    """The grid of this workspace, and how this request looks at it."""
    workspace: WorkspaceRef = request.state.workspace
    actor: Actor = request.state.actor
    found = await grid.get(db, workspace.id, grid_id)
    cast = await votes.mine(db, found, actor.account_id)
    hidden = await votes.names_hidden(db, found, actor)
    order = votes.order(found, actor.account_id) if hidden else list(range(len(found.columns)))
    voted = options_of(found.options).blind and not hidden
    return Seen(
        grid=found, options=options_of(found.options), runs=await grid.runs_of(db, grid_id),
        live=playground_of(request).live.get(grid_id), votes=cast,
        look=read_look(request.query_params, order, hidden=hidden),
        won=await votes.wins(db, found) if voted else Counter(),
        ways=await adopting.ways(db, found, actor),
    )  # fmt: skip


def stack_of(seen: Seen, row: int, column: int) -> Stack:
    expected = seen.grid.rows[row].get("expected")
    return stack(seen.cells, seen.runs, seen.look, row, column, seen.options.samples, expected)


def drawer(request: Ask, seen: Seen) -> Draw:
    """Draws the stack of a row and a column."""
    templates = request.app.template_engine
    assert templates
    context = frame(request, seen) | {"ui_made": {}}

    def draw(row: int, column: int) -> str:
        return templates.get_template("playground/_stack.html").render(
            **context, stack=stack_of(seen, row, column)
        )

    return draw


async def drawn(request: Ask, seen: Seen) -> list[list[str]]:
    """Every stack, row by row; others have their turn between two, there may be hundreds.

    Where answers are compared word by word, which takes long, that is done in a thread.
    """
    draw, turn = drawer(request, seen), playground_of(request).courtesy.turn
    made: list[list[str]] = []
    for row in range(len(seen.grid.rows)):
        made.append([])
        for column in seen.look.order:
            if seen.look.base is None:
                await turn()
                made[-1].append(draw(row, column))
            else:
                made[-1].append(await asyncio.to_thread(draw, row, column))
    return made


def ending(request: Ask, seen: Seen) -> str:
    """What changes when everything is over: heads, foot and buttons."""
    engine = request.app.template_engine
    assert engine
    context = frame(request, seen) | headed(seen) | below(seen) | {"running": False}
    places = {"#heads": "_heads", "#foot": "_foot", "#beside": "_beside"}
    places |= {"#grid-actions": "_actions"} if context["may_run"] else {}
    return "".join(
        partial(place, "outerHTML", engine.get_template(f"playground/{name}.html").render(context))
        for place, name in places.items()
    )


def frame(request: Ask, seen: Seen) -> dict[str, Any]:
    """What page and stream both need."""
    workspace, actor = request.state.workspace, request.state.actor
    here = f"/{workspace.slug}/grid/{seen.grid.id}"
    return {
        "may_run": may_run(actor, workspace),
        "change_url": f"/{workspace.slug}/try/{seen.grid.prompt_name}?again={seen.grid.id}",
        "here": here,
        "permalink": f"{request.app.state.settings.url}{here}{seen.look.query}",
        "look": seen.look,
        "options": seen.options,
    }


def shown(request: Ask, seen: Seen, stacks: list[list[str]]) -> dict[str, Any]:
    """Everything the page needs. `stacks`: as `drawn`."""
    found, look = seen.grid, seen.look
    above = headed(seen)
    return {
        **frame(request, seen),
        **above,
        "grid": found,
        "title": title_of(found, seen.options.title),
        "size": size(found, seen.options.samples),
        "rows": _rows(seen, stacks),
        "picker": [(at + 1, head["title"]) for at, head in enumerate(above["columns"])],
        "texts": [] if look.hidden else _texts(seen),
        "running": seen.running,
        **({"feet": [], "beside": None} if seen.running else below(seen)),
        "ballot": _ballot(seen),
    }


def headed(seen: Seen) -> dict[str, Any]:
    """What stands above the columns."""
    notes = [columns.note(one) for one in seen.grid.columns]
    return {
        "columns": heads(seen.grid, seen.look, notes),
        "all_columns": len(notes),
        "may_add": len(notes) < columns.MOST_COLUMNS,
        "won": [seen.won[column] for column in seen.look.order] if seen.won else [],
        "cast": seen.won.total(),
        "ways": seen.ways,
        "lacking": sum(cell.state in LACKING for cell in seen.cells.values()),
    }


def below(seen: Seen) -> dict[str, Any]:
    """The totals under the columns, and the columns held against each other; nothing while whose
    answers they are is hidden."""
    if seen.look.hidden:
        return {"feet": [], "beside": None}
    feet = feet_of(seen.grid, seen.cells, seen.runs, seen.look.order, seen.look.volume)
    if cast := seen.won.total():
        feet = [
            msgspec.structs.replace(foot, chosen=(seen.won[column], cast))
            for foot, column in zip(feet, seen.look.order, strict=True)
        ]
    above = heads(seen.grid, seen.look, [columns.note(one) for one in seen.grid.columns])
    asked = [row.get("expected") for row in seen.grid.rows]
    return {
        "feet": feet,
        "beside": beside(above, feet, solo=seen.options.solo),
        "judges": any(map(judgeable, asked)),
        "unjudged": sum(bool(one) and not judgeable(one) for one in asked),
        "longest_judged": LONGEST_JUDGED,
    }


def size(found: Grid, samples: int) -> str:
    """`3 columns, 24 examples, 5 samples each`."""
    said = [plural(len(found.columns), "column"), plural(len(found.rows), "example")]
    return ", ".join([*said, f"{samples} samples each"] if samples > 1 else said)


def _rows(seen: Seen, stacks: list[list[str]]) -> list[dict[str, Any]]:
    return [
        {
            "name": row["name"],
            "given": [
                (name, show(value), picture_in(value)) for name, value in row["variables"].items()
            ],
            "expected": row.get("expected"),
            "stacks": [Markup(one) for one in stacks[at]],  # noqa: S704 drawn by our own template
        }
        for at, row in enumerate(seen.grid.rows)
    ]


def _texts(seen: Seen) -> list[dict[str, Any]]:
    return [
        {
            "title": f"{one['title']} · {one['model']}",
            "messages": [_message(said) for said in dicts(one["document"].get("messages"))],
        }
        for one in seen.grid.columns
    ]


def _message(said: Mapping[str, Any]) -> dict[str, str]:
    if said.get("role") == "placeholder":
        return {"role": "conversation so far", "content": f"{{{{ {said.get('name')} }}}}"}
    return {"role": str(said.get("role")), "content": str(said.get("content") or "")}


def _ballot(seen: Seen) -> dict[str, Any] | None:
    """What a person still hidden from the names can choose, row by row."""
    look = seen.look
    if not look.hidden or look.alone:
        return None
    return {
        "letters": [(at, chr(ord("A") + at)) for at in range(len(look.order))],
        "chosen": {
            row: look.at(choice) if choice >= 0 else choice for row, choice in seen.votes.items()
        },
        "left": sum(row not in seen.votes for row in range(len(seen.grid.rows))),
        "tie": votes.TIE,
        "none": votes.NONE,
    }
