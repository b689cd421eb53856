"""Rules, groups and people, changed behind each door that a bench can stand behind: the pages'
forms, REST, commands. Nobody but an administrator gets anywhere; what a door says comes as
`Refused`."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import select

from hub.people import own_keys, rules_store
from hub.people.accounts import OPERATOR
from hub.people.models import Account, Group, GroupMember, Member, PolicyChange
from hub.people.rules import Owners, Policy, Rule, in_order
from tests.over_doors import Command, Form
from tests.rest_door import Api


async def set_rules(
    bench: Api, by: str, *rules: Rule, needs: int | str = 0, owners: tuple[Owners, ...] = ()
) -> None:
    """All of them anew; a command takes one step, so several are left to REST."""
    async with bench.database.read() as db:
        loaded = await rules_store.read(db, bench.workspace.id)
    if isinstance(bench, Form):
        await _form_of_rules(bench, by, loaded.policy_id, rules, needs, owners)
        return
    step = _one_step(loaded.policy, rules, needs, owners) if isinstance(bench, Command) else None
    if step is not None:
        await bench.command(by, "rules", *step)
        return
    body = {
        "rules": [msgspec.to_builtins(one) for one in rules], "base": loaded.policy_id,
        "change_needs": needs, "owners": [msgspec.to_builtins(one) for one in owners],
    }  # fmt: skip
    await bench.ask(by, "PUT", "policy", body)


async def _form_of_rules(
    bench: Api, by: str, base: int | None, rules: tuple[Rule, ...], needs: int | str,
    owners: tuple[Owners, ...],
) -> None:  # fmt: skip
    fields = {"do": "save", "count": str(len(rules)), "base": str(base or "")}
    fields["change_needs"] = str(needs)
    for at, rule in enumerate(rules):
        fields |= {
            f"r{at}-kind": rule.kind, f"r{at}-folder": rule.folder, f"r{at}-label": rule.label,
            f"r{at}-approvals": str(rule.approvals),
        }  # fmt: skip
        fields |= {f"r{at}-who-{one}": "yes" for one in rule.who}
        fields |= {f"r{at}-may-{one}": "yes" for one in rule.may_release}
    fields["owned"] = str(len(owners))
    for at, one in enumerate(owners):
        fields |= {f"o{at}-folder": one.folder} | {f"o{at}-who-{word}": "yes" for word in one.who}
    await bench.form(by, "settings/rules", **fields)


def _one_step(
    policy: Policy, rules: tuple[Rule, ...], needs: int | str, owners: tuple[Owners, ...]
) -> list[str] | None:
    """The command that leads there."""
    if owners != policy.owners:
        same = set(rules) == set(policy.rules) and needs == policy.change_needs
        return _owning(policy.owners, owners) if same else None
    old, new = {one.place: one for one in policy.rules}, {one.place: one for one in rules}
    differ = [place for place in old.keys() | new if old.get(place) != new.get(place)]
    if not differ and needs != policy.change_needs:
        return ["guard", str(needs)]
    if len(differ) != 1 or needs != policy.change_needs:
        return None
    kind, folder, label = differ[0]
    words = [kind, f"--folder={folder}", f"--label={label}"]
    if (rule := new.get(differ[0])) is None:
        return ["remove", *words]
    words += [f"--approvals={rule.approvals}", *(f"--who={one}" for one in rule.who)]
    words += [f"--may-move={one}" for one in rule.may_release]
    return ["change" if differ[0] in old else "add", *words]


def _owning(old: tuple[Owners, ...], new: tuple[Owners, ...]) -> list[str] | None:
    (one, *more) = set(old) ^ set(new)
    if more and {two.folder for two in more} != {one.folder}:
        return None
    one = next((two for two in new if two.folder == one.folder), one)
    words = [f"--who={word}" for word in one.who] if one in new else []
    return ["own" if words else "disown", f"--folder={one.folder}", *words]


async def agree(bench: Api, by: str, *, decline: bool = False) -> None:
    """With the change that waits."""
    deed = "decline" if decline else "approve"
    number = await waiting(bench)
    if isinstance(bench, Form):
        await bench.form(by, f"settings/rules/{number}/{deed}")
    elif isinstance(bench, Command):
        await bench.command(by, "rules", deed, str(number))
    else:
        await bench.ask(by, "POST", f"policy/changes/{number}/{deed}", {})


async def set_role(bench: Api, by: str, who: str, role: str) -> None:
    path = f"people/{account(bench, who)}/role"
    if isinstance(bench, Form):
        await bench.form(by, f"settings/{path}", role=role, sure="yes")
    elif isinstance(bench, Command):
        await bench.command(by, "people", "role", await email(bench, who), role, "--sure")
    else:
        await bench.ask(by, "PUT", path, {"role": role, "sure": True})


async def invite(bench: Api, by: str, address: str, role: str) -> None:
    if isinstance(bench, Form):
        await bench.form(by, "settings/people", email=address, name="", role=role)
    elif isinstance(bench, Command):
        await bench.command(by, "people", "invite", address, f"--role={role}")
    else:
        await bench.ask(by, "POST", "people", {"email": address, "role": role})


async def link(bench: Api, by: str, who: str) -> None:
    path = f"people/{account(bench, who)}/link"
    if isinstance(bench, Form):
        await bench.form(by, f"settings/{path}")
    elif isinstance(bench, Command):
        await bench.command(by, "people", "link", await email(bench, who))
    else:
        await bench.ask(by, "POST", path, {})


async def remove(bench: Api, by: str, who: str) -> None:
    path = f"people/{account(bench, who)}"
    if isinstance(bench, Form):
        await bench.form(by, f"settings/{path}/remove")
    elif isinstance(bench, Command):
        await bench.command(by, "people", "remove", await email(bench, who))
    else:
        await bench.ask(by, "DELETE", path)


async def put_back(bench: Api, by: str, who: str) -> None:
    path = f"people/{account(bench, who)}/back"
    if isinstance(bench, Form):
        await bench.form(by, f"settings/{path}")
    elif isinstance(bench, Command):
        await bench.command(by, "people", "back", str(account(bench, who)))
    else:
        await bench.ask(by, "POST", path, {})


async def make_group(bench: Api, by: str, name: str, *who: str) -> int:
    if isinstance(bench, Form):
        ticks = {f"person-{account(bench, one)}": "1" for one in who}
        await bench.form(by, "settings/groups", name=name, **ticks)
    elif isinstance(bench, Command):
        members = [f"--member={await email(bench, one)}" for one in who]
        await bench.command(by, "groups", "make", name, *members)
    else:
        body = {"name": name, "members": [await email(bench, one) for one in who]}
        await bench.ask(by, "POST", "groups", body)
    async with bench.database.read() as db:
        here = (Group.workspace_id == bench.workspace.id, Group.name == name)
        return (await db.scalars(select(Group.id).where(*here))).one()


async def set_group(bench: Api, by: str, group: int, *who: str) -> None:
    """These people and no others are in it."""
    async with bench.database.read() as db:
        name = (await db.get_one(Group, group)).name
        inside = select(GroupMember.account_id).where(GroupMember.group_id == group)
        there = set(await db.scalars(inside))
    wanted = {account(bench, one): one for one in who}
    if isinstance(bench, Form):
        seen = " ".join(map(str, there))
        ticks = {f"person-{one}": "1" for one in wanted}
        await bench.form(by, f"settings/groups/{group}", name=name, seen=seen, **ticks)
        return
    known = {number: one for one, number in bench.house.ids.items()}
    add = [await email(bench, one) for number, one in wanted.items() if number not in there]
    less = [await email(bench, known[number]) for number in there - wanted.keys()]
    if isinstance(bench, Command):
        words = [*(f"--add={one}" for one in add), *(f"--remove={one}" for one in less)]
        await bench.command(by, "groups", "change", name, *words)
        return
    await bench.ask(by, "PUT", f"groups/{group}", {"add": add, "remove": less})


async def delete_group(bench: Api, by: str, group: int) -> None:
    async with bench.database.read() as db:
        name = (await db.get_one(Group, group)).name
    if isinstance(bench, Form):
        await bench.form(by, f"settings/groups/{group}/delete")
    elif isinstance(bench, Command):
        await bench.command(by, "groups", "delete", name)
    else:
        await bench.ask(by, "DELETE", f"groups/{group}")


# ── how it stands ───────────────────────────────────────────────────────────────────────────────


async def force(bench: Api) -> Policy:
    """The rules in force, in the order in which they are read."""
    async with bench.database.read() as db:
        policy = (await rules_store.read(db, bench.workspace.id)).policy
    rules = tuple(in_order(policy.rules))
    return Policy(rules=rules, change_needs=policy.change_needs, owners=policy.owners)


async def waiting(bench: Api) -> int:
    """The change that waits; none: one that never was."""
    async with bench.database.read() as db:
        query = select(PolicyChange.id).where(
            PolicyChange.workspace_id == bench.workspace.id, PolicyChange.accepted_at.is_(None),
            PolicyChange.declined_at.is_(None),
        )  # fmt: skip
        return (await db.scalars(query.order_by(PolicyChange.id.desc()))).first() or 0


async def role(bench: Api, who: str) -> str | None:
    async with bench.database.read() as db:
        here = (Member.workspace_id == bench.workspace.id, Member.account_id == account(bench, who))
        return await db.scalar(select(Member.role).where(*here))


def account(bench: Api, who: str) -> int:
    return bench.house.ids[who]


async def email(bench: Api, who: str) -> str:
    async with bench.database.read() as db:
        return (await db.get_one(Account, account(bench, who))).email


async def key(bench: Api, who: str, scope: str) -> str:
    """A key of their own, besides the one they have; the name it goes by here."""
    async with bench.database.write() as db:
        mine = await db.get_one(Account, account(bench, who))
        made = await own_keys.create(
            db, bench.workspace, f"for {scope}", scope, account=mine, actor=OPERATOR
        )
    name = f"{who}'s {scope} key"
    bench.tokens[name] = made.token
    return name


async def promote(bench: Api, who: str, **more: Any) -> None:
    """Make somebody an administrator, with a key for it."""
    await bench.set_role(who, "admin", **more)
    bench.tokens[who] = bench.tokens[await key(bench, who, "admin")]
