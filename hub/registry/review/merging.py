"""Asking for a proposal to be merged, and released with it; or to be brought up to date."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Connection

from hub.errors import Conflict, Invalid
from hub.registry.git import deploy_file
from hub.registry.git.commits import Change, Plan, clean_email, clean_name
from hub.registry.git.git_terms import DEPLOY, MAIN
from hub.registry.indexing.ledger import Ledger
from hub.registry.indexing.reading import read
from hub.registry.review import rows, writers
from hub.registry.review.drawing import Drawn, drawn_delete, drawn_rename, drawn_text
from hub.registry.review.follow_proposals import HeldProposal, text_of
from hub.registry.review.landing import Landing, land, texts_wanted
from hub.registry.review.propose import (
    Made,
    Words,
    check_may_revise,
    made_by,
    offer_plan,
    open_proposal,
)
from hub.registry.writing.asks import Ask, Later, Settled, address_of, whole_second
from hub.registry.writing.edits import label_gone, labels_along, labels_and_versions


class StaleReview(Conflict):
    """What was on the screen is not the latest revision."""

    def __init__(self, held: HeldProposal) -> None:
        super().__init__(
            f"Proposal {held.number} has changed since you looked: it is at revision "
            f"{held.revision} now, by {held.author}. Read it, then decide.",
            number=held.number, revision=held.revision, digest=held.digest,
        )  # fmt: skip


class Moved(Exception):
    """Main has changed under the proposal; what would land is not what was read."""


@dataclass(kw_only=True)
class _OfProposal(Ask):
    """Something done with a proposal as it is."""

    labelled: bool = True
    title: str = ""
    """The proposal's."""

    @property
    def number(self) -> int:
        return self.proposal or 0

    def subjects(self) -> list[str]:
        return [f"#{self.number} {self.title}"]

    def detail(self) -> dict[str, Any]:
        return super().detail() | {"number": self.number}

    def look(self, db: Connection, ledger: Ledger) -> None:
        rows.load(db, ledger, {self.number})
        held = ledger.proposals.get(self.number)
        if held is None:
            return
        self.title = held.title
        self.names = {name for part in held.parts for name in part.touched}
        self.ids = {part.prompt_id for part in held.parts}
        ledger.load_prompts(db, self.names, self.ids)
        ledger.load_labels(db, self.ids)
        ledger.load_former_names(db, self.ids)
        rows.load_evidence(db, ledger, held)
        since = {
            (one.prompt_id, one.base_version or 0) for one in held.parts if one.kind == "change"
        }
        held.unread = writers.unread(db, ledger.workspace_id, since)

    def versions_wanted(self, ledger: Ledger) -> set[tuple[str, int]]:
        held = ledger.proposals.get(self.number)
        wanted: set[tuple[str, int]] = set()
        for part in held.parts if held else ():
            if part.version is not None:
                wanted.add((part.prompt_id, part.version))
            if now := ledger.prompts.get(part.prompt_id):
                wanted.add((now.id, now.head))
        return wanted

    def contents_wanted(self, ledger: Ledger) -> set[str]:
        held = ledger.proposals.get(self.number)
        return texts_wanted(ledger, held) if held else set()


