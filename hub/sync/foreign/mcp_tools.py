"""What agents can do: look for prompts, read them, and propose changes. Nothing else is written.

Knows nothing of the protocol: a tool has a name, a description for a model, a JSON schema of what
it takes, what it needs, and a function from plain values to plain values.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from hub.people.keys import KeyGrant
from hub.people.policy import Need
from hub.registry.prompt.document import serialise
from hub.registry.prompt.names import check_name
from hub.registry.reading import catalog
from hub.registry.reading.aside import aside
from hub.registry.rest.api_parts import document_of, view_of
from hub.registry.rest.bodies import shaped
from hub.registry.review import checks, proposals, record
from hub.registry.review.drawing import Wanted
from hub.sync.foreign.mcp_door import Parts

Json = dict[str, Any]


class Search(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    query: Annotated[str, Meta(description="Words in names, texts and tags; empty: all.")] = ""
    folder: Annotated[str, Meta(description="Only in this folder and below.")] = ""
    tag: Annotated[str, Meta(description="Only with this tag.")] = ""
    label: Annotated[str, Meta(description="Only with this label, such as production.")] = ""
    cursor: Annotated[str, Meta(description="`next` of the page before.")] = ""
    limit: Annotated[int, Meta(ge=1, le=100, description="At most so many.")] = 20


class Read(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: Annotated[str, Meta(description="Such as support/triage.")]
    version: Annotated[
        int | None, Meta(description="Its number; left out, with no label: the newest.")
    ] = None
    label: Annotated[str, Meta(description="production, staging, …")] = ""


class Propose(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: Annotated[str, Meta(description="The prompt; one that does not exist yet is created.")]
    file: Annotated[
        str,
        Meta(description="The whole new file, as `file` of read_prompt with your changes in it."),
    ]
    title: Annotated[str, Meta(description="The change in a few words, for the reviewers.")]
    why: Annotated[str, Meta(description="Why it is better; what you tried.")] = ""
    base: Annotated[
        str, Meta(description="`hash` of the version you edited, from read_prompt.")
    ] = ""


class Follow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    number: Annotated[int, Meta(ge=1, le=2**31 - 1, description="The proposal's number.")]


class Tool(msgspec.Struct, frozen=True, kw_only=True):
    """See the top of the file."""

    name: str
    title: str
    about: str
    takes: type[msgspec.Struct]
    needs: Need
    run: Callable[[Parts, KeyGrant, Any], Awaitable[Json]]

    @property
    def schema(self) -> Json:
        """JSON schema of what it takes, whole."""
        (_,), found = msgspec.json.schema_components((self.takes,), ref_template="{name}")
        return found[self.takes.__name__]

    async def call(self, parts: Parts, grant: KeyGrant, given: Mapping[str, Any]) -> Json:
        """Raises:
        HubError: a sentence for the agent.
        """
        return await self.run(parts, grant, shaped(dict(given), self.takes))


async def search(parts: Parts, grant: KeyGrant, asked: Search) -> Json:
    async with parts.database.read() as db:
        found = await catalog.find(
            db, grant.workspace.id, q=asked.query, folder=asked.folder, tag=asked.tag,
            label=asked.label, cursor=asked.cursor, limit=asked.limit,
        )  # fmt: skip
    items = [
        {
            "name": one.name, "title": one.title, "description": one.description,
            "tags": one.tags, "newest": one.version,
            "labels": {at.label: at.version for at in one.labels},
        }
        for one in found.items
    ]  # fmt: skip
    return {"prompts": items, "next": found.next, "total": found.total}


async def read(parts: Parts, grant: KeyGrant, asked: Read) -> Json:
    check_name(asked.name)
    async with parts.database.read() as db:
        view = await view_of(db, grant.workspace, asked.name, asked.version, asked.label or None)
    file = await aside(len(view.raw), lambda: serialise(view.document).decode())
    return {
        "name": view.name, "version": view.number, "newest": view.head, "hash": view.hash,
        "labels": view.labels, "author": view.author, "message": view.message,
        "created_at": view.created_at.isoformat(), "file": file, "snippets": view.snippets,
    }  # fmt: skip


async def propose(parts: Parts, grant: KeyGrant, asked: Propose) -> Json:
    check_name(asked.name)
    document = await aside(len(asked.file), lambda: document_of(asked.file))
    async with parts.database.read() as db:
        try:
            await catalog.get(db, grant.workspace.id, asked.name)
            wanted = Wanted(
                kind="change", name=asked.name, document=document, base=asked.base or None
            )
        except catalog.NoSuchPrompt:
            wanted = Wanted(kind="create", name=asked.name, document=document)
    made = await proposals.propose(
        parts.publisher, parts.database, grant.workspace, actor=grant.actor, title=asked.title,
        why=asked.why, items=[wanted],
    )  # fmt: skip
    await checks.refresh(parts.database, grant.workspace, made.number)
    return await follow(parts, grant, Follow(made.number))


async def follow(parts: Parts, grant: KeyGrant, asked: Follow) -> Json:
    await checks.refresh(parts.database, grant.workspace, asked.number)
    async with parts.database.read() as db:
        view = await record.get(db, grant.workspace.id, asked.number)
    return {
        "number": view.number, "title": view.title, "state": view.state_now,
        "sentence": view.sentence, "prompts": view.names,
        "url": f"{parts.url}/{grant.workspace.slug}/proposals/{view.number}",
        "missing": list(view.verdict.missing),
        "checks": [
            {"name": one.name, "state": one.state, "summary": one.summary} for one in view.checks
        ],
        "words": [
            {"by": one.name, "verdict": one.verdict, "body": one.body} for one in view.reviews
        ],
    }  # fmt: skip


TOOLS = {
    tool.name: tool
    for tool in (
        Tool(
            name="search_prompts", title="Search prompts", takes=Search, needs=Need.READ,
            run=search,
            about="Find prompts of this workspace by words, folder, tag or label.",
        ),
        Tool(
            name="read_prompt", title="Read a prompt", takes=Read, needs=Need.READ, run=read,
            about="One version of a prompt: its file (YAML) with messages, variables and "
            "settings, its labels, and the hash that a change is based on.",
        ),
        Tool(
            name="propose_change", title="Propose a change", takes=Propose, needs=Need.PROPOSE,
            run=propose,
            about="Offer a new wording of a prompt, or a new prompt, to the people who review "
            "it. Nothing changes until they agree; the answer has the address of the proposal.",
        ),
        Tool(
            name="read_proposal", title="Read a proposal", takes=Follow, needs=Need.READ,
            run=follow,
            about="How a proposal stands: what is missing, checks, and what reviewers said.",
        ),
    )
}  # fmt: skip
