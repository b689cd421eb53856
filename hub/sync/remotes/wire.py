"""git that talks to another machine: what it may reach, what it is told, what it may say.

Every call looks the host up anew, checks it and pins the connection to what was checked; it
inherits nothing, follows no redirect, asks nobody for a password, runs no hook, and its output is
ours to word. The secret is in its environment or in a folder that is gone when the call ends.
"""

from __future__ import annotations

import asyncio
import logging
import re
import shlex
import tempfile
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from hub.errors import Unavailable
from hub.outbound import Outbound
from hub.registry.git.git_terms import ID
from hub.registry.git.gits import outbound as started
from hub.registry.git.quarantine import Quarantine
from hub.registry.git.repository import Repository, version
from hub.sync.git.serving import ended, said
from hub.sync.remotes import advert, ssh
from hub.sync.remotes.addresses import checked
from hub.sync.remotes.advert import Way
from hub.sync.remotes.troubles import told

log = logging.getLogger("hub")

PREFIX = "remote-"
PINS = (2, 37)
"""Since then git can be told which IP a name stands for."""
LOOK, CARRY = 60.0, 900.0
"""Seconds for a look, and for a fetch or a push."""
MEMORY, SECONDS, LARGEST = 4 << 30, 600, 1 << 30
MOST_SAID = 1 << 24
"""Bytes that a git may print: names of some 200,000 branches."""
BRANCH = "refs/heads/"
_SETTINGS = (
    ("protocol.version", "2"), ("http.followRedirects", "false"), ("http.proxy", ""),
    ("http.sslVerify", "true"), ("http.emptyAuth", "false"), ("http.cookieFile", ""),
    ("http.lowSpeedLimit", "500"), ("http.lowSpeedTime", "60"), ("credential.helper", ""),
    ("core.hooksPath", "/dev/null"), ("core.askPass", ""), ("fetch.fsckObjects", "true"),
    ("fetch.unpackLimit", "1"), ("fetch.recurseSubmodules", "false"),
    ("fetch.writeCommitGraph", "false"), ("push.recurseSubmodules", "no"),
    ("push.gpgSign", "false"), ("push.followTags", "false"),
    ("submodule.recurse", "false"), ("core.sshCommand", "false"), ("gc.auto", "0"),
    ("maintenance.auto", "false"), ("pack.threads", "1"), ("safe.directory", "*"),
    ("core.bigFileThreshold", "8m"), ("core.packedGitWindowSize", "32m"),
    ("core.packedGitLimit", "256m"),
)  # fmt: skip
_SSH = (
    "IdentitiesOnly=yes", "IdentityAgent=none", "BatchMode=yes", "StrictHostKeyChecking=yes",
    "GlobalKnownHostsFile=/dev/null", "CheckHostIP=no", "UpdateHostKeys=no", "ConnectTimeout=15",
    "PreferredAuthentications=publickey", "ForwardAgent=no", "ClearAllForwardings=yes",
    "PermitLocalCommand=no", "ProxyCommand=none", "ProxyJump=none", "ControlMaster=no",
    "ControlPath=none", "CanonicalizeHostname=no", "ServerAliveInterval=15",
    "ServerAliveCountMax=4", f"HostKeyAlias={ssh.ALIAS}",
)  # fmt: skip


class Heads(msgspec.Struct, frozen=True):
    """The branches over there, by name, and which one it calls its own."""

    tips: Mapping[str, str]
    default: str


