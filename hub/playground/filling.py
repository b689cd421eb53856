"""Prompts filled in for programs that come by other doors than the pages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from hub.db import Database
from hub.errors import Invalid
from hub.playground import examples, pictures
from hub.playground.pictures import IN_WHOLE
from hub.playground.render import Renderer
from hub.playground.values import Field, fields_of, read, show
from hub.registry.reading.aside import aside
from hub.registry.reading.record import VersionView

Json = dict[str, Any]
MOST_SUGGESTED = 100
_EITHER = ("yes", "no")


class Argument(msgspec.Struct, frozen=True, kw_only=True):
    """Something that has to be, or may be, given."""

    name: str
    help: str
    required: bool


class Filling:
    """What is asked for, what may stand there, and the prompt with it."""

    def __init__(self, database: Database, renderer: Renderer) -> None:
        self._database = database
        self._renderer = renderer

    def arguments(self, view: VersionView) -> list[Argument]:
        """In the order of their use."""
        return [
            Argument(
                name=one.name, required=one.required,
                help=f"{one.help} {IN_WHOLE}".strip() if one.control == "image" else one.help,
            )
            for one in fields_of(view.tree)
        ]  # fmt: skip

    async def typed(self, view: VersionView, typed: Mapping[str, str]) -> Json:
        """The request of a chat with values as people write them.

        Raises:
            Invalid: a value cannot be read, is not known or is missing; the sentence says which.
        """
        fields = fields_of(view.tree)
        _no_others(fields, typed)
        values, wrong = read([one for one in fields if one.control != "image"], typed)
        for name, sentence in wrong.items():
            raise Invalid(f"{name}: {sentence}")
        return await self._with_pictures(view, fields, typed, values)

    async def given(
        self, view: VersionView, given: Mapping[str, Any], meant: Iterable[str] = ()
    ) -> Json:
        """The same with values as JSON; a text stands for a number or a list where one is due.

        `meant`: the names of those that are certainly pictures.

        Raises:
            Invalid: as above.
        """
        fields = fields_of(view.tree)
        _no_others(fields, given)
        texts = {name: one for name, one in given.items() if isinstance(one, str)}
        values, wrong = read([one for one in fields if one.control not in ("text", "image")], texts)
        for name, sentence in wrong.items():
            raise Invalid(f"{name}: {sentence}")
        images = {one.name for one in fields if one.control == "image"}
        for name in set(meant) - images:
            raise Invalid(f"{name} is not a picture in this prompt, and one was given.")
        return await self._with_pictures(view, fields, given, {**given, **values})

    async def _with_pictures(
        self, view: VersionView, fields: list[Field], given: Mapping[str, Any], values: Json
    ) -> Json:
        """Filled in while the pictures' megabytes stand aside."""
        sizes = {
            one.name: len(str(given[one.name]))
            for one in fields
            if one.control == "image" and given.get(one.name)
        }

        def look() -> tuple[Json, dict[str, str]]:
            checked = {name: pictures.data_address(name, given[name]) for name in sizes}
            return pictures.aside(checked)

        addresses, whole = await aside(sum(sizes.values()), look)
        return pictures.with_bytes(await self.request(view, values | addresses), whole)

    async def request(self, view: VersionView, values: Json) -> Json:
        """The request of a chat: `messages`, and the prompt's own model and settings."""
        return await self._renderer.request(view.tree, dict(view.snippets), values)

    async def suggestions(
        self, workspace_id: int, view: VersionView, name: str, begun: str
    ) -> list[str]:
        """What may stand there and begins so: from what the prompt says of it, and its examples."""
        field = next((one for one in fields_of(view.tree) if one.name == name), None)
        if field is None:
            return []
        found = dict.fromkeys(_EITHER if field.control == "boolean" else (field.example,))
        async with self._database.read() as db:
            for one in await examples.listing(db, workspace_id, view.prompt_id):
                found[show(one.variables.get(name))] = None
        begun = begun.casefold()
        fitting = [one for one in found if one and one.casefold().startswith(begun)]
        return fitting[:MOST_SUGGESTED]


def _no_others(fields: list[Field], typed: Mapping[str, Any]) -> None:
    known = [one.name for one in fields]
    if others := sorted(set(typed) - set(known)):
        raise Invalid(
            f"{others[0][:80]} is not asked for here; known are {', '.join(known) or 'none'}."
        )
