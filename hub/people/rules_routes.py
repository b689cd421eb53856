"""The pages of rules and groups: read by everybody, changed by administrators."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect, Template
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import Database
from hub.errors import Conflict, HubError, Invalid
from hub.people import groups as group_store
from hub.people import policy_changes, policy_history, rules_form, rules_store, workspaces
from hub.people.policy import Actor, Need, WorkspaceRef
from hub.people.rules import GroupEdit, Policy, called, sentence, sentences
from hub.people.rules.words import owners_sentence
from hub.people.rules_form import Typed
from hub.web import Ask, Form, go, page

Who = NamedDependency[Actor]
Workspace = NamedDependency[WorkspaceRef]
Data = NamedDependency[Database]
Deed = Callable[[AsyncSession], Awaitable[str]]
"""What a button does, and what is said of it."""


@get("/{slug:str}/settings/rules", needs=Need.READ, name="settings:rules")
async def rules_page(
    request: Ask, workspace: Workspace, db: NamedDependency[AsyncSession]
) -> Template:
    return await _rules_page(request, db, workspace)


@post("/{slug:str}/settings/rules", needs=Need.ADMIN, name="settings:rules:change")
async def change_rules(
    request: Ask, data: Form, actor: Who, workspace: Workspace, database: Data
) -> Template | Redirect:
    """Save the rules, or with another button only show how they would read."""
    typed = rules_form.read(data)
    try:
        policy = rules_form.build(typed)
        if data.get("do") == "save":
            return await _save(database, workspace, actor, typed, policy)
    except (Invalid, Conflict) as refusal:
        typed.wrong = refusal.sentence
    async with database.read() as db:
        return await _rules_page(request, db, workspace, typed)


@post("/{slug:str}/settings/rules/{change:int}/approve", needs=Need.ADMIN, name="rules:approve")
async def approve(
    change: FromPath[int], actor: Who, workspace: Workspace, database: Data
) -> Redirect:
    """Agree to a waiting change; with the last word needed it is in force."""

    async def deed(db: AsyncSession) -> str:
        made = await policy_changes.approve(db, workspace.id, change, actor=actor)
        return _outcome_words(made)

    return await _press(database, f"/{workspace.slug}/settings/rules", deed)


@post("/{slug:str}/settings/rules/{change:int}/decline", needs=Need.ADMIN, name="rules:decline")
async def decline(
    change: FromPath[int], actor: Who, workspace: Workspace, database: Data
) -> Redirect:
    """Put a waiting change away."""

    async def deed(db: AsyncSession) -> str:
        await policy_changes.decline(db, workspace.id, change, actor=actor)
        return "The change was declined; the rules stay as they are."

    return await _press(database, f"/{workspace.slug}/settings/rules", deed)


async def _press(database: Database, here: str, deed: Deed) -> Redirect:
    """Do what the button says; what cannot be done any more is said on the page."""
    try:
        async with database.write() as db:
            said = await deed(db)
    except Conflict as refusal:
        return go(here, refusal.sentence, kind="error")
    return go(here, said)


@get("/{slug:str}/settings/groups", needs=Need.READ, name="settings:groups")
async def groups_page(
    request: Ask, workspace: Workspace, db: NamedDependency[AsyncSession]
) -> Template:
    return await _groups_page(request, db, workspace)


@post("/{slug:str}/settings/groups", needs=Need.ADMIN, name="settings:groups:make")
async def make_group(
    request: Ask, data: Form, actor: Who, workspace: Workspace, database: Data
) -> Template | Redirect:
    """A new group, with whoever was ticked."""
    try:
        async with database.write() as db:
            name = data.get("name", "")
            made = await policy_changes.make_group(
                db, workspace.id, name, _people(data), actor=actor
            )
    except (Invalid, Conflict) as refusal:
        async with database.read() as db:
            return await _groups_page(request, db, workspace, typed=data, wrong=refusal.sentence)
    return go(f"/{workspace.slug}/settings/groups", f"The group “{made.name}” is there.")


@post("/{slug:str}/settings/groups/{group:int}", needs=Need.ADMIN, name="settings:groups:edit")
async def edit_group(
    request: Ask, group: FromPath[int], data: Form, actor: Who, workspace: Workspace, database: Data
) -> Template | Redirect:
    """Its name, and who is in it: whoever is ticked."""
    try:
        async with database.write() as db:
            edit = await _edit(db, workspace.id, group, data)
            made = await policy_changes.edit_group(
                db, workspace.id, edit, actor=actor, why=data.get("why", "")
            )
    except (Invalid, Conflict) as refusal:
        async with database.read() as db:
            more = {"typed": data, "wrong": refusal.sentence, "at": group}
            return await _groups_page(request, db, workspace, **more)
    return go(f"/{workspace.slug}/settings/groups", _group_words(made))


@post("/{slug:str}/settings/groups/{group:int}/delete", needs=Need.ADMIN, name="groups:delete")
async def delete_group(
    group: FromPath[int], actor: Who, workspace: Workspace, database: Data
) -> Redirect:
    async def deed(db: AsyncSession) -> str:
        name = await policy_changes.delete_group(db, workspace.id, group, actor=actor)
        return f"The group “{name}” was deleted."

    return await _press(database, f"/{workspace.slug}/settings/groups", deed)


async def _save(
    database: Database, workspace: WorkspaceRef, actor: Actor, typed: Typed, policy: Policy
) -> Redirect:
    async with database.write() as db:
        made = await policy_changes.propose(
            db, workspace.id, policy, base_id=typed.base, why=typed.why, actor=actor
        )
    return go(f"/{workspace.slug}/settings/rules", _outcome_words(made))


def _outcome_words(made: policy_changes.Outcome) -> str:
    if made.accepted:
        return "The rules are in force."
    return f"It waits for {_more(made.waits_for)} of an administrator. Nothing changed yet."


def _group_words(made: policy_changes.Outcome) -> str:
    if made.accepted:
        return "The group was changed."
    return (
        f"The rules name this group, so the change waits for {_more(made.waits_for)} of an "
        "administrator; it stands on the page Rules."
    )


def _more(number: int) -> str:
    return "one approval" if number == 1 else f"{number} approvals"


async def _rules_page(
    request: Ask, db: AsyncSession, workspace: WorkspaceRef, typed: Typed | None = None
) -> Template:
    force = await rules_store.read(db, workspace.id)
    opened = typed or rules_form.of_policy(force.policy, force.policy_id)
    people = await workspaces.people(db, workspace.id)
    groups = await group_store.listed(db, workspace.id)
    names = force.called | called(
        {one.id: one.name for one in groups}, {one.account_id: one.name for one in people}
    )
    changes = await policy_history.lines(db, workspace.id, force)
    shown: dict[str, Any] = {
        "sentences": sentences(force.policy, force.groups, force.people),
        "typed": opened, "previewed": typed is not None, "rule_sentences": _said(opened, names),
        "owner_sentences": _owned(opened, names),
        "preview": _preview(typed, names), "people": people, "groups": groups, "names": names,
        "waiting": [one for one in changes if not (one.accepted_at or one.declined_at)],
        "history": [one for one in changes if one.accepted_at or one.declined_at],
        "change_needs": force.policy.change_needs, "policy_id": force.policy_id,
        "words": await request.app.state.rule_words(db, workspace.id),
    }  # fmt: skip
    status = 422 if typed and typed.wrong else 200
    return page(request, "people/rules.html", section="settings", status=status, **shown)


def _said(typed: Typed, names: dict[str, str]) -> list[str]:
    """The sentence of each rule of the form; empty where it cannot be used."""
    said: list[str] = []
    for draft in typed.drafts:
        try:
            said.append(sentence(rules_form.rule_of(draft), names))
        except Invalid:
            said.append("")
    return said


def _owned(typed: Typed, names: dict[str, str]) -> list[str]:
    """The same of the owners of each folder."""
    said: list[str] = []
    for draft in typed.owners:
        try:
            said.append(owners_sentence(rules_form.owners_of(draft), names))
        except Invalid:
            said.append("")
    return said


def _preview(typed: Typed | None, names: dict[str, str]) -> list[str]:
    """The rules as they would read; nothing when the form was only opened or is wrong."""
    if typed is None:
        return []
    try:
        policy = rules_form.build(typed)
    except HubError:
        return []
    groups = {int(key[6:]): name for key, name in names.items() if key.startswith("group:")}
    people = {int(key[7:]): name for key, name in names.items() if key.startswith("person:")}
    return sentences(policy, groups, people)


async def _groups_page(
    request: Ask, db: AsyncSession, workspace: WorkspaceRef, **more: Any
) -> Template:
    force = await rules_store.read(db, workspace.id)
    shown: dict[str, Any] = {"typed": {}, "wrong": None, "at": None} | more
    return page(
        request, "people/groups.html", section="settings", status=422 if shown["wrong"] else 200,
        groups=await group_store.listed(db, workspace.id),
        people=await workspaces.people(db, workspace.id), named=force.policy.named("group"),
        owning={word for one in force.policy.owners for word in one.who},
        change_needs=force.policy.change_needs, **shown,
    )  # fmt: skip


async def _edit(
    db: AsyncSession, workspace_id: int, group_id: int, form: dict[str, str]
) -> GroupEdit:
    """What the form changes: only people whom it showed can be taken out by an empty box."""
    group = await group_store.find(db, workspace_id, group_id)
    there = {one.id: one.ids for one in await group_store.listed(db, workspace_id)}.get(
        group_id, frozenset[int]()
    )
    ticked = _people(form)
    seen = {int(one) for one in form.get("seen", "").split() if one.isascii() and one.isdigit()}
    name = form.get("name", "")
    return GroupEdit(
        group_id=group_id, name=name if name != group.name else "",
        add=tuple(sorted(ticked - there)), remove=tuple(sorted((there & seen) - ticked)),
    )  # fmt: skip


def _people(form: dict[str, str]) -> set[int]:
    ids = (name[7:] for name in form if name.startswith("person-"))
    return {int(one) for one in ids if one.isascii() and one.isdigit() and len(one) < 19}


ROUTES: list[Any] = [
    rules_page, change_rules, approve, decline, groups_page, make_group, edit_group, delete_group,
]  # fmt: skip
