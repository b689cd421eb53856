"""How a linked repository stands, in sentences: what is wrong, and what to do about it. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from hub.sync.remotes import addresses, ssh
from hub.sync.remotes.hubs import ONE_WAY
from hub.sync.remotes.models import Remote
from hub.sync.remotes.troubles import told

Word = Literal["setting up", "first look", "in step", "on its way", "waiting", "stopped", "trouble"]
CHIPS: dict[Word, str] = {
    "setting up": "draft", "first look": "draft", "in step": "live", "on its way": "draft",
    "waiting": "review", "stopped": "failed", "trouble": "failed",
}  # fmt: skip


ANOTHER_HOST = "Host key verification failed"
"""As ssh says it."""


class Choice(msgspec.Struct, frozen=True):
    """One way to go on."""

    do: str
    text: str
    means: str


class View(msgspec.Struct, frozen=True, kw_only=True):
    """What the page, the REST interface and the terminal say."""

    url: str
    name: str
    state: Word
    sentence: str
    ahead: int
    behind: int
    main: str
    deploy: str
    takes_releases: bool
    mirror: bool
    one_way: bool
    """Another hub is there: what is new there comes in, and nothing goes there."""
    proposals: list[int]
    """Those that must be decided before main goes there again."""
    choices: list[Choice]
    tip: str
    """What the choices are about."""
    note: str
    synced_at: datetime | None
    next_at: datetime
    failures: int
    linked_by: str
    user: str
    has_secret: bool
    public_key: str
    prints: list[tuple[str, str]]
    """Of an SSH host: confirmed ones, or those to be confirmed."""
    prints_before: list[tuple[str, str]]
    """Those that were confirmed, while the host shows others."""
    confirmed: bool
    changed: bool
    """The host shows other keys than those that were confirmed."""
    another_host: bool
    """The last try ended because of that; what it shows now was perhaps not looked at yet."""

    @property
    def chip(self) -> str:
        return CHIPS[self.state]


def view(row: Remote) -> View:
    """A row, as people read it."""
    address = addresses.read(row.url)
    by_ssh = address.scheme == "ssh"
    confirmed = not by_ssh or bool(row.host_keys)
    state = _state(row, confirmed=confirmed)
    offered = row.offered_keys or row.host_keys
    stopped = row.stopped or {}
    changed = confirmed and by_ssh and row.offered_keys != row.host_keys
    return View(
        url=row.url, name=address.name, state=state, sentence=_sentence(row, state, address.name),
        ahead=row.ahead, behind=row.behind, main=row.main, deploy=row.deploy, mirror=row.mirror,
        takes_releases=row.takes_releases, one_way=row.one_way,
        proposals=list(row.waiting["proposals"]) if row.waiting else [],
        choices=_choices(row) if state == "stopped" else [],
        tip=str(stopped.get("tip", "")), note=row.note, synced_at=row.synced_at,
        next_at=row.due_at, failures=row.failures, linked_by=row.created_by, user=row.user,
        has_secret=row.sealed is not None, public_key=row.public_key,
        prints=ssh.prints(offered), confirmed=confirmed,
        prints_before=ssh.prints(row.host_keys) if changed else [], changed=changed,
        another_host=changed or row.trouble == told(address, ANOTHER_HOST).sentence,
    )  # fmt: skip


def _state(row: Remote, *, confirmed: bool) -> Word:
    if not confirmed:
        return "setting up"
    if row.trouble:
        return "trouble"
    if row.tried_at is None:
        return "first look"
    if row.stopped:
        return "on its way" if row.chosen else "stopped"
    if row.waiting:
        return "waiting"
    ahead = 0 if row.one_way else row.ahead
    return "in step" if not (ahead or row.behind) else "on its way"


def _sentence(row: Remote, state: Word, name: str) -> str:
    if state == "stopped":
        return _stopped(row.stopped or {}, row.main, name)
    if state == "waiting":
        numbers = [str(one) for one in (row.waiting or {})["proposals"]]
        many = f"proposals {', '.join(numbers)}" if numbers[1:] else f"proposal {numbers[0]}"
        return (
            f"What was changed at {name} waits for people in {many}. Once that is merged or "
            "declined, sync goes on by itself; until then prompts are not sent there. Editing goes "
            "on."
        )
    said: dict[Word, str] = {
        "setting up": "Two steps are left: add the deploy key over there, and confirm the host.",
        "first look": "The hub is having its first look.",
        "in step": ONE_WAY
        if row.one_way
        else "Both sides hold the same" + (" prompts." if row.note else "."),
        "on its way": "What is new is on its way.",
        "trouble": row.trouble,
    }
    return said[state]


def _stopped(stopped: dict[str, str], main: str, name: str) -> str:
    end = "Nothing was changed here or there. Choose how to go on."
    said = {
        "rewritten": f"The history at {name} was rewritten: it no longer holds what was taken in "
                     f"before. {end}",
        "unrelated": f"What lies at {name} has another beginning than this workspace. {end}",
        "emptied": f"{name} was emptied: it has no branches any more. {end}",
        "renamed": f"The branch {main} at {name} is gone. {end}",
        "refused": f"What was changed at {name} cannot be taken in. {stopped.get('said', '')} "
                   "Mend it over there; sync then goes on by itself. Editing here goes on.",
    }  # fmt: skip
    return said[stopped["why"]]


def _choices(row: Remote) -> list[Choice]:
    stopped = row.stopped or {}
    tip, default = str(stopped.get("tip", "")), str(stopped.get("default", ""))
    ours = Choice(
        "ours", "Put ours there",
        f"The branch {row.main} over there becomes what this workspace has. What it holds now "
        f"stays over there as the branch kept/{tip[:12]}.",
    )  # fmt: skip
    fill = Choice("fill", "Send ours again", f"The branch {row.main} is made again over there.")
    together = Choice(
        "together", "Bring both together",
        "What is there is taken in beside what is here. Prompts that both sides say differently "
        "become a proposal with both texts.",
    )  # fmt: skip
    if stopped["why"] in ("rewritten", "unrelated"):
        return [together] if row.one_way else [together, ours]
    if stopped["why"] == "emptied":
        return [fill]
    if stopped["why"] == "renamed":
        follow = Choice("follow", f"Follow {default}", f"From now on {default} is our main there.")
        return [follow, fill] if default else [fill]
    return []
