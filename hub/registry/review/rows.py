"""Proposals from the tables into a ledger, and what a ledger followed back into the tables."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy import Connection, and_, case, func, insert, or_, select, update

from hub.people.models import Account, ApiKey
from hub.registry.indexing.ledger import Ledger
from hub.registry.indexing.ledger_rows import upsert
from hub.registry.indexing.reading import blob_id
from hub.registry.review.digest import Part
from hub.registry.review.follow_proposals import (
    BROKE_GLASS,
    HeldProposal,
    Landed,
    Offered,
    Word,
    person,
    proposal_of,
)
from hub.registry.review.models import Check, Item, Merge, Proposal, Review, Revision, Watcher
from hub.registry.writing.asks import KEY_MAIL

_PART = ("kind", "prompt_id", "name", "new_name", "base_hash", "base_version", "hash", "version")


def load(db: Connection, ledger: Ledger, numbers: Collection[int]) -> None:
    """These proposals, each with its latest revision and with everybody who wrote at it."""
    wanted = set(numbers) - ledger.proposals.keys()
    if not wanted:
        return
    mine = (Proposal.workspace_id == ledger.workspace_id, Proposal.number.in_(wanted))
    latest = and_(
        Revision.workspace_id == Proposal.workspace_id, Revision.number == Proposal.number
    )
    found: dict[int, list[Any]] = {}
    query = select(Proposal, Revision).join(Revision, latest).where(*mine)
    columns = (
        Proposal.number, Proposal.state, Proposal.title, Proposal.why, Proposal.target,
        Proposal.revision, Revision.revision.label("its"), Revision.digest, Revision.commit,
        Revision.author, Revision.author_email, Revision.account_id, Revision.co_authors,
        Revision.at,
    )  # fmt: skip
    for row in db.execute(query.with_only_columns(*columns).order_by(Revision.revision)):
        found.setdefault(row.number, []).append(row)
    for rows in found.values():
        _hold(db, ledger, rows)


def _hold(db: Connection, ledger: Ledger, rows: list[Any]) -> None:
    last = rows[-1]
    for row in rows:
        ledger.revisions[row.number, row.its] = (row.commit, row.digest)
    query = (
        select(*(getattr(Item, name) for name in _PART), Item.data)
        .where(
            Item.workspace_id == ledger.workspace_id, Item.number == last.number,
            Item.revision == last.its,
        )
        .order_by(Item.position)
    )  # fmt: skip
    parts: list[Part] = []
    files: dict[str, bytes] = {}
    for item in db.execute(query):
        data: bytes | None = item.data
        blob = None if data is None else blob_id(data)
        parts.append(Part(blob=blob, **{name: getattr(item, name) for name in _PART}))
        if data is not None and blob is not None:
            files[blob] = data
    others = {email for row in rows for email in row.co_authors}
    emails = {row.author_email.lower() for row in rows} | others
    writers = {row.account_id for row in rows if row.account_id is not None}
    if others:  # behind a key's address is whoever made it
        writers |= set(accounts_of(db, others).values())
    ledger.proposals[last.number] = HeldProposal(
        number=last.number, state=last.state, title=last.title, why=last.why, target=last.target,
        revision=last.its, digest=last.digest, commit=last.commit, author=last.author,
        author_email=last.author_email, parts=tuple(parts), files=files,
        writers=frozenset(writers),
        writer_emails=frozenset(emails), at=last.at,
    )  # fmt: skip


WHOSE = func.coalesce(Review.account_id, -Review.id)
"""Who said it; whoever has no account here is nobody else, and known by their address alone."""
VERDICT = case((Review.dismissed_at.is_not(None), "none"), else_=Review.verdict)
"""What counts of a word: nothing, of one that was dismissed."""


def load_evidence(db: Connection, ledger: Ledger, held: HeldProposal) -> None:
    """What people said of the proposal, each person's latest word, and its checks."""
    mine = (Review.workspace_id == ledger.workspace_id, Review.number == held.number)
    query = select(
        WHOSE.label("whose"),
        Review.name,
        Review.email,
        Review.digest,
        VERDICT,
        Review.at,
        Review.stands,
    ).where(*mine)
    latest = {row.whose: row for row in db.execute(query.order_by(Review.id))}
    checks = select(Check.name, Check.state).where(
        Check.workspace_id == ledger.workspace_id, Check.number == held.number,
        Check.digest == held.digest,
    )  # fmt: skip
    held.words = tuple(Word(*row) for row in latest.values())
    held.checks = {row.name: row.state for row in db.execute(checks)}


