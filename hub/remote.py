"""Review from a terminal or from CI: commands that talk to a running hub with a key.

`PROMPTHUB_URL` says where it is, `PROMPTHUB_KEY` who asks: a person's own key speaks for that
person (propose, approve, merge), one of the workspace for a machine (propose, release; or check).
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import click

from hub import remote_people, remote_webhooks
from hub.remote_ask import Hub, Json, to_hub
from sdk import command

SUFFIX = ".prompt.yml"
LONGEST_ROUND = 60
"""Seconds that a command waits for a round of sync; the hub goes on with it."""


@click.command()
@click.option("--state", default="open", show_default=True, help="open, merged, all, …")
@click.option("--search", default="", help="Words in titles and names.")
@to_hub
def proposals(hub: Hub, state: str, search: str) -> None:
    """List proposals, what changed last first."""
    found = hub.ask("GET", "proposals", state=state, q=search, limit=200)
    for one in found["items"]:
        click.echo(f"{one['number']:>5}  {one['state']:<9}  {one['title']}  ({one['author']})")
        click.echo(f"{'':>7}{one['sentence']}")
    click.echo(f"{found['total']} in all.")


@click.command()
@click.argument("number", type=int)
@to_hub
def proposal(hub: Hub, number: int) -> None:
    """Show a proposal: what it changes, who said what, and the digest that an approval names."""
    one = hub.ask("GET", f"proposals/{number}")
    click.echo(f"Proposal {number}, revision {one['revision']}: {one['title']}")
    click.echo(f"{one['sentence']}\n")
    for item in hub.ask("GET", f"proposals/{number}/diff")["items"]:
        click.echo(f"{item['kind']} {item['name']}: {item.get('summary', '')}")
        _show_messages(item)
    for check in one["checks"]:
        click.echo(f"[{check['state']}] {check['name']}: {check['summary']}")
    for word in one["words"]:
        click.echo(f"{word['name']}: {_said(word)}")
    click.echo(f"\ndigest {one['digest']}")


def _said(word: Json) -> str:
    """`approved revision 2`; people who were asked have a line before they say anything."""
    deed = {"approve": "approved", "changes": "asks for a change to"}.get(word["verdict"])
    aside = " (dismissed)" * word["dismissed"]
    return f"{deed} revision {word['revision']}{aside}" if deed else "asked, nothing said yet"


def _show_messages(item: Json) -> None:
    for message in item.get("messages", []):
        if message["kind"] == "same" and not message["moved"]:
            continue
        click.echo(f"  {message['role']} ({message['kind']})")
        for piece in message["segments"]:
            if piece["kind"] != "same":
                sign = "+" if piece["kind"] == "add" else "-"
                click.echo(f"    {sign} {piece['text']!r}")
    for one in item.get("hidden", []):
        click.echo(f"  hidden in {one['where']}: {one['unseen']['code']} {one['unseen']['name']}")


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option("--title", required=True, help="In a few words.")
@click.option("--why", default="", help="What it is for; reviewers read it first.")
@click.option("--target", default=None, help="A label that shall move with the merge.")
@click.option("--reviewer", "reviewers", multiple=True, metavar="EMAIL", help="May be repeated.")
@click.option("--root", default=".", type=click.Path(path_type=Path, file_okay=False),
              help="Folder that the prompts' names begin at.")  # fmt: skip
@click.option("--revise", type=int, default=None, metavar="N", help="As a revision of proposal N.")
@to_hub
def propose(
    hub: Hub, files: tuple[Path, ...], title: str, why: str, target: str | None,
    reviewers: tuple[str, ...], root: Path, revise: int | None,
) -> None:  # fmt: skip
    """Propose FILES (….prompt.yml): those the hub has are changed, the others are new."""
    items = [_item(hub, root, path) for path in files]
    if revise is not None:
        body: Json = {"items": items, "title": title, "message": why}
        made = hub.ask("POST", f"proposals/{revise}/revisions", body)
    else:
        body = {
            "items": items, "title": title, "why": why, "target": target,
            "reviewers": list(reviewers),
        }  # fmt: skip
        made = hub.ask("POST", "proposals", body)
    done = "is" if made["created"] else "was already"
    click.echo(f"Proposal {made['number']}, revision {made['revision']} {done} up for review:")
    click.echo(f"{made['url']}\ndigest {made['digest']}")


def _item(hub: Hub, root: Path, path: Path) -> Json:
    try:
        name = path.resolve().relative_to(root.resolve()).as_posix().removesuffix(SUFFIX)
        text = path.read_text(encoding="utf-8")
    except ValueError as error:
        what = "is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else f"is not in {root}"
        raise click.ClickException(f"{path} {what}.") from None
    except OSError as error:
        raise click.ClickException(f"{path} cannot be read: {error.strerror}.") from None
    kind = "change" if hub.ask("GET", f"prompts/{name}", may_miss=True) else "create"
    return {"name": name, "kind": kind, "document": text}


@click.command()
@click.argument("number", type=int)
@click.option("--digest", required=True, help="Of what you read; `prompthub proposal N` shows it.")
@click.option("--comment", default="", help="What you want to say with it.")
@click.option("--saw-hidden", is_flag=True, help="You have seen the hidden characters.")
@click.option("--ask-for-change", is_flag=True, help="Ask for a change instead of approving.")
@to_hub
def approve(
    hub: Hub, number: int, digest: str, comment: str, saw_hidden: bool, ask_for_change: bool
) -> None:
    """Approve exactly what you read (or ask for a change); with your own key."""
    verdict = "changes" if ask_for_change else "approve"
    body = {"digest": digest, "verdict": verdict, "body": comment, "saw_hidden": saw_hidden}
    click.echo(hub.ask("POST", f"proposals/{number}/reviews", body)["sentence"])


@click.command()
@click.argument("number", type=int)
@click.argument("who", metavar="EMAIL")
@click.option("--reason", required=True, help="Stands on the proposal for good.")
@to_hub
def dismiss(hub: Hub, number: int, who: str, reason: str) -> None:
    """Dismiss what EMAIL asked to be changed; an administrator who is no author of it."""
    words = hub.ask("GET", f"proposals/{number}")["words"]
    found = [one for one in words if one["email"].lower() == who.lower() and one["in_the_way"]]
    if not found:
        raise click.ClickException(f"Nothing that {who} asked for is in the way of it.")
    path = f"proposals/{number}/reviews/{found[0]['id']}/dismiss"
    click.echo(hub.ask("POST", path, {"reason": reason})["sentence"])


@click.command()
@click.argument("number", type=int)
@click.option("--digest", required=True, help="Of the revision to merge.")
@click.option("--release", is_flag=True, help="Move its target label in the same step.")
@click.option("--reason", default="", help="Why it is released now.")
@click.option("--break-glass", default="", metavar="REASON",
              help="Set the rules aside: administrators alone, shown in red for ever.")  # fmt: skip
@click.option("--despite-programs", "despite", default="", metavar="REASON",
              help="Go on although programs that run now could not fill it in.")  # fmt: skip
@to_hub
def merge(
    hub: Hub, number: int, digest: str, release: bool, reason: str, break_glass: str, despite: str
) -> None:
    """Merge a proposal that the rules allow, and release it."""
    body = {"digest": digest, "release": release, "reason": reason, "break_glass": break_glass,
            "despite_programs": despite}  # fmt: skip
    one = hub.ask("POST", f"proposals/{number}/merge", body)
    click.echo(f"Proposal {number} is {one['state']}: {one['sentence']}")


@click.command("release")
@click.argument("label")
@click.argument("what", nargs=-1, required=True, metavar="NAME@VERSION…")
@click.option("--reason", required=True, help="What others will read in a year.")
@click.option("--break-glass", default="", metavar="REASON",
              help="Set the rules aside: administrators alone, shown in red for ever.")  # fmt: skip
@click.option("--despite-programs", "despite", default="", metavar="REASON",
              help="Go on although programs that run now could not fill it in.")  # fmt: skip
@click.option("--at", "due", default="", metavar="TIME",
              help="Later, such as 2030-01-31T06:00+01:00; UTC if it names no zone.")  # fmt: skip
@to_hub
def release_(
    hub: Hub, label: str, what: tuple[str, ...], reason: str, break_glass: str, despite: str,
    due: str,
) -> None:  # fmt: skip
    """Point LABEL at versions of one prompt or several, all in one step or none."""
    body: Json = {"moves": [_move(label, one) for one in what], "reason": reason}
    if due:
        hub.ask("POST", "scheduled", body | {"due": due})
        click.echo(f"{label} of {', '.join(what)} moves at {due}, if the rules allow it then.")
    else:
        body |= {"break_glass": break_glass, "despite_programs": despite}
        for one in hub.ask("PUT", "releases", body)["items"]:
            click.echo(f"{label} of {one['name']} is at version {one['version']}.")


def _move(label: str, what: str) -> Json:
    name, at, number = what.rpartition("@")
    if not at or not number.isdecimal():
        raise click.ClickException(f"{what}: write the name, @ and the version: support/triage@8")
    return {"label": label, "name": name, "version": int(number)}


@click.command()
@click.argument("number", type=int)
@click.argument("deed", type=click.Choice(["decline", "withdraw", "reopen"]))
@click.option("--reason", default="", help="Why; declining needs one.")
@to_hub
def close(hub: Hub, number: int, deed: str, reason: str) -> None:
    """Decline, withdraw or reopen a proposal."""
    one = hub.ask("POST", f"proposals/{number}/{deed}", {"reason": reason})
    click.echo(f"Proposal {number} is {one['state']}.")


@click.command()
@click.argument("number", type=int)
@click.argument("name")
@click.argument("state", type=click.Choice(["pass", "warn", "fail", "running"]))
@click.option("--digest", required=True, help="Of the revision that was checked.")
@click.option("--summary", default="", help="In a sentence.")
@click.option("--link", default="", help="Where to read more.")
@to_hub
def check(
    hub: Hub, number: int, name: str, state: str, digest: str, summary: str, link: str
) -> None:
    """Post a check NAME on a proposal, for CI; with a key for checks.

    Without a NUMBER: compare the lock file with the hub (`prompthub check --help`).
    """
    body = {"digest": digest, "name": name, "state": state, "summary": summary, "link": link}
    click.echo(hub.ask("POST", f"proposals/{number}/checks", body)["sentence"])


@click.command("remote")
@click.option("--sync", is_flag=True, help="Have it looked at now, and wait for that.")
@to_hub
def remote_(hub: Hub, sync: bool) -> None:
    """Say how the linked git repository stands."""
    if sync:
        hub.ask("POST", "remote/sync", {})
    until = time.monotonic() + LONGEST_ROUND
    while (one := hub.ask("GET", "remote"))["looking"] and sync and time.monotonic() < until:
        time.sleep(0.2)
    if one["looking"]:
        click.echo("A round is under way; this is how it stood before:")
    click.echo(f"{one['url']}: {one['state']}. {one['sentence']}")
    if one["note"]:
        click.echo(one["note"])
    click.echo(f"ahead {one['ahead']}, behind {one['behind']}")
    for way in one["choices"]:
        click.echo(f"  {way['do']}: {way['text']}. {way['means']}")


def _for_builds(name: str, says: str) -> click.Command:
    """A command of the SDK's, so that `prompthub --help` tells of it."""
    settings = {"ignore_unknown_options": True}

    @click.command(name, help=says, add_help_option=False, context_settings=settings)
    @click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
    def run(arguments: tuple[str, ...]) -> None:
        sys.exit(command.main([name, *arguments]))

    return run


COMMANDS = (
    proposals, proposal, propose, approve, dismiss, merge, release_, close, check, remote_,
    remote_people.people, remote_people.groups, remote_webhooks.webhooks,
    _for_builds("pull", "Write what a label points at to a lock file, for a build."),
    _for_builds("types", "Write a module with the types of the prompts, for editors."),
)  # fmt: skip
