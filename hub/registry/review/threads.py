"""The talk on a proposal as its pages show it: threads, each beside the words it is about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.people.policy import Actor
from hub.registry.prompt.document import Document
from hub.registry.review import comments, remarks, unsent
from hub.registry.review.anchors import OLD, Anchor, Found, find, texts_before_and_after
from hub.registry.review.models import Comment
from hub.registry.review.record import items_of
from hub.registry.review.remarks import Block
from hub.registry.review.views import ItemView, View

Texts = Mapping[str, Mapping[str, str]]
"""Place → text, by prompt id."""

_AROUND = 90  # characters shown on either side of the words


class Remark(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that somebody said."""

    id: int
    author: str
    body: str
    blocks: list[Block]
    quote_start: str
    """What an answer to it begins with when it is quoted."""
    created_at: datetime
    edited_at: datetime | None
    mine: bool


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """What a thread is about, in the text as it is now."""

    state: Literal["here", "moved", "reworded", "gone"]
    quote: str
    """The words as they are now; of those that are gone, as they were."""
    before: str = ""
    after: str = ""
    place: str | None
    start: int | None = None
    length: int | None = None
    """In characters (code points) of the place's text."""
    gone_since: int | None = None
    """The revision that took them away."""


class Thread(msgspec.Struct, frozen=True, kw_only=True):
    """A remark with its answers."""

    id: int
    said: list[Remark]
    """The first one began it."""
    revision: int
    prompt_id: str | None
    prompt_name: str | None
    place_said: str
    """`first message, system`; empty: the proposal or prompt as a whole."""
    words: Words | None
    resolved_at: datetime | None
    resolved_by: str | None
    may_resolve: bool

    @property
    def first(self) -> Remark:
        return self.said[0]


class Talk(msgspec.Struct, frozen=True, kw_only=True):
    """Everything said about one proposal."""

    threads: list[Thread]
    """On words and places, in the order of the texts; then those on the whole."""
    unsent: dict[str, str]
    """What this person typed and did not send, by form."""

    @property
    def open(self) -> list[Thread]:
        return [one for one in self.threads if one.resolved_at is None]

    @property
    def resolved(self) -> list[Thread]:
        return [one for one in self.threads if one.resolved_at is not None]

    @property
    def on_words(self) -> list[Thread]:
        return [one for one in self.open if one.prompt_id is not None]

    @property
    def on_the_whole(self) -> list[Thread]:
        return [one for one in self.open if one.prompt_id is None]


async def of(db: AsyncSession, view: View, *, actor: Actor) -> Talk:
    """The talk, with every thread at its words in the latest revision."""
    rows = await _rows(db, view.workspace_id, view.number)
    known = await comments.members(db, view.workspace_id)
    roots = [one for one in rows if one.parent_id is None]
    answers: dict[int, list[Comment]] = {}
    for one in rows:
        if one.parent_id is not None:
            answers.setdefault(one.parent_id, []).append(one)
    at_words = await _Places.read(db, view, roots)

    def thread(root: Comment) -> Thread:
        said = [_remark(one, known, actor) for one in (root, *answers.get(root.id, ()))]
        item = at_words.items.get(root.prompt_id or "")
        return Thread(
            id=root.id, said=said, revision=root.revision, prompt_id=root.prompt_id,
            prompt_name=(item.new_name or item.name) if item else None,
            place_said=place_said(root.place, item), words=at_words.words(root),
            resolved_at=root.resolved_at, resolved_by=root.resolved_by,
            may_resolve=comments.may_resolve(
                actor, view.workspace_id, root.account_id, view.account_id
            ),
        )  # fmt: skip

    threads = sorted((thread(one) for one in roots), key=at_words.order)
    held = await unsent.of(db, view.workspace_id, view.number, actor.account_id)
    return Talk(threads=threads, unsent=held)


def place_said(place: str | None, item: ItemView | None) -> str:
    """A place as people call it."""
    if place is None:
        return ""
    document = item.old if item and place.startswith(OLD) else item.new if item else None
    said = _message_said(place.removeprefix(OLD), document)
    return f"{said}, as it was" if place.startswith(OLD) else said


def _message_said(place: str, document: Document | None) -> str:
    if not place.startswith("messages/"):
        return {"answer": "answer shape", "other": "other settings"}.get(place, place)
    at = int(place.partition("/")[2])
    if document and at < len(document.messages) > 1:
        return f"message {at + 1}, {document.messages[at].role}"
    return f"message {at + 1}"


