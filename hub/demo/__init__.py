"""The demo workspace: a small clinic's prompts, told as a history with people, dates and reasons.

Each file under `stories/` is one prompt: its versions (a later one names only what it changes), its
releases and its examples. Telling it twice changes nothing: every step carries its own request id.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy import select

from hub.db import now
from hub.demo import reviewing
from hub.parts import Parts
from hub.people import audit
from hub.people.accounts import OPERATOR
from hub.people.policy import Actor, WorkspaceRef
from hub.playground.models import Example
from hub.registry import versions
from hub.registry.labels import labels
from hub.registry.models import Prompt
from hub.registry.prompt.document import from_json

STORIES = Path(__file__).parent / "stories"
SLUG, NAME = "demo", "Harbour Clinic"
BEGUN, TOLD = "demo.begun", "demo.told"
SAVE, RELEASE = "1-save", "2-release"  # in this order within one minute


async def tell(parts: Parts, workspace: WorkspaceRef) -> int:
    """Bring the demo workspace's history about, once; returns how many prompts were told of."""
    if not await _begin(parts, workspace.id, workspace.slug):
        return 0
    stories = {story_name(path): _read(path) for path in sorted(STORIES.rglob("*.yml"))}
    hashes: dict[str, str | None] = dict.fromkeys(stories)
    documents: dict[str, dict[str, Any]] = {name: {} for name in stories}
    numbers: dict[tuple[str, str], int | None] = {}
    for at, kind, name, step, number in sorted(_steps(stories), key=lambda step: step[:2]):
        if kind == SAVE:
            documents[name] |= step["document"]
            hashes[name] = await _save(
                parts, workspace, name, documents[name], hashes[name], step, at, number
            )
        else:
            place = step["label"], name
            await _release(parts, workspace, place, numbers.get(place), step, at, number)
            numbers[place] = step["version"]
    await reviewing.tell(parts, workspace, stories)
    await _examples(parts, workspace, stories)
    return len(stories)


async def _begin(parts: Parts, workspace_id: int, slug: str) -> bool:
    """Whether there is something left to tell; not where a history lies that we did not begin:
    one from a backup, or of lost tables."""
    async with parts.database.write() as db:
        if await audit.has(db, workspace_id, TOLD):
            return False
        if await audit.has(db, workspace_id, BEGUN):
            return True
        its_own = select(Prompt.id).where(Prompt.workspace_id == workspace_id).limit(1)
        if await db.scalar(its_own):
            return False
        audit.record(db, OPERATOR, BEGUN, slug, workspace_id)
        return True


async def _save(
    parts: Parts, workspace: WorkspaceRef, name: str, document: dict[str, Any], base: str | None,
    step: dict[str, Any], at: datetime, number: int,
) -> str:  # fmt: skip
    saved = await versions.save(
        parts.publisher, workspace, name, from_json(document), base=base, actor=_actor(step["by"]),
        message=step["why"], request_id=f"demo:{name}:{number}", at=at,
    )  # fmt: skip
    return saved.hash


async def _release(
    parts: Parts, workspace: WorkspaceRef, place: tuple[str, str], expected: int | None,
    step: dict[str, Any], at: datetime, number: int,
) -> None:  # fmt: skip
    label, name = place
    await labels.move(
        parts.publisher, workspace, label, name, step["version"], expected=expected,
        actor=_actor(step["by"]), reason=step["why"], request_id=f"demo:{label}:{name}:{number}",
        at=at,
    )  # fmt: skip


def story_name(path: Path) -> str:
    return path.relative_to(STORIES).with_suffix("").as_posix()


def _read(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def _steps(
    stories: dict[str, dict[str, Any]],
) -> Iterator[tuple[datetime, str, str, dict[str, Any], int]]:
    """Every save and release of every story, with its moment; snippets come before their users."""
    today = datetime.now(UTC).replace(hour=9, minute=12, second=0, microsecond=0)
    for place, (name, story) in enumerate(stories.items()):
        for kind, steps in ((SAVE, story["versions"]), (RELEASE, story["releases"])):
            for number, step in enumerate(steps):
                at = today - timedelta(days=step["days_ago"], minutes=-7 * place)
                yield at, kind, name, step, number


def _actor(name: str) -> Actor:
    return Actor(kind="operator", name=name, email=reviewing.address(name))


async def _examples(
    parts: Parts, workspace: WorkspaceRef, stories: dict[str, dict[str, Any]]
) -> None:
    async with parts.database.write() as db:
        found = await db.execute(
            select(Prompt.name, Prompt.id).where(Prompt.workspace_id == workspace.id)
        )
        ids = {row.name: row.id for row in found}
        audit.record(db, OPERATOR, TOLD, workspace.slug, workspace.id)
        for name, story in stories.items():
            for position, example in enumerate(story["examples"], 1):
                db.add(
                    Example(
                        workspace_id=workspace.id,
                        prompt_id=ids[name],
                        position=position,
                        name=example["name"],
                        variables=example["variables"],
                        expected=example.get("expected"),
                        created_by="Maria Keller",
                        created_at=now(),
                    )
                )