@dataclass(kw_only=True)
class Merge(_OfProposal):
    """Put a proposal on main, and with `release` its target label upon what it made."""

    digest: str
    release: bool
    action: str = "proposal.merged"

    def parts(self) -> tuple[Any, ...]:
        said = ("merge", self.proposal, self.digest, self.release, self.message, self.broke_glass)
        return (*said, "despite", self.despite) if self.despite else said

    def settle(self, ledger: Ledger) -> Settled:
        held = open_proposal(ledger, self.number)
        if self.digest != held.digest:
            raise StaleReview(held)
        if self.release and held.target is None:
            raise Invalid(f"Proposal {held.number} names no label to release to.")
        landings = land(ledger, held)
        if not all(one.same for one in landings):
            raise Moved
        self.at = whole_second(self.at)
        deploy = [change for one in landings for change in self._deploy(ledger, held, one)]
        alone = all(one.part.kind == "release" for one in landings)
        plans = [] if alone else [self._main(held, landings)]
        if deploy or alone:
            plans.append(self._labels(held, deploy, alone=alone))
        return Settled(plans, lambda: self._answer(ledger, held, plans))

    def _main(self, held: HeldProposal, landings: list[Landing]) -> Plan:
        changes = [c for one in landings if not one.there or one.part.kind != "change"
                   for c in drawn(one).changes]  # fmt: skip
        plan = self.plan(MAIN, held.title, changes, **self._trailers(held))
        commit = plan.commit
        commit.message, commit.second = text_of(held.title, held.why), held.commit_id
        commit.author, commit.email = held.author, held.author_email
        return plan

    def _labels(self, held: HeldProposal, changes: list[Change], *, alone: bool) -> Plan:
        said = self._trailers(held) if alone else {"Proposal": str(held.number)}
        return self.plan(DEPLOY, held.title, changes, **said)

    def _trailers(self, held: HeldProposal) -> dict[str, str]:
        by = f"{clean_name(self.actor.name)} <{clean_email(address_of(self.actor))}>"
        target = {"Target": held.target} if held.target is not None else {}
        return {
            "Proposal": str(held.number), "Revision": str(held.revision), **target,
            "Digest": held.digest, "Merged-by": by,
        }  # fmt: skip

    def _deploy(self, ledger: Ledger, held: HeldProposal, one: Landing) -> list[Change]:
        """What becomes of the labels of one prompt."""
        part, now = one.part, one.held
        if part.kind == "rename" and now is not None:
            return labels_along(ledger, now, part.lands_at)
        if part.kind == "delete" and now is not None:
            labels = [label for label, _ in labels_and_versions(ledger, now)]
            return [change for label in labels for change in label_gone(ledger, now, label)]
        if part.kind == "release":
            assert part.version is not None
            known = ledger.versions[part.prompt_id, part.version]
            if not known.commit_id:
                raise Later
            return self._point(ledger, held, one, part.version, known.blob, known.commit_id)
        if not self.release or part.kind == "rename":
            return []
        if now is not None and one.there:
            known = ledger.versions[now.id, now.head]
            if not known.commit_id:
                raise Later
            return self._point(ledger, held, one, now.head, known.blob, known.commit_id)
        # The revision's commit holds the very file, and main's has it as a parent.
        number = now.head + 1 if now else 1
        return self._point(ledger, held, one, number, part.blob or "", held.commit_id)

    def _point(
        self, ledger: Ledger, held: HeldProposal, one: Landing, version: int, blob: str,
        commit: str,
    ) -> list[Change]:  # fmt: skip
        part, label = one.part, held.target or ""
        now = ledger.labels.get((label, part.prompt_id))
        if now is not None and (now.version, now.hash) == (version, part.hash):
            return []
        pointer = deploy_file.Pointer(
            prompt=part.prompt_id, version=version, blob=blob, hash=part.hash or "",
            commit=commit, by=self.actor.name, at=whole_second(self.at),
            why=self.message or held.title,
        )  # fmt: skip
        gone = [
            Change(deploy_file.path_of(label, name), old="-")
            for name in ledger.former_names(part.prompt_id)
        ]
        path = deploy_file.path_of(label, part.lands_at)
        return [*gone, Change(path, new="-", data=deploy_file.serialise(pointer))]

    def _answer(self, ledger: Ledger, held: HeldProposal, plans: list[Plan]) -> dict[str, Any]:
        mine = [plan.commit for plan in plans]
        return {
            "number": held.number, "revision": held.revision, "commit": mine[0].id,
            "versions": [
                {"name": v.name, "id": v.prompt_id, "version": v.number, "hash": v.hash}
                for v in ledger.new_versions if any(v.commit is one for one in mine)
            ],
            "moves": [
                {"label": m.label, "name": m.name, "id": m.prompt_id, "old": m.old, "new": m.new}
                for m in ledger.moves if any(m.commit is one for one in mine)
            ],
        }  # fmt: skip


@dataclass(kw_only=True)
class Rebase(_OfProposal):
    """Bring in what main has since, as a new revision; none is made if nothing has changed."""

    action: str = "proposal.revised"

    def parts(self) -> tuple[Any, ...]:
        return ("rebase", self.proposal)

    def settle(self, ledger: Ledger) -> Settled:
        held = open_proposal(ledger, self.number)
        check_may_revise(self, ledger, held)
        landings = land(ledger, held, follow=True)
        if all(one.same for one in landings):
            made = Made(
                number=held.number, revision=held.revision, digest=held.digest, created=False
            )
            return Settled([], lambda: msgspec.structs.asdict(made) | {"news": ""})
        news = " ".join(dict.fromkeys(one.news for one in landings if one.news))
        note = (
            f"{news} Brought together by {self.actor.name}.{_with_authors(ledger, held, landings)}"
        )
        words = Words(held.title, held.why, note, held.target)
        plan = offer_plan(self, held.number, held.revision + 1, words, [*map(drawn, landings)])
        # Whoever presses the button adds no word of their own: the author stays the author.
        plan.commit.author, plan.commit.email = held.author, held.author_email
        return Settled([plan], lambda: msgspec.structs.asdict(made_by(plan)) | {"news": news})


def _with_authors(ledger: Ledger, held: HeldProposal, landings: list[Landing]) -> str:
    """Whose words come in without a reviewer having seen them: they do not approve them."""
    moved = {one.part.prompt_id for one in landings if not one.same and one.part.kind == "change"}
    wrote = [(name, email) for id, name, email in held.unread if id in moved]
    wrote += [
        one.commit.brought_by or (one.author, one.commit.email) for one in ledger.new_versions
        if one.prompt_id in moved and not isinstance(one.commit, str)
        and (one.commit.second is None or one.commit.brought_by)
    ]  # fmt: skip
    lines = [f"Co-authored-by: {name} <{email}>" for name, email in dict.fromkeys(wrote)]
    return "\n\n" + "\n".join(lines) if lines else ""


def drawn(one: Landing) -> Drawn:
    """What a part does to main's files."""
    part, now = one.part, one.held
    if part.kind == "delete" and now is not None:
        return drawn_delete(part, now)
    if part.kind == "rename" and now is not None:
        return drawn_rename(part, now, one.data or b"")
    if part.kind == "release":
        return Drawn(part, [])
    return drawn_text(part, now, read(one.data or b""))