async def _rows(db: AsyncSession, workspace_id: int, number: int) -> Sequence[Comment]:
    query = select(Comment).where(Comment.workspace_id == workspace_id, Comment.number == number)
    return (await db.scalars(query.order_by(Comment.id))).all()


def _remark(one: Comment, known: remarks.Callable, actor: Actor) -> Remark:
    return Remark(
        id=one.id, author=one.author, body=one.body, blocks=remarks.blocks(one.body, known),
        quote_start=remarks.quoted(one.body), created_at=one.created_at, edited_at=one.edited_at,
        mine=one.account_id == actor.account_id,
    )  # fmt: skip


def _texts(items: Sequence[ItemView]) -> dict[str, dict[str, str]]:
    return {one.prompt_id: texts_before_and_after(one.old, one.new) for one in items}


def anchor_of(one: Comment) -> Anchor | None:
    """The words that the remark is about, as they were; None: it is about a whole."""
    if not one.quote or one.place is None:
        return None
    return Anchor(
        place=one.place, quote=one.quote, before=one.before, after=one.after, start=one.start or 0
    )


class _Places:
    """Where the remarks' words are in the latest revision, and since when those that are gone."""

    def __init__(self, view: View, found: dict[int, Found | None], since: dict[int, int]) -> None:
        self.items = {one.prompt_id: one for one in view.items}
        self.order_of = {one.prompt_id: at for at, one in enumerate(view.items)}
        self.texts = _texts(view.items)
        self._found, self._since = found, since

    @classmethod
    async def read(cls, db: AsyncSession, view: View, roots: Sequence[Comment]) -> _Places:
        made = cls(view, {}, {})
        lost: list[tuple[Comment, Anchor]] = []
        for one in roots:
            if anchor := anchor_of(one):
                found = find(anchor, made.texts.get(one.prompt_id or "", {}))
                made._found[one.id] = found
                if found is None:
                    lost.append((one, anchor))
        made._since = await _gone_since(db, view, lost)
        return made

    def words(self, root: Comment) -> Words | None:
        if not root.quote:
            return None
        found = self._found[root.id]
        if found is None:
            return Words(
                state="gone", quote=root.quote, before=root.before[-_AROUND:],
                after=root.after[:_AROUND], place=root.place, gone_since=self._since.get(root.id),
            )  # fmt: skip
        text = self.texts[root.prompt_id or ""][found.place]
        return Words(
            state="here" if found.how == "same" else found.how, place=found.place,
            quote=text[found.start : found.end], start=found.start,
            before=_head(text, found.start), after=_tail(text, found.end),
            length=found.end - found.start,
        )  # fmt: skip

    def order(self, one: Thread) -> tuple[int, str, int, int]:
        """By prompt, place and words; what is on the whole comes last."""
        last = len(self.order_of)
        at = self.order_of.get(one.prompt_id or "", last + (one.prompt_id is None))
        words = one.words
        place = (words.place if words else None) or ""
        return at, place.removeprefix(OLD), (words.start or 0) if words else 0, one.id


def _head(text: str, start: int) -> str:
    low = max(0, start - _AROUND)
    cut = text.find(" ", low, start) + 1 if low else 0
    return ("…" if low else "") + text[cut or low : start]


def _tail(text: str, end: int) -> str:
    high = min(len(text), end + _AROUND)
    cut = text.rfind(" ", end, high) if high < len(text) else high
    return text[end : cut if cut > end else high] + ("…" if high < len(text) else "")


async def _gone_since(
    db: AsyncSession, view: View, lost: Sequence[tuple[Comment, Anchor]]
) -> dict[int, int]:
    """Between the revision that a remark was made on and the latest, the first without its words.

    Halves the span each time, so that of a hundred revisions seven are read.
    """
    held: dict[int, Texts] = {}

    async def texts(revision: int) -> Texts:
        if revision not in held:
            items = await items_of(db, view.workspace_id, view.number, revision)
            held[revision] = _texts(items)
        return held[revision]

    since: dict[int, int] = {}
    for one, anchor in lost:
        low, high = one.revision, view.revision
        while high - low > 1:
            middle = (low + high) // 2
            there = (await texts(middle)).get(one.prompt_id or "", {})
            low, high = (middle, high) if find(anchor, there) else (low, middle)
        since[one.id] = high
    return since


async def words_at(
    db: AsyncSession, view: View, prompt_id: str, place: str, start: int, length: int, revision: int
) -> str:
    """The words that stand there in that revision; empty if there are none."""
    items = view.items
    if revision != view.revision:
        items = await items_of(db, view.workspace_id, view.number, revision)
    return _texts(items).get(prompt_id, {}).get(place, "")[start : start + length]