def load_revisions(db: Connection, ledger: Ledger, numbers: Collection[int]) -> None:
    """Which commits the revisions of these proposals are; to follow what merges them."""
    if not numbers:
        return
    query = select(Revision.number, Revision.revision, Revision.commit, Revision.digest).where(
        Revision.workspace_id == ledger.workspace_id, Revision.number.in_(numbers)
    )
    for row in db.execute(query):
        ledger.revisions.setdefault((row.number, row.revision), (row.commit, row.digest))


def load_last_number(db: Connection, ledger: Ledger) -> None:
    query = select(func.max(Proposal.number)).where(Proposal.workspace_id == ledger.workspace_id)
    ledger.last_number = max(ledger.last_number or 0, db.execute(query).scalar() or 0)


def accounts_of(db: Connection, emails: Iterable[str]) -> dict[str, int]:
    """The accounts behind addresses in small letters; behind a key's, who made the key."""
    wanted = {email.lower() for email in emails}
    keys = {one.removesuffix(KEY_MAIL): one for one in wanted if one.endswith(KEY_MAIL)}
    found: dict[str, int] = {}
    if people := wanted - set(keys.values()):
        query = select(Account.email, Account.id).where(func.lower(Account.email).in_(people))
        found = {email.lower(): id for email, id in db.execute(query)}
    if keys:
        by_hand = func.lower(ApiKey.created_by) == func.lower(Account.email)
        maker = or_(ApiKey.maker_id == Account.id, and_(ApiKey.maker_id.is_(None), by_hand))
        query = select(ApiKey.id, Account.id).join(Account, maker).where(ApiKey.id.in_(keys))
        found |= {keys[key_id]: id for key_id, id in db.execute(query)}
    return found


# --- written down --------------------------------------------------------------------------------


def write(db: Connection, ledger: Ledger) -> list[dict[str, Any]]:
    """What the ledger followed of proposals, into the tables; what is to be announced of it."""
    told = _told_of_glass(ledger)
    if not ledger.offered and not ledger.landed:
        return told
    emails = {one.commit.email for one in ledger.offered}
    emails |= {email for one in ledger.offered for email in one.asked}
    accounts = accounts_of(db, emails | {one.merged_by[1] for one in ledger.landed})
    for offer in ledger.offered:
        told += _write_offer(db, ledger, offer, accounts)
    for claim in ledger.landed:
        told.append(_write_merge(db, ledger, claim, accounts))
    return told


def _write_offer(
    db: Connection, ledger: Ledger, offer: Offered, accounts: dict[str, int]
) -> list[dict[str, Any]]:
    commit = offer.commit
    key = {"workspace_id": ledger.workspace_id, "number": offer.number}
    who = accounts.get(commit.email.lower())
    known = db.execute(
        select(Proposal.revision).where(*(getattr(Proposal, k) == v for k, v in key.items()))
    ).scalar()
    said = {
        "title": offer.title, "why": offer.why, "target": offer.target,
        "revision": offer.revision, "updated_at": commit.at,
    }  # fmt: skip
    if known is None:
        signed = {
            "author": commit.author, "author_email": commit.email, "account_id": who,
            "created_at": commit.at, "state": "open",
        }  # fmt: skip
        db.execute(insert(Proposal), key | said | signed)
    elif known < offer.revision:
        here = (getattr(Proposal, k) == v for k, v in key.items())
        db.execute(update(Proposal).where(*here).values(said))
    its = key | {"revision": offer.revision}
    row = its | {
        "commit": commit.id, "base": commit.parent, "digest": offer.digest,
        "author": commit.author, "author_email": commit.email, "account_id": who,
        "message": offer.note, "co_authors": sorted(offer.co_authors), "at": commit.at,
    }  # fmt: skip
    db.execute(insert(Revision), row)
    db.execute(insert(Item), [its | _item(offer, place) for place in range(len(offer.parts))])
    asked = {accounts[one] for one in offer.asked if one in accounts}
    watch(db, key, who, asked)
    return _told_of_offer(offer, who, asked, opened=known is None)


