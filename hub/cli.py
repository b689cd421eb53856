"""The command `prompthub`: everything an operator does at the machine itself."""

from __future__ import annotations

import asyncio
import logging
import secrets
import socket
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec
from sqlalchemy.exc import DBAPIError

from hub import __version__, exchange, operating, remote, remote_people, remote_rules
from hub.db import DatabaseAway, OnceAMinute, complaint
from hub.errors import HubError
from hub.parts import Parts, open_parts
from hub.people.keys import SCOPES
from hub.playground.engine import serving
from hub.settings import Settings, no_hub_in, wrong_setting

T = TypeVar("T")

data_option = click.option(
    "--data", type=click.Path(path_type=Path, file_okay=False), default=None,
    help="Folder that holds everything. Default: PROMPTHUB_DATA, or ./data.",
)  # fmt: skip
workspace_option = click.option(
    "--workspace", required=True, metavar="W", help="The workspace, as in its address."
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="prompthub %(version)s")
def prompthub() -> None:
    """The place where a team's prompts live."""


@prompthub.command()
@data_option
@click.option("--host", default=None, help="Address to listen on. Default: 127.0.0.1.")
@click.option("--port", type=click.IntRange(1, 65535), default=None, help="Default: 8321.")
@click.option("--demo", is_flag=True, help="Make the demo workspace at the first start.")
def serve(data: Path | None, host: str | None, port: int | None, demo: bool) -> None:
    """Start the hub; the first start makes what it needs."""
    settings = read_settings(data=data, host=host, port=port)
    makes = not settings.lost_its_tables
    said = run(settings, lambda parts: operating.begin(parts, demo=demo), makes=makes, guest=False)
    for line in said:
        click.echo(line)
    if logging.lastResort:
        logging.lastResort.addFilter(OnceAMinute())
    operating.listen(settings)


@prompthub.command()
@data_option
@click.option("--demo", is_flag=True, help="Make the demo workspace too.")
def init(data: Path | None, demo: bool) -> None:
    """Make the data folder, its tables and the first workspace; safe to repeat."""
    settings = read_settings(data=data)
    for line in run(settings, lambda parts: operating.prepare(parts, demo=demo), makes=True):
        click.echo(line)


prompthub.add_command(serving.engine)


@prompthub.group()
def user() -> None:
    """People who sign in."""


@user.command("add")
@click.argument("email")
@data_option
@click.option("--name", default="", help="As colleagues know them.")
@workspace_option
@click.option(
    "--role", type=click.Choice(["viewer", "editor", "reviewer", "admin"]), default="editor",
    show_default=True,
)  # fmt: skip
def user_add(email: str, data: Path | None, name: str, workspace: str, role: str) -> None:
    """Add a person to a workspace and print the link that signs them in once."""
    ask = partial(operating.add_person, slug=workspace, email=email, name=name, role=role)
    click.echo(run(read_settings(data=data), ask))


@user.command("link")
@click.argument("email")
@data_option
def user_link(email: str, data: Path | None) -> None:
    """Print a link that signs a person in once, for a lost password; their other sign-ins end."""
    click.echo(run(read_settings(data=data), partial(operating.link_for, email=email)))


@prompthub.group()
def key() -> None:
    """Keys for applications, and for people's own scripts."""


@key.command("create")
@data_option
@workspace_option
@click.option("--scope", type=click.Choice(SCOPES), required=True)
@click.option("--name", default="", help="The app that will use it.")
@click.option("--as", "person", default="", metavar="EMAIL", help="A personal key: acts as them.")
def key_create(data: Path | None, workspace: str, scope: str, name: str, person: str) -> None:
    """Make a key and print it, and nothing else; it cannot be shown again."""
    name = name or f"command line {secrets.token_hex(3)}"
    ask = partial(operating.make_key, slug=workspace, name=name, scope=scope, person=person)
    click.echo(run(read_settings(data=data), ask))


@prompthub.group()
def workspace() -> None:
    """Workspaces: people, prompts, keys and one git repository each."""


@workspace.command("create")
@click.argument("slug")
@data_option
@click.option("--name", default="", help="As people read it.")
def workspace_create(slug: str, data: Path | None, name: str) -> None:
    """Make an empty workspace."""
    ask = partial(operating.make_workspace, slug=slug, name=name)
    click.echo(run(read_settings(data=data), ask))
    click.echo(
        f"Let somebody in: prompthub user add EMAIL --workspace {slug} --role admin", err=True
    )


@prompthub.group()
def audit() -> None:
    """The log of who did what."""


@audit.command("verify")
@data_option
@click.option("--workspace", default=None, metavar="W", help="Only this one. Default: all.")
@click.option(
    "--expect", default="", metavar="HASH", help="A last hash noted before: it must be there."
)
def audit_verify(data: Path | None, workspace: str | None, expect: str) -> None:
    """Check that no row was changed or taken out; exit code 1 and the first one that was."""
    ask = partial(operating.verify_audit, slug=workspace, expected=expect)
    reports = run(read_settings(data=data), ask, look=True)
    for name, report in reports:
        older = f" ({report.older} older ones carry no hash)" if report.older else ""
        said = report.broken or f"{report.rows} rows fit{older}. Last hash: {report.head or 'none'}"
        click.echo(f"{name}: {said}")
    sound = not any(report.broken for _, report in reports)
    if not any(report.found for _, report in reports):
        click.echo("The hash that was looked for is in no chain: rows at the end were taken out.")
        sound = False
    sys.exit(0 if sound else 1)


