"""What the operator's commands do; each function is one command, and says what it did."""

from __future__ import annotations

import contextlib
import errno
import socket
import sys
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import msgspec
from sqlalchemy import Connection, select

from hub.beginning import prepare, take_in
from hub.errors import Conflict, Invalid, NotFound, Unavailable
from hub.loading import loading
from hub.parts import Parts
from hub.people import (
    accounts,
    audit,
    audit_chain,
    audit_read,
    keys,
    own_keys,
    policy_changes,
    rules_store,
    workspaces,
)
from hub.people.accounts import OPERATOR
from hub.people.models import Workspace
from hub.people.policy import WorkspaceRef
from hub.people.rules import plain, sentences
from hub.registry.indexing import index
from hub.settings import ADDRESS_FILE, Settings

if TYPE_CHECKING:
    from hub.registry.doctor import Finding


async def begin(parts: Parts, *, demo: bool) -> list[str]:
    """`prepare`, once it is sure that nothing else is where this hub shall be found."""
    check_address(parts.settings)
    return await prepare(parts, demo=demo)


def address(settings: Settings) -> str:
    """Where the hub of this data folder is: as set, else where it was last started."""
    noted = settings.data / ADDRESS_FILE
    if settings.public_url or not noted.exists():
        return settings.url
    return noted.read_text(encoding="utf-8").strip()


def check_address(settings: Settings) -> None:
    """Refuse an address that cannot be listened on, before anybody is sent there."""
    host, port = settings.host, settings.port
    try:
        places = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, kind, protocol, _, place in places:
            with socket.socket(family, kind, protocol) as one:
                one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                one.bind(place)
    except OSError as error:
        raise Unavailable(_why_not_there(error, host, port)) from None


def _why_not_there(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"Another program, perhaps another hub, listens on {host}, port {port}. Stop it, or "
            "choose another port with --port."
        )
    if isinstance(error, PermissionError):
        return (
            f"This user may not listen on port {port}. Choose one above 1023 with --port, and let "
            "a proxy in front of the hub have this one."
        )
    return f"This machine has no address {host} ({error.strerror}). Choose another with --host."


def listen(settings: Settings) -> None:
    """Serve until stopped. uvloop is not optional: see "One process" in docs/ARCHITECTURE.md."""
    with loading():
        import uvicorn

        from hub.app import create_app
        from hub.listener import Listener

        app = create_app(settings)
    (settings.data / ADDRESS_FILE).write_text(settings.url, encoding="utf-8")
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        loop="uvloop" if sys.platform != "win32" else "asyncio",
        http=Listener,
        access_log=False,
        server_header=False,
        log_level="warning",
        timeout_graceful_shutdown=5,
    )
    server = uvicorn.Server(config)
    # uvicorn closes all in order at Ctrl+C, and then raises it again.
    with contextlib.suppress(KeyboardInterrupt):
        server.run()
    if not server.started:
        sys.exit(1)


async def find_workspace(parts: Parts, slug: str) -> WorkspaceRef:
    async with parts.database.read() as db:
        workspace = await workspaces.find(db, slug)
        if workspace is None:
            known = ", ".join(await db.scalars(select(Workspace.slug).order_by(Workspace.slug)))
            raise NotFound(f"There is no workspace {slug}. There are: {known or 'none yet'}.")
    return workspace


async def add_person(parts: Parts, slug: str, email: str, name: str, role: str) -> str:
    """Returns the address that signs the person in once."""
    workspace = await find_workspace(parts, slug)
    async with parts.database.write() as db:
        try:
            account = await workspaces.add(db, workspace, email, name, role, actor=OPERATOR)
        except workspaces.AlreadyHere:
            raise Conflict(
                f"{email} is in {workspace.slug} already. `prompthub user link {email}` prints a "
                "new link that signs them in; roles are changed in the browser, or with "
                "`prompthub people role`."
            ) from None
        token = await accounts.make_link(db, account)
    return accounts.link_at(address(parts.settings), token)


async def link_for(parts: Parts, email: str) -> str:
    """Returns the address that signs this person in once, whatever their word counts for."""
    async with parts.database.write() as db:
        account = await accounts.find(db, email)
        if account is None:
            raise NotFound(
                f"Nobody here has the address {email}. `prompthub user add` adds somebody."
            )
        audit.record(db, OPERATOR, "account.invited", account.email, None)
        token = await accounts.make_link(db, account)
    return accounts.link_at(address(parts.settings), token)


