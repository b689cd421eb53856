"""Asking for a line of commits to be taken as it is: what somebody pushed, or a forge had.

    await arrive(publisher, workspace, line, actor=…, bring=…)

They are judged like every other ask, commit by commit, and the ref moves with the others of the
batch, if it still is where the line begins. Whoever brings them answers for them: what a commit
says of its author is a claim, so a note (`brought`) says who that was.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec
from sqlalchemy import Connection

from hub.errors import Conflict, Forbidden, HubError, Invalid
from hub.people.policy import Actor, Need, WorkspaceRef, allows, require
from hub.registry.git.commits import Change
from hub.registry.git.git_terms import DEPLOY
from hub.registry.git.line import Line, Step
from hub.registry.indexing.follow import declared_ids, follow_main, prompt_changes
from hub.registry.indexing.ledger import Held, Ledger
from hub.registry.prompt import names
from hub.registry.prompt.document import Document
from hub.registry.writing.asks import Settled
from hub.registry.writing.edits import label_gone, labels_along
from hub.registry.writing.pinned import pinned
from hub.registry.writing.publish import Publisher
from hub.registry.writing.pushed_releases import PushedRelease
from hub.registry.writing.saves import Put, check_free, check_includes
from hub.registry.writing.taking import Arrived, TakeLine


async def arrive(
    publisher: Publisher, workspace: WorkspaceRef, line: Line, *, actor: Actor,
    bring: Callable[[], None] | None = None, answers: bool = True, strict: bool = True,
    others: tuple[tuple[str, str], ...] = (),
) -> Arrived:  # fmt: skip
    """Put `line` on main, or on deploy, as it is; durable, and in the index, when it returns.

    `bring` has the objects put into the repository, once nothing speaks against it; it blocks.
    `answers`: `actor` stands for the commits, and counts as the author of what they say, in place
    of whoever they name; `others` (name and address) count beside them. `strict` as in `read_line`.

    Raises:
        Overtaken: the branch has moved on since the line was read.
        NeedsReview: the rules want it looked at first.
        BreaksPrograms: programs that run now could not fill in what it releases.
        Forbidden: it deletes what is live, and this actor may not.
        Invalid, Conflict: a file cannot be taken; the sentence names it.
    """
    given: dict[str, Any] = {"actor": actor, "message": "", "bring": bring}
    given |= {"line": line, "answers": answers, "others": others}
    if line.ref == DEPLOY:
        require(actor, Need.RELEASE, workspace.id)
        ask = PushedRelease(**given)
    else:
        require(actor, Need.SAVE, workspace.id)
        ask = Arrival(strict=strict, **given)
    return msgspec.convert(await publisher.publish(workspace, ask), Arrived)


@dataclass(kw_only=True)
class Arrival(TakeLine):
    """Take a line of commits onto main."""

    strict: bool = True
    _snippets: set[tuple[str, int]] = field(default_factory=set[tuple[str, int]])

    def __post_init__(self) -> None:
        super().__post_init__()
        for step in self.line.steps:
            self.names |= {name for name, _ in prompt_changes(step.commit)}
            self.ids |= declared_ids(step.commit)
            self._snippets |= {one for found in step.includes.values() for one in found}
        self.names |= {name for name, _ in self._snippets}

    def look(self, db: Connection, ledger: Ledger) -> None:
        # A name may become free within the line itself.
        taken = {name for step in self.line.steps for name, _ in prompt_changes(step.commit)}
        found = pinned(db, ledger.workspace_id, taken) if len(self.line.steps) > 1 else set[str]()
        ledger.pinned |= {name: name in found for name in taken if len(self.line.steps) > 1}

    def versions_wanted(self, ledger: Ledger) -> set[tuple[str, int]]:
        ids = {id for name in self.names if (id := ledger.live.get(name))}
        wanted = {(id, to.version) for (_, id), to in ledger.labels.items() if id in ids}
        for name, number in self._snippets:
            held = [h.id for h in ledger.prompts.values() if h.name == name]
            wanted |= {(id, number) for id in [*held, ledger.former.get(name)] if id}
        return wanted

    def settle(self, ledger: Ledger) -> Settled:
        self.check_tip(ledger)
        after = self._followed(ledger)
        plans = self.steps()
        if files := [*self._labels(ledger, after)]:
            plans.append(self.plan(DEPLOY, "What was pushed to main moves or deletes", files))
        return self.settled(ledger, plans)

    def _followed(self, ledger: Ledger) -> Ledger:
        """The ledger as it will be; each text is looked at as of its own commit.

        Raises:
            HubError: a file of one of them cannot be taken.
        """
        after = copy.deepcopy(ledger)
        for step in self.line.steps if self.strict else ():
            for change in step.commit.changes:
                name = names.name_of(change.path)
                if name is not None and change.data is not None:
                    _check_file(after, step, name, change)
            follow_main(after, step.commit)
            _check_sound(ledger, after)
        if not self.strict:
            for step in self.line.steps:
                follow_main(after, step.commit)
        return after

    def _labels(self, before: Ledger, after: Ledger) -> Iterator[Change]:
        """Labels go where their prompt goes, and with it when it goes."""
        for id in sorted({id for _, id in before.labels} & after.prompts.keys()):
            held, then = before.prompts[id], after.prompts[id]
            if then.deleted_at is not None and held.deleted_at is None:
                self._check_may_delete(before, held)
                for label in sorted(before.labels_of(id)):
                    yield from label_gone(before, held, label)
            elif then.name != held.name:
                yield from labels_along(before, held, then.name)

    def _check_may_delete(self, ledger: Ledger, held: Held) -> None:
        if not allows(self.actor, Need.RELEASE, ledger.workspace_id):
            live = ", ".join(sorted(ledger.labels_of(held.id)))
            raise Forbidden(
                f"{names.path_of(held.name)}: {held.name} is live ({live}), and deleting it would "
                "take it away from the applications that use it. A reviewer or an administrator "
                "can."
            )


def _check_file(ledger: Ledger, step: Step, name: str, change: Change) -> None:
    """What a save in the browser would refuse, too; `ledger`: as the commit finds it."""
    id = change.reading.id if change.reading else None
    try:
        if ledger.at(name) is None:
            check_free(ledger, name, id)
        document = Document()
        check_includes(ledger, Put(name, document, None, step.includes.get(name, frozenset())))
    except HubError as refused:
        raise Conflict(f"{change.path} ({step.commit.id[:10]}): {refused.sentence}") from refused


def _check_sound(before: Ledger, after: Ledger) -> None:
    """No prompt has become one that cannot be served."""
    for id, held in after.prompts.items():
        known = before.prompts.get(id)
        if held.problem is not None and (known is None or known.problem is None):
            raise Invalid(f"{names.path_of(held.name)}: {held.problem}")
