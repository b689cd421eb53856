"""The REST interface: prompts, versions, labels. The key says which workspace; names come last.

Reads follow old names, so that an app with yesterday's name goes on; writes ask for today's.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from litestar import Response, delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, QueryParameter, RawBody
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import Database
from hub.errors import NotFound
from hub.people.policy import Actor, Need, WorkspaceRef
from hub.registry import versions
from hub.registry.labels import labels
from hub.registry.prompt import names
from hub.registry.prompt.diff import compare
from hub.registry.reading import catalog, history
from hub.registry.reading.record import Record, encode, etag_of, record
from hub.registry.rest import bodies
from hub.registry.rest.api_parts import (
    FRESH,
    Ask,
    about_prompt,
    as_json,
    has_tag,
    moment_of,
    named,
    pointed,
    publisher_of,
    read_save,
    request_id,
    view_of,
)  # fmt: skip
from hub.registry.rest.api_schema import READS, WRITES, described
from hub.registry.rest.diff_bodies import VersionDiff

Db = NamedDependency[AsyncSession]
Place = NamedDependency[WorkspaceRef]
Who = NamedDependency[Actor]
Version = Annotated[int | None, QueryParameter(ge=1, le=2**31 - 1, description="Its number.")]
Label = Annotated[
    str | None, QueryParameter(description="`production`, `staging`, …; `latest` follows main.")
]

MOST_VERSIONS = 500


@get(
    "/api/v1/prompts", needs=Need.READ, name="api:list", include_in_schema=True,
    operation_id="listPrompts", summary="List and search prompts", tags=["prompts"],
    operation_class=described(bodies.PromptList),
)  # fmt: skip
async def list_prompts(
    db: Db,
    workspace: Place,
    q: Annotated[str, QueryParameter(description="Words in names, texts and tags.")] = "",
    folder: Annotated[str, QueryParameter(description="In this folder and below.")] = "",
    tag: FromQuery[str] = "",
    label: Annotated[str, QueryParameter(description="Only prompts that have this label.")] = "",
    cursor: Annotated[str, QueryParameter(description="`next` of the page before.")] = "",
    limit: Annotated[int, QueryParameter(description="1 to 200.")] = 50,
) -> Response[bytes]:
    """By name, or the best first if `q` is given; a search shows its best 200."""
    found = await catalog.find(
        db, workspace.id, q=q, folder=folder, tag=tag, label=label, cursor=cursor, limit=limit
    )
    items = [_listed(item) for item in found.items]
    return as_json(bodies.PromptList(items, found.next, found.total))


def _listed(item: catalog.Item) -> bodies.ListedPrompt:
    return bodies.ListedPrompt(
        name=item.name, id=item.id, title=item.title, description=item.description, tags=item.tags,
        version=item.version, hash=item.hash, changed_at=item.changed_at, problem=item.problem,
        labels=[bodies.ListedLabel(one.label, one.version) for one in item.labels],
        changed_by=item.changed_by, message=item.change, hit=item.hit,
    )  # fmt: skip


@get(
    "/api/v1/prompts/{name:path}", needs=Need.READ, name="api:prompt", include_in_schema=True,
    operation_id="getPrompt", summary="Get a prompt", tags=["prompts"],
    operation_class=described(Record, errors=(304, *READS)),
)  # fmt: skip
async def get_prompt(
    request: Ask, db: Db, workspace: Place, name: FromPath[str], label: Label = None,
    version: Version = None,
) -> Response[bytes]:  # fmt: skip
    """What `label` points at, or one `version`; with neither, the latest. Answers 304 to
    `If-None-Match` with the entity tag of the last answer."""
    served = request.app.state.served
    epoch = served.epoch
    asked, label = named(name), label or None
    view = await view_of(db, workspace, asked, version, label)
    body = encode(record(view))
    etag = etag_of(body)
    if view.name == asked:
        served.keep(workspace.id, asked, label, version, etag, body, epoch=epoch)
    headers = FRESH | {"ETag": etag}
    if view.name != asked:
        headers["Content-Location"] = f"/api/v1/prompts/{view.name}"
    if has_tag(request.headers.get("If-None-Match", ""), etag):
        return Response(b"", status_code=304, headers=headers, media_type="application/json")
    return Response(body, headers=headers, media_type="application/json")


@delete(
    "/api/v1/prompts/{name:path}", needs=Need.SAVE, name="api:delete", include_in_schema=True,
    operation_id="deletePrompt", summary="Delete a prompt", tags=["prompts"], status_code=204,
    operation_class=described(None, status=204, errors=WRITES, said="It is gone."),
)  # fmt: skip
async def delete_prompt(
    request: Ask, actor: Who, workspace: Place, name: FromPath[str],
    message: Annotated[str, QueryParameter(description="Why.")] = "",
    despite_programs: Annotated[
        str, QueryParameter(description="Why it shall go though programs that run now read it.")
    ] = "",
) -> None:  # fmt: skip
    """Takes it and its labels away; its versions stay in the history and can be brought back."""
    await versions.delete(
        publisher_of(request), workspace, named(name), actor=actor, message=message,
        request_id=request_id(request), despite=despite_programs,
    )  # fmt: skip


@get(
    "/api/v1/versions/{name:path}", needs=Need.READ, name="api:versions", include_in_schema=True,
    operation_id="listVersions", summary="List the versions of a prompt", tags=["versions"],
    operation_class=described(bodies.VersionList),
)  # fmt: skip
async def list_versions(
    db: Db, workspace: Place, name: FromPath[str],
    cursor: Annotated[int | None, QueryParameter(ge=1, le=2**31 - 1)] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=MOST_VERSIONS)] = 100,
) -> Response[bytes]:  # fmt: skip
    """The newest first, without their texts."""
    about = await about_prompt(db, workspace, name)
    lines = await history.versions(db, workspace.id, about.id, before=cursor, limit=limit + 1)
    items = [
        bodies.ListedVersion(
            version=one.number, hash=one.hash, commit=one.commit, name=one.name,
            author=one.author, message=one.message, labels=one.labels, created_at=one.at,
        )
        for one in lines[:limit]
    ]  # fmt: skip
    more = str(items[-1].version) if len(lines) > limit else None
    return as_json(
        bodies.VersionList(name=about.name, id=about.id, items=items, next=more, total=about.head)
    )


@post(
    "/api/v1/versions/{name:path}", needs=Need.SAVE, name="api:save", include_in_schema=True,
    operation_id="saveVersion", summary="Save a version", tags=["versions"],
    operation_class=described(
        bodies.SavedRecord, body=bodies.SaveVersion, status=201, errors=WRITES, said="It is saved."
    ),
)  # fmt: skip
async def save_version(
    request: Ask, body: RawBody, actor: Who, workspace: Place, database: NamedDependency[Database],
    name: FromPath[str],
) -> Response[bytes]:  # fmt: skip
    """Durable in git when it is answered. With a `base` that is no longer the latest: 409, with
    `current` (version, hash, author, message); nothing is overwritten. An `Idempotency-Key` makes
    it safe to send again."""
    given, document = await read_save(body)
    saved = await versions.save(
        publisher_of(request), workspace, named(name), document, base=given.base, actor=actor,
        message=given.message, request_id=request_id(request),
    )  # fmt: skip
    async with database.read() as db:
        made = await _saved(db, workspace, saved)
    status = 201 if saved.created else 200
    where = {"Location": f"/api/v1/prompts/{saved.name}?version={saved.version}"}
    return Response(made, status_code=status, headers=where, media_type="application/json")


async def _saved(db: AsyncSession, workspace: WorkspaceRef, saved: versions.Saved) -> bytes:
    try:
        made = record(await catalog.version(db, workspace.id, saved.name, saved.version))
    except NotFound:  # a repeated request, and the prompt was renamed or deleted since
        return msgspec.json.encode(saved)
    return msgspec.json.encode(
        bodies.SavedRecord(**msgspec.structs.asdict(made), created=saved.created)
    )


@get(
    "/api/v1/labels/{label:str}/{name:path}", needs=Need.READ, name="api:label",
    include_in_schema=True, operation_id="getLabel", summary="The history of a label",
    tags=["labels"], operation_class=described(bodies.LabelHistory),
)  # fmt: skip
async def get_label(
    db: Db, workspace: Place, label: FromPath[str], name: FromPath[str],
    at: Annotated[
        str | None,
        QueryParameter(description="A moment (ISO 8601; UTC if it names no zone): what was live?"),
    ] = None,
) -> Response[bytes]:  # fmt: skip
    """Every move on this prompt, the newest first; with `at`, what was live then."""
    names.check_label(label)
    about = await about_prompt(db, workspace, name)
    moves = await labels.history(db, workspace.id, label, about.id)
    now = about.live(label)
    version, digest = (now.version, now.hash) if now else (None, None)
    if at is not None:
        moment = moment_of(at)
        moves = [move for move in moves if move.at <= moment][:1]
        live = await labels.as_of(db, workspace.id, label, moment, about.name)
        version, digest = (live[0].version, live[0].hash) if live else (None, None)
    items = [_move(move) for move in moves]
    return as_json(
        bodies.LabelHistory(name=about.name, label=label, version=version, hash=digest, items=items)
    )


@put(
    "/api/v1/labels/{label:str}/{name:path}", needs=Need.RELEASE, name="api:release",
    include_in_schema=True, operation_id="moveLabel", summary="Move a label", tags=["labels"],
    operation_class=described(bodies.Released, body=bodies.MoveLabel, errors=WRITES),
)  # fmt: skip
async def move_label(
    request: Ask, body: RawBody, actor: Who, workspace: Place, label: FromPath[str],
    name: FromPath[str],
) -> Response[bytes]:  # fmt: skip
    """Apps that ask for the label get that version from now on. With `expected`, it moves only if
    it still is there; else 409, with `current`."""
    given = bodies.decode(body, bodies.MoveLabel)
    move = await labels.move(
        publisher_of(request), workspace, label, named(name), given.version,
        expected=given.expected, actor=actor, reason=given.reason,
        request_id=request_id(request), despite=given.despite_programs, share=given.share * 100,
    )  # fmt: skip
    return as_json(_released(label, named(name), move))


@get(
    "/api/v1/diff/{name:path}", needs=Need.READ, name="api:diff", include_in_schema=True,
    operation_id="compareVersions", summary="Compare two versions", tags=["versions"],
    operation_class=described(VersionDiff),
)  # fmt: skip
async def get_diff(
    db: Db, workspace: Place, name: FromPath[str],
    old: Annotated[str, QueryParameter(name="from", description="A number or a label.")] = "",
    new: Annotated[str, QueryParameter(name="to", description="A number or a label.")] = "latest",
) -> Response[bytes]:  # fmt: skip
    """Message by message, whole words; settings and variables apart. Without `from`: the version
    before."""
    after = await pointed(db, workspace, named(name), new)
    before = None
    if old or after.number > 1:
        before = await pointed(db, workspace, after.name, old or str(after.number - 1))
    change = compare(before.document if before else None, after.document)
    return as_json(
        VersionDiff(
            name=after.name, old=before.number if before else None, new=after.number,
            from_hash=before.hash if before else None, to_hash=after.hash,
            **msgspec.structs.asdict(change),
        )
    )  # fmt: skip


def _move(move: Any) -> bodies.Move:
    return bodies.Move(
        version=move.new, previous=move.old, by=move.author, reason=move.reason, at=move.at,
        commit=move.commit,
    )  # fmt: skip


def _released(label: str, name: str, move: Any) -> bodies.Released:
    return bodies.Released(name=name, label=label, **msgspec.structs.asdict(_move(move)))


ROUTES = [
    list_prompts, get_prompt, delete_prompt, list_versions, save_version, get_label, move_label,
    get_diff,
]  # fmt: skip
