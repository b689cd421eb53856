"""The rules of review from a terminal: read by members, changed with an administrator's own key.

A rule is named by what it is about: `change` or `release`, its folder, its label.
"""

from __future__ import annotations

from typing import Any

import click

from hub.remote_ask import Hub, Json, to_hub
from hub.remote_people import waits

KIND = click.argument("kind", type=click.Choice(["change", "release"]))
FOLDER = click.option("--folder", default="", help="Empty: everywhere.")
LABEL = click.option("--label", default="", help="Of a rule about releases; empty: any.")
WHY = click.option("--why", default="", help="It stands in the history of the rules.")


def what_it_asks(command: Any) -> Any:
    """The options that say what a rule asks for."""
    for option in (
        click.option("--may-move", "may_release", multiple=True, metavar="WHO",
                     help="Who may move the label; may be repeated."),
        click.option("--check", "checks", multiple=True, metavar="NAME",
                     help="Must have passed; may be repeated."),
        click.option("--who", multiple=True, metavar="WHO",
                     help="Whose approvals count: reviewers, administrators, owners (of the "
                          "folder), a group, an e-mail address; may be repeated."),
        click.option("--approvals", type=int, default=None, help="How many. Default: 1."),
    ):  # fmt: skip
        command = option(command)
    return command


@click.command("list")
@to_hub
def list_(hub: Hub) -> None:
    """The rules in force, a sentence each, and how to name them."""
    found = hub.ask("GET", "policy")
    rules = found["policy"]["rules"]
    for said, rule in zip(found["sentences"], rules, strict=False):
        click.echo(f"{said}\n    {_place(rule)}")
    for said in found["sentences"][len(rules) :]:
        click.echo(said)


@click.command("add")
@KIND
@FOLDER
@LABEL
@what_it_asks
@WHY
@to_hub
def add(hub: Hub, kind: str, folder: str, label: str, why: str, **asks: Any) -> None:
    """Add a rule about changes, or about releases."""
    rule = {"kind": kind, "folder": folder, "label": label} | _given(asks)
    _tell(hub.ask("POST", "policy/rules", {"rule": rule, "why": why}))


@click.command("change")
@KIND
@FOLDER
@LABEL
@what_it_asks
@WHY
@to_hub
def change(hub: Hub, kind: str, folder: str, label: str, why: str, **asks: Any) -> None:
    """Change a rule; what is not said stays as it is."""
    place = {"kind": kind, "folder": folder.strip("/"), "label": label}
    rules = hub.ask("GET", "policy")["policy"]["rules"]
    old = next((one for one in rules if place.items() <= one.items()), place)
    _tell(hub.ask("PUT", "policy/rules", {"rule": old | _given(asks), "why": why}))


@click.command("remove")
@KIND
@FOLDER
@LABEL
@WHY
@to_hub
def remove(hub: Hub, kind: str, folder: str, label: str, why: str) -> None:
    """Take a rule out."""
    _tell(hub.ask("DELETE", "policy/rules", kind=kind, folder=folder, label=label, why=why))


@click.command("own")
@FOLDER
@click.option(
    "--who",
    multiple=True,
    required=True,
    metavar="WHO",
    help="Reviewers, administrators, a group, an e-mail address; may be repeated.",
)
@WHY
@to_hub
def own(hub: Hub, folder: str, who: tuple[str, ...], why: str) -> None:
    """Say who owns a folder, in place of whoever did: who counts where a rule says owners."""
    _tell(hub.ask("PUT", "policy/owners", {"folder": folder, "who": list(who), "why": why}))


@click.command("disown")
@FOLDER
@WHY
@to_hub
def disown(hub: Hub, folder: str, why: str) -> None:
    """Leave a folder without owners of its own; those of a folder above count then."""
    _tell(hub.ask("DELETE", "policy/owners", folder=folder, why=why))


@click.command("guard")
@click.argument("approvals", type=int)
@WHY
@to_hub
def guard(hub: Hub, approvals: int, why: str) -> None:
    """How many other administrators must agree to a change of the rules; 0: none."""
    found = hub.ask("GET", "policy")
    body = {"rules": found["policy"]["rules"], "base": found["id"], "change_needs": approvals}
    _tell(hub.ask("PUT", "policy", body | {"why": why}))


@click.command("changes")
@to_hub
def changes(hub: Hub) -> None:
    """Changes of the rules, the newest first: what waits, and how they came about."""
    for one in hub.ask("GET", "policy/changes")["items"]:
        by = f", approved by {', '.join(one['approved_by'])}" if one["approved_by"] else ""
        click.echo(f"{one['id']:>5}  {one['state']}  {one['at'][:16]}  {one['by']}{by}")
        for sign, said in (("-", one["removed"]), ("+", one["added"])):
            for line in said:
                click.echo(f"{'':>7}{sign} {line}")
        if one["broke_glass"]:
            click.echo(f"{'':>7}glass was broken: {one['broke_glass']}")


@click.command("approve")
@click.argument("change", type=int)
@to_hub
def approve(hub: Hub, change: int) -> None:
    """Agree to a waiting CHANGE that another administrator proposed."""
    _tell(hub.ask("POST", f"policy/changes/{change}/approve", {}))


@click.command("decline")
@click.argument("change", type=int)
@to_hub
def decline(hub: Hub, change: int) -> None:
    """Put a waiting CHANGE away; the rules stay as they are."""
    hub.ask("POST", f"policy/changes/{change}/decline", {})
    click.echo("The change was declined; the rules stay as they are.")


def _given(asks: Json) -> Json:
    """What was said of a rule, and nothing that was not."""
    said = {name: list(one) if isinstance(one, tuple) else one for name, one in asks.items()}
    return {name: one for name, one in said.items() if one not in (None, [])}


def _place(rule: Json) -> str:
    folder = f" --folder {rule['folder']}" if rule["folder"] else ""
    return rule["kind"] + folder + (f" --label {rule['label']}" if rule["label"] else "")


def _tell(made: Json) -> None:
    click.echo("The rules are in force." if made["accepted"] else waits(made))


COMMANDS = (list_, add, change, remove, own, disown, guard, changes, approve, decline)
