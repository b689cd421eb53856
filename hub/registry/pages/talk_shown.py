"""What the talk's templates show, on whichever page of a proposal they stand."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from hub.people.policy import Actor
from hub.registry.prompt.form import whole
from hub.registry.review import threads
from hub.registry.review.anchors import texts_of
from hub.registry.review.views import View


class Refused(msgspec.Struct, frozen=True):
    """What could not be sent, so that the page shows it again with the reason."""

    slot: str
    body: str
    sentence: str
    resolved: bool = False


class Begun(msgspec.Struct, frozen=True):
    """A remark on words that was begun and not sent."""

    slot: str
    prompt_id: str
    place: str
    start: int
    revision: int
    quote: str


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Which form the page is asked to open, by the number of a remark."""

    quote: int | None = None
    """Of one to be answered with its own words."""
    answer: int | None = None
    """Of the first of a thread."""
    change: int | None = None


NOTHING = Asked()


async def talk_of(
    db: AsyncSession, view: View, actor: Actor, *, back: str = "talk", asked: Asked = NOTHING,
    refused: Refused | None = None, typed: dict[str, str] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """What the talk's templates need, on whichever page they stand; `back`: talk or changes."""
    talk = await threads.of(db, view, actor=actor)
    answering, quoting = _quote(talk, asked.quote) if asked.quote else (asked.answer or 0, "")
    return {
        "proposal": view,
        "talk": talk,
        "begun": await _begun(db, view, talk),
        "places": _places(view),
        "answering": answering,
        "quoting": quoting,
        "changing": asked.change or 0,
        "error": refused,
        "typed": typed or {},
        "back": back,
    }


def _places(view: View) -> list[tuple[str, str]]:
    """Where words can be chosen by hand."""
    many = len(view.items) > 1
    return [
        (
            f"{item.prompt_id}|{place}",
            f"{item.title}: {said}" if many else said[:1].upper() + said[1:],
        )
        for item in view.items
        for place in [*texts_of(item.new or item.old), "settings", "variables"]
        for said in [threads.place_said(place, item)]
    ]


def _quote(talk: threads.Talk, asked: int | None) -> tuple[int, str]:
    """The thread to answer in and what the answer begins with."""
    for thread in talk.threads:
        for said in thread.said:
            if said.id == asked:
                return thread.id, said.quote_start
    return 0, ""


async def _begun(db: AsyncSession, view: View, talk: threads.Talk) -> list[Begun]:
    """Remarks on words that were begun: their slots name prompt, place, start, length, revision."""
    made: list[Begun] = []
    for slot in talk.unsent:
        kind, _, rest = slot.partition(":")
        parts = rest.split(":")
        if kind != "on" or len(parts) != 5:
            continue
        prompt_id, place, *numbers = parts
        start, length, revision = (whole(one) for one in numbers)
        if start is None or not length or not revision or revision > view.revision:
            continue
        quote = await threads.words_at(db, view, prompt_id, place, start, length, revision)
        made.append(Begun(slot, prompt_id, place, start, revision, quote))
    return made
