"""People, groups and the audit log from a terminal, with an administrator's own key."""

from __future__ import annotations

import click

from hub.remote_ask import Hub, Json, to_hub

ROLES = click.Choice(["viewer", "editor", "reviewer", "admin"])


@click.group()
def people() -> None:
    """Who belongs to the workspace; with your own key."""


@people.command("list")
@to_hub
def people_list(hub: Hub) -> None:
    """List members with their roles."""
    for one in hub.ask("GET", "people")["items"]:
        waits = "  (has not signed in yet)" if one["waiting"] else ""
        click.echo(f"{one['role']:<8}  {one['email']}  {one['name']}{waits}")


@people.command()
@click.argument("email")
@click.option("--role", type=ROLES, default="editor", show_default=True)
@click.option("--name", default="", help="As colleagues know them.")
@to_hub
def invite(hub: Hub, email: str, role: str, name: str) -> None:
    """Make somebody a member, and print the link that signs them in once."""
    one = hub.ask("POST", "people", {"email": email, "role": role, "name": name})
    click.echo(f"{one['person']['email']} is {_a(one['person']['role'])} here.")
    if not one["made"]["accepted"]:
        click.echo(_becomes(role, one["made"]))
    click.echo(one["link"] or "They have an account already, and sign in as ever.")


@people.command("role")
@click.argument("email")
@click.argument("role", type=ROLES)
@click.option("--sure", is_flag=True, help="Needed for your own.")
@to_hub
def people_role(hub: Hub, email: str, role: str, sure: bool) -> None:
    """Change a member's role."""
    one = _person(hub, email)
    made = hub.ask("PUT", f"people/{one['id']}/role", {"role": role, "sure": sure})
    done = f"{one['email']} is {_a(role)} now."
    click.echo(done if made["accepted"] else _becomes(role, made))


@people.command("link")
@click.argument("email")
@to_hub
def people_link(hub: Hub, email: str) -> None:
    """Print a link that signs a member in once."""
    click.echo(hub.ask("POST", f"people/{_person(hub, email)['id']}/link", {})["link"])


@people.command("remove")
@click.argument("email")
@to_hub
def people_remove(hub: Hub, email: str) -> None:
    """Take a member out; what they saved stays."""
    one = _person(hub, email)
    hub.ask("DELETE", f"people/{one['id']}")
    click.echo(f"{one['email']} was removed. `prompthub people back {one['id']}` undoes it.")


@people.command("back")
@click.argument("number", type=int)
@to_hub
def people_back(hub: Hub, number: int) -> None:
    """Undo a removal, by the NUMBER that it printed."""
    one = hub.ask("POST", f"people/{number}/back", {})
    click.echo(f"{one['email']} is {_a(one['role'])} here again.")


@click.group()
def groups() -> None:
    """Groups that rules can name; with your own key."""


@groups.command("list")
@to_hub
def groups_list(hub: Hub) -> None:
    """List groups, and who is in them."""
    found = hub.ask("GET", "groups")["items"]
    for one in found:
        named = "  (a rule names it)" if one["in_rules"] else ""
        click.echo(f"{one['name']}{named}")
        for email in one["members"]:
            click.echo(f"    {email}")
    if not found:
        click.echo("There are none.")


@groups.command("make")
@click.argument("name")
@click.option("--member", "members", multiple=True, metavar="EMAIL", help="May be repeated.")
@to_hub
def groups_make(hub: Hub, name: str, members: tuple[str, ...]) -> None:
    """Make a group."""
    one = hub.ask("POST", "groups", {"name": name, "members": list(members)})
    click.echo(f"The group “{one['name']}” is there.")


@groups.command("change")
@click.argument("name")
@click.option("--add", multiple=True, metavar="EMAIL", help="May be repeated.")
@click.option("--remove", multiple=True, metavar="EMAIL", help="May be repeated.")
@click.option("--rename", default="", metavar="NAME", help="What it shall be called.")
@click.option("--why", default="", help="For those who have to agree.")
@to_hub
def groups_change(
    hub: Hub, name: str, add: tuple[str, ...], remove: tuple[str, ...], rename: str, why: str
) -> None:
    """Put people in, take them out, or call it otherwise."""
    body = {"add": list(add), "remove": list(remove), "name": rename, "why": why}
    made = hub.ask("PUT", f"groups/{_group(hub, name)}", body)
    click.echo("The group was changed." if made["accepted"] else waits(made))


@groups.command("delete")
@click.argument("name")
@to_hub
def groups_delete(hub: Hub, name: str) -> None:
    """Delete a group that no rule names."""
    hub.ask("DELETE", f"groups/{_group(hub, name)}")
    click.echo(f"The group “{name}” was deleted.")


@click.command("log")
@click.option("--who", default="", help="A part of a name or an address.")
@click.option("--action", default="", help="How it begins, such as member. or policy.changed")
@click.option("--about", default="", help="A part of what it was done to.")
@click.option("--from", "start", default="", metavar="DAY", help="Such as 2026-03-01.")
@click.option("--to", "end", default="", metavar="DAY", help="The last day, as a whole.")
@click.option("--jsonl", is_flag=True, help="All of it, the oldest first, as lines of JSON.")
@to_hub
def log(hub: Hub, who: str, action: str, about: str, start: str, end: str, jsonl: bool) -> None:
    """Who did what, the newest first; with an administrator's own key."""
    narrowed: Json = {"who": who, "action": action, "about": about, "start": start, "end": end}
    if jsonl:
        for line in hub.lines("audit.jsonl", **narrowed):
            click.echo(line)
        return
    found = hub.ask("GET", "audit", **narrowed)
    for one in found["items"]:
        click.echo(f"{one['at'][:19]}  {one['actor']}  {one['action']}  {one['subject']}")
    if found["next"]:
        click.echo("There are older ones: narrow it down, or take all with --jsonl.")


def waits(made: Json) -> str:
    """What there is to say of a change that others have to agree to."""
    more = made["waits_for"]
    who = "another administrator agrees" if more == 1 else f"{more} other administrators agree"
    return f"It waits as change {made['change']} until {who}. Nothing changed yet."


def _becomes(role: str, made: Json) -> str:
    return f"They become {_a(role)} once others agree. {waits(made)}"


def _a(role: str) -> str:
    said = "administrator" if role == "admin" else role
    return f"an {said}" if said[0] in "ae" else f"a {said}"


def _person(hub: Hub, email: str) -> Json:
    for one in hub.ask("GET", "people")["items"]:
        if one["email"].casefold() == email.strip().casefold():
            return one
    raise click.ClickException(f"{email} is not a member of this workspace.")


def _group(hub: Hub, name: str) -> int:
    found = hub.ask("GET", "groups")["items"]
    for one in found:
        if one["name"].casefold() == name.strip().casefold():
            return one["id"]
    known = ", ".join(one["name"] for one in found) or "none yet"
    raise click.ClickException(f"There is no group “{name}”. There are: {known}.")