@audit.command("export")
@data_option
@workspace_option
def audit_export(data: Path | None, workspace: str) -> None:
    """Print every row as a line of JSON, the oldest first."""

    def write(lines: bytes) -> None:
        click.echo(lines, nl=False)

    settings = read_settings(data=data)
    run(settings, lambda parts: operating.export_audit(parts, workspace, write), look=True)


@prompthub.group()
def rules() -> None:
    """Who must agree before something is saved or released."""


@rules.command("show")
@data_option
@workspace_option
def rules_show(data: Path | None, workspace: str) -> None:
    """Print the rules in force, a sentence each."""
    ask = partial(operating.tell_rules, slug=workspace)
    for line in run(read_settings(data=data), ask, look=True):
        click.echo(line)


@rules.command("unlock")
@data_option
@workspace_option
@click.option("--because", required=True, help="Why; it stands in the history of the rules.")
def rules_unlock(data: Path | None, workspace: str, because: str) -> None:
    """Let one administrator change the rules again, when too few are left to approve it."""
    ask = partial(operating.unlock_rules, slug=workspace, because=because)
    click.echo(run(read_settings(data=data), ask))


@prompthub.command("import")
@click.argument("path", type=click.Path(path_type=Path))
@data_option
@workspace_option
@click.option("--folder", default="", help="Put everything below this folder.")
@click.option("--message", default="", help="Why; kept in the history.")
@click.option("--propose", is_flag=True, help="As a proposal, also where no rule asks for one.")
@click.option("--look", is_flag=True, help="Only say what it would do.")
def import_(path: Path, data: Path | None, workspace: str, **how: Any) -> None:
    """Import prompts, ours or other programs' (docs/formats.md), with a report."""
    ask = partial(exchange.import_folder, slug=workspace, path=path, **how)
    report = run(read_settings(data=data), ask)
    click.echo("\n".join(report.lines))
    sys.exit(0 if report.read else 1)


@prompthub.command()
@click.argument("out", type=click.Path(path_type=Path))
@data_option
@workspace_option
@click.option("--format", "as_", required=True, metavar="F", help=exchange.EXPORTS)
@click.option("--folder", default="", help="Only what is below this folder.")
@click.option("--label", default="", help="What it points at. Default: the latest of each.")
def export(out: Path, data: Path | None, workspace: str, as_: str, **which: str) -> None:
    """Write the prompts as files of another program, and say what those cannot hold."""
    ask = partial(exchange.export_folder, slug=workspace, format_=as_, out=out, **which)
    report = run(read_settings(data=data), ask, look=True)
    click.echo("\n".join(report.lines))
    sys.exit(0 if report.written else 1)


@prompthub.command()
@data_option
@click.option("--workspace", default=None, metavar="W", help="Only this one. Default: all.")
def reindex(data: Path | None, workspace: str | None) -> None:
    """Forget the index and build it anew from git."""
    for line in run(read_settings(data=data), lambda parts: operating.reindex(parts, workspace)):
        click.echo(line)


@prompthub.command()
@data_option
def doctor(data: Path | None) -> None:
    """Look at repositories, index, locks and settings; exit code 1 if something needs a person."""
    findings = run(read_settings(data=data), operating.examine, look=True)
    for finding in findings:
        click.echo(f"{finding.level}: {finding.where}: {finding.sentence}")
    if not findings:
        click.echo("Everything is in order.")
    sys.exit(1 if any(finding.level == "error" for finding in findings) else 0)


for _command in remote.COMMANDS:
    prompthub.add_command(_command)
for _command in remote_rules.COMMANDS:
    rules.add_command(_command)
audit.add_command(remote_people.log)


def read_settings(**given: Any) -> Settings:
    """The settings, or exit with a sentence about the one that cannot be used."""
    try:
        return Settings.from_environment(**given)
    except msgspec.ValidationError as error:
        raise click.ClickException(wrong_setting(str(error))) from None


def run(
    settings: Settings, work: Callable[[Parts], Awaitable[T]], *, makes: bool = False,
    guest: bool = True, look: bool = False,
) -> T:  # fmt: skip
    """Do `work` with the data folder open; a refusal is a sentence and exit code 1."""
    file = settings.data if settings.database_url else settings.data / "hub.db"
    if not makes and not file.exists():
        raise click.ClickException(no_hub_in(settings))

    async def inside() -> T:
        async with open_parts(settings, guest=guest, look=look) as parts:
            for trouble in parts.troubles:
                click.echo(trouble, err=True)
            return await work(parts)

    try:
        return asyncio.run(inside())
    except DatabaseAway as away:
        raise click.ClickException(complaint(away.why, settings.database)) from None
    except HubError as refused:
        raise click.ClickException(refused.sentence) from None
    except DBAPIError as error:
        raise click.ClickException(complaint(error, settings.database)) from None
    except OSError as error:
        if settings.database_url and isinstance(error, ConnectionError | socket.gaierror):
            raise click.ClickException(complaint(error, settings.database)) from None
        raise click.ClickException(f"{settings.data}: {error.strerror or error}.") from None


def main() -> None:
    prompthub(prog_name="prompthub")