def _item(offer: Offered, position: int) -> dict[str, Any]:
    part = offer.parts[position]
    data = None if part.kind == "release" else offer.files.get(part.blob or "")
    return {name: getattr(part, name) for name in _PART} | {
        "position": position, "data": data,
    }  # fmt: skip


def watch(
    db: Connection, key: dict[str, Any], author: int | None, asked: Collection[int]
) -> None:  # fmt: skip
    """The author and those asked to review are told what happens to the proposal."""
    query = select(Watcher.account_id).where(*(getattr(Watcher, k) == v for k, v in key.items()))
    there = set(db.scalars(query))
    if again := there & set(asked):
        here = (getattr(Watcher, k) == v for k, v in key.items())
        db.execute(
            update(Watcher).where(*here, Watcher.account_id.in_(again)).values(requested=True)
        )
    fresh = ({author} - {None} | set(asked)) - there
    rows = [
        key | {"account_id": id, "requested": id in asked, "muted": False, "seen_revision": 0}
        for id in sorted(filter(None, fresh))
    ]
    if rows:
        db.execute(insert(Watcher), rows)


def _told_of_offer(
    offer: Offered, who: int | None, asked: set[int], *, opened: bool
) -> list[dict[str, Any]]:
    by = {"number": offer.number, "by": offer.commit.author, "account_id": who}
    subject = f"#{offer.number} {offer.title}"[:255]
    told: list[dict[str, Any]] = [
        {
            "kind": "proposal.opened" if opened else "proposal.revised", "subject": subject,
            "payload": by | {
                "revision": offer.revision, "digest": offer.digest, "title": offer.title,
                "target": offer.target, "names": [part.name for part in offer.parts],
            },
        }
    ]  # fmt: skip
    if asked:
        payload = by | {"title": offer.title, "reviewers": sorted(asked)}
        told.append({"kind": "review.requested", "subject": subject, "payload": payload})
    return told


def _told_of_glass(ledger: Ledger) -> list[dict[str, Any]]:
    """Whenever the rules were set aside, every reviewer hears of it."""
    commits = {id(one.commit): one.commit for one in (*ledger.landed, *ledger.moves)}
    told: dict[tuple[int | None, str], dict[str, Any]] = {}
    for commit in commits.values():
        if reason := commit.trailers.get(BROKE_GLASS):
            number = proposal_of(commit)
            payload = {
                "number": number, "by": commit.author, "reason": reason, "commit": commit.id,
                "email": commit.email,
            }  # fmt: skip
            merged = person(commit.trailers.get("Merged-by", ""))
            if merged is not None:
                payload |= {"by": merged[0], "email": merged[1]}
            key = (number, "" if number else commit.id)
            event = {
                "kind": "glass.broken", "subject": commit.message.partition("\n")[0][:255],
                "payload": payload,
            }  # fmt: skip
            told.setdefault(key, event)
    return [*told.values()]


def _write_merge(
    db: Connection, ledger: Ledger, claim: Landed, accounts: dict[str, int]
) -> dict[str, Any]:
    commit = claim.commit
    name, email = claim.merged_by
    row = {
        "workspace_id": ledger.workspace_id, "commit": commit.id, "number": claim.number,
        "revision": claim.revision, "digest": claim.digest, "target": claim.target,
        "blobs": claim.blobs, "reviewers": claim.reviewers, "merged_by": name,
        "merged_email": email, "broke_glass": bool(claim.broke_glass), "at": commit.at,
    }  # fmt: skip
    upsert(db, Merge, [row])
    here = (Proposal.workspace_id == ledger.workspace_id, Proposal.number == claim.number)
    merged = {
        "state": "merged", "updated_at": commit.at, "closed_at": commit.at, "closed_by": name,
        "close_reason": claim.broke_glass or None, "merge_commit": commit.id,
    }  # fmt: skip
    unknown = or_(Proposal.merge_commit.is_(None), Proposal.merge_commit != commit.id)
    db.execute(update(Proposal).where(*here, unknown).values(merged))
    payload = {
        "number": claim.number, "by": name, "account_id": accounts.get(email.lower()),
        "revision": claim.revision, "digest": claim.digest, "target": claim.target,
        "commit": commit.id, "title": commit.message.partition("\n")[0],
        "broke_glass": claim.broke_glass,
    }  # fmt: skip
    subject = f"#{claim.number} {payload['title']}"[:255]
    return {"kind": "proposal.merged", "subject": subject, "payload": payload}
