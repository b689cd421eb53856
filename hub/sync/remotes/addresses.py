"""Where a workspace's other repository lies: one reader of addresses, and where the hub may go.

`https://` and `ssh://` (or `git@host:path`) are for everybody; `http://` and `git://` only for
hosts that the operator listed. git is given the address put together anew from what was read.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Literal

import httpcore
import msgspec

from hub.errors import Invalid, Unavailable
from hub.outbound import Outbound

Scheme = Literal["https", "http", "ssh", "git"]
PORTS: dict[str, int] = {"https": 443, "http": 80, "ssh": 22, "git": 9418}
LONGEST = 500
_URL = re.compile(
    r"(?P<scheme>[a-z]+)://(?:(?P<user>[^@/]*)@)?"
    r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^:/@\[\]]+)(?::(?P<port>\d{1,5}))?(?P<path>/.*)"
)
_SCP = re.compile(r"(?:(?P<user>[^@/:]+)@)?(?P<host>[^:/@\[\]]+):(?P<path>[^:].*)")
_PART = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST = re.compile(rf"(?=.{{1,253}}\Z){_PART}(?:\.{_PART})*")
_USER = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}", re.ASCII)
_PATH = re.compile(r"(/[A-Za-z0-9_~.%+][A-Za-z0-9_~.%+@-]*)+/?", re.ASCII)
_NUMBER = re.compile(r"(0[xX][0-9A-Fa-f]*|\d+)", re.ASCII)
NOT_ONE = (
    "This is not the address of a repository. Enter one such as "
    "https://github.com/acme/prompts.git or git@github.com:acme/prompts.git."
)


class Address(msgspec.Struct, frozen=True):
    """An address, taken apart; `path` begins with a slash."""

    scheme: Scheme
    user: str
    host: str
    port: int
    path: str

    @property
    def name(self) -> str:
        """As people say it: `github.com/acme/prompts`."""
        shown = self.host if self.port == PORTS[self.scheme] else f"{self.host}:{self.port}"
        return shown + self.path.removesuffix("/").removesuffix(".git")

    def at(self, host: str) -> str:
        """The address as git gets it, with `host` (a name or an IP) in it."""
        shown = f"[{host}]" if ":" in host else host
        user = f"{self.user}@" if self.user else ""
        port = "" if self.port == PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{user}{shown}{port}{self.path}"

    @property
    def url(self) -> str:
        return self.at(self.host.strip("[]"))


def read(text: str) -> Address:
    """Raises:
    Invalid: it is not an address, or of a kind that the hub does not speak.
    """
    text = text.strip()
    if not text or len(text) > LONGEST or not text.isascii() or not text.isprintable():
        raise Invalid(NOT_ONE)
    found = _URL.fullmatch(text)
    scheme = found["scheme"] if found else "ssh"
    if found is None and ("://" in text or "::" in text):
        raise Invalid(NOT_ONE)
    if found is None and (found := _SCP.fullmatch(text)) is None:
        raise Invalid(NOT_ONE)
    if scheme not in ("https", "http", "ssh", "git"):
        raise Invalid(f"The hub does not speak {scheme}://. Use https:// or ssh://.")
    user, host = found["user"] or "", found["host"]
    path = "/" + found["path"].lstrip("/")
    port = int(found.groupdict().get("port") or PORTS[scheme])
    _check(scheme, user, host, port, path)
    return Address(scheme, user or ("git" if scheme == "ssh" else ""), host.lower(), port, path)


def _check(scheme: str, user: str, host: str, port: int, path: str) -> None:
    if scheme != "ssh" and user:
        raise Invalid(
            "The address may hold no name and no token. Enter the token in its own field."
        )
    if user and not _USER.fullmatch(user):
        raise Invalid(NOT_ONE)
    if not 0 < port < 65536 or not _sound_host(host):
        raise Invalid(NOT_ONE)
    if not _PATH.fullmatch(path) or ".." in path.split("/") or len(path) < 2:
        raise Invalid(NOT_ONE)


def _sound_host(host: str) -> bool:
    """A name, or an IP as everybody writes it: `127.1` and `0x7f000001` are read in many ways."""
    try:
        ipaddress.ip_address(host.strip("[]"))
        return True
    except ValueError:
        last = host.rpartition(".")[2]
        return bool(_HOST.fullmatch(host)) and not _NUMBER.fullmatch(last)


async def checked(outbound: Outbound, address: Address) -> list[str]:
    """The IPs to connect to, and no others.

    Raises:
        Invalid: one of them is not for us; the sentence says what the operator can set.
        Unavailable: the name is not known just now.
    """
    host = address.host.strip("[]")
    if address.scheme in ("http", "git"):  # without encryption: only where the operator says so
        shown = f"[{host}]" if ":" in host else host
        outbound.base_url(f"http://{shown}:{address.port}")
    try:
        return await outbound.resolve(host, address.port)
    except httpcore.ConnectError:
        raise Unavailable(f"There is no machine called {host} just now.") from None