class Wire:
    """An open way: `git` with all it needs to go there and nowhere else."""

    def __init__(
        self, outbound: Outbound, way: Way, url: str, settings: list[tuple[str, str]],
        given: dict[str, str],
    ) -> None:  # fmt: skip
        self._outbound, self._way, self._url = outbound, way, url
        self._settings, self._given = settings, given

    async def heads(self) -> Heads:
        """What is there; one question, nothing is fetched.

        Raises:
            Trouble: it could not be asked.
        """
        out = await self._run(
            LOOK, "ls-remote", "--symref", "--", self._url, "HEAD", f"{BRANCH}*"
        )  # fmt: skip
        tips, default = dict[str, str](), ""
        for line in out.splitlines():
            what, _, ref = line.partition("\t")
            if what.startswith("ref: ") and ref == "HEAD":
                default = what.removeprefix(f"ref: {BRANCH}")
            elif ref.startswith(BRANCH):
                if not ID.fullmatch(what):
                    raise told(self._way.address, "mismatched algorithms")
                tips[ref.removeprefix(BRANCH)] = what
        if not tips:  # git says the same of a web server that says nothing
            await advert.check(self._outbound, self._way)
        return Heads(tips, default if default in tips else "")

    async def fetch(
        self, repository: Repository, quarantine: Quarantine, tips: Sequence[str]
    ) -> None:
        """Bring the commits into the quarantine; no ref moves."""
        await self._run(
            CARRY, f"--git-dir={repository.path}", "fetch", "--quiet", "--no-tags",
            "--no-write-fetch-head", "--no-auto-maintenance", "--no-recurse-submodules",
            "--no-show-forced-updates", "--refmap=", "--", self._url, *tips, given=quarantine.given,
        )  # fmt: skip

    async def push(
        self, repository: Repository, moves: Mapping[str, tuple[str | None, str | None]], *,
        force: bool = False, atomic: bool = True,
    ) -> None:  # fmt: skip
        """Move branches over there: from where they were seen (None: not there) to where.

        Raises:
            Trouble: nothing moved (`moved`: one is not where it was seen; look again).
        """
        leases = [f"--force-with-lease={BRANCH}{at}:{old or ''}" for at, (old, _) in moves.items()]
        plus = "+" if force else ""
        specs = [f"{plus if new else ''}{new or ''}:{BRANCH}{at}" for at, (_, new) in moves.items()]
        words = ["--atomic"] if atomic and len(moves) > 1 else []
        await self._run(
            CARRY, f"--git-dir={repository.path}", "push", "--porcelain", "--no-verify", *words,
            *leases, "--", self._url, *specs,
        )  # fmt: skip

    async def _run(
        self, seconds: float, *words: str, given: Mapping[str, str] | None = None
    ) -> str:
        child = await started(
            words, settings=[*_SETTINGS, *self._settings], given=self._given | dict(given or {}),
            memory=MEMORY, seconds=SECONDS, largest=LARGEST,
        )  # fmt: skip
        out, complaint = b"", ""
        try:
            async with asyncio.timeout(seconds), ended(child):
                out, complaint = await asyncio.gather(_whole(child.stdout), said(child))
                await child.wait()
        except TimeoutError:
            raise told(self._way.address, "timed out") from None
        if child.returncode == 0:
            return out.decode("utf-8", "replace")
        shown = self.clean(out.decode("utf-8", "replace")[-2000:] + complaint)
        name = self._way.address.name
        log.info("a git to %s ended with %s: %a", name, child.returncode, shown)
        bare, writing = not self._way.secret, "push" in words
        raise told(self._way.address, shown, bare=bare, writing=writing)

    def clean(self, text: str) -> str:
        """What git said, without what must not be read."""
        for one in (self._way.secret, self._way.basic):
            text = text.replace(one, "…") if one else text
        return re.sub(r"(?i)(authorization: ?\w* ?)\S+", r"\1…", text)


async def _whole(stream: asyncio.StreamReader) -> bytes:
    """All of it, to its end; one `read` gives what has come so far.

    Beyond `MOST_SAID` nothing is taken, so git waits until its time is over.
    """
    text = bytearray()
    while len(text) < MOST_SAID and (part := await stream.read(MOST_SAID - len(text))):
        text += part
    return bytes(text)


@asynccontextmanager
async def opened(outbound: Outbound, folder: Path, way: Way) -> AsyncGenerator[Wire]:
    """Raises:
    Invalid, Unavailable: the hub does not go there, or not just now.
    """
    address = way.address
    if address.scheme in ("http", "https") and version() < PINS:
        raise Unavailable("The hub's git is too old for this: 2.37 or later is needed.")
    ips = await checked(outbound, address)
    await asyncio.to_thread(folder.mkdir, mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=PREFIX, dir=folder) as own:
        given = {
            "GIT_ALLOW_PROTOCOL": address.scheme, "GIT_PROTOCOL_FROM_USER": "0", "HOME": own,
            "GIT_SSH_VARIANT": "ssh", "GIT_SSH_COMMAND": "false", "GIT_ASKPASS": "false",
        }  # fmt: skip
        settings: list[tuple[str, str]] = []
        url = address.url
        if address.scheme == "ssh":
            given["GIT_SSH_COMMAND"] = _ssh(Path(own), way, ips[0])
        elif address.scheme == "git":
            url = address.at(ips[0])
        else:
            shown = ",".join(f"[{one}]" if ":" in one else one for one in ips)
            host = address.host.strip("[]")
            settings.append(("http.curloptResolve", f"{host}:{address.port}:{shown}"))
            if trusted := await asyncio.to_thread(outbound.authorities):
                (Path(own) / "authorities").write_bytes(trusted)
                settings.append(("http.sslCAInfo", str(Path(own) / "authorities")))
            if way.secret:
                given |= {
                    "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": f"http.{url}.extraHeader",
                    "GIT_CONFIG_VALUE_0": f"Authorization: Basic {way.basic}",
                }  # fmt: skip
        yield Wire(outbound, way, url, settings, given)


def _ssh(own: Path, way: Way, ip: str) -> str:
    key, hosts = own / "key", own / "hosts"
    key.touch(mode=0o600)
    key.write_text(way.secret)
    hosts.write_text(ssh.known_hosts(way.host_keys))
    options = [f"UserKnownHostsFile={hosts}", f"HostName={ip}", *_SSH]
    words = ["ssh", "-F", "/dev/null", "-i", str(key)]
    return shlex.join([*words, *(word for one in options for word in ("-o", one))])