async def make_key(parts: Parts, slug: str, name: str, scope: str, person: str = "") -> str:
    """An app's key, or with somebody's e-mail address a personal one that acts as them."""
    workspace = await find_workspace(parts, slug)
    async with parts.database.write() as db:
        if not person:
            return (await keys.create(db, workspace, name, scope, actor=OPERATOR)).token
        account = await accounts.find(db, person)
        if account is None:
            raise NotFound(
                f"Nobody here has the address {person}. `prompthub user add` adds somebody."
            )
        made = await own_keys.create(db, workspace, name, scope, account=account, actor=OPERATOR)
        return made.token


async def make_workspace(parts: Parts, slug: str, name: str) -> str:
    async with parts.database.write() as db:
        workspace = await workspaces.create(db, slug, name, actor=OPERATOR, account_id=None)
    await take_in(parts, workspace)
    return f"{address(parts.settings)}/{workspace.slug}"


async def reindex(parts: Parts, slug: str | None) -> list[str]:
    """Rebuild the index of one workspace, or of all."""
    async with parts.database.read() as db:
        slugs = [slug] if slug else list(await db.scalars(select(Workspace.slug)))
    said: list[str] = []
    for one in slugs:
        workspace = await find_workspace(parts, one)
        repository = parts.publisher.repository(workspace.slug)
        if not repository.exists:
            raise Invalid(
                f"The repository of {one} is not at {repository.path}; restore it first. "
                "The index was left as it is."
            )
        await index.reindex(parts.database, repository, workspace.id)
        said.append(f"{one}: built anew from git.")
    return said


async def tell_rules(parts: Parts, slug: str) -> list[str]:
    workspace = await find_workspace(parts, slug)
    async with parts.database.read() as db:
        found = await rules_store.read(db, workspace.id)
    return sentences(found.policy, found.groups, found.people)


async def unlock_rules(parts: Parts, slug: str, because: str) -> str:
    """Break the glass: changes of the rules need no approval from now on; the rules stay."""
    if not because.strip():
        raise Invalid("Say why; it stands in the history of the rules for good.")
    workspace = await find_workspace(parts, slug)
    async with parts.database.write() as db:
        found = await rules_store.read(db, workspace.id)
        policy = msgspec.structs.replace(plain(found.policy), change_needs=0)
        await policy_changes.propose(
            db, workspace.id, policy, base_id=found.policy_id, why=because, actor=OPERATOR,
            broke_glass=because,
        )  # fmt: skip
    return "A change of the rules needs no approval any more. The rules themselves are as before."


async def verify_audit(
    parts: Parts, slug: str | None, expected: str
) -> list[tuple[str, audit_chain.Report]]:
    """Check the chain of one workspace; without `slug`, of all and of the hub itself."""
    if slug:
        chains: list[tuple[str, int | None]] = [(slug, (await find_workspace(parts, slug)).id)]
    else:
        async with parts.database.read() as db:
            found = await db.execute(select(Workspace.slug, Workspace.id).order_by(Workspace.slug))
            chains = [(row.slug, row.id) for row in found]
        chains.append(("accounts and sign-ins", None))
    return [
        (name, await parts.database.read_at_once(partial(_verify, number, expected)))
        for name, number in chains
    ]


def _verify(workspace_id: int | None, expected: str, db: Connection) -> audit_chain.Report:
    return audit_chain.verify(db, workspace_id, expected=expected)


async def export_audit(parts: Parts, slug: str, write: Callable[[bytes], object]) -> None:
    """Hand every row of a workspace to `write`, as lines of JSON."""
    workspace = await find_workspace(parts, slug)
    async for lines in audit_read.lines(parts.database, workspace.id, audit_read.Wanted()):
        write(lines)


async def examine(parts: Parts) -> list[Finding]:
    from hub.registry import doctor

    found = await doctor.examine(parts.database, parts.settings.repositories)
    if (settings := parts.settings).lost_its_secret:
        sentence = (
            f"{settings.data / 'secret.key'} is gone. Restore it from a backup: with a new one, "
            "keys of models, webhooks and linked repositories have to be typed in again."
        )
        found.insert(0, doctor.Finding(level="error", where="hub", sentence=sentence))
    return found
