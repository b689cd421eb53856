"""The one client for calls to other machines: it decides where the hub may connect at all.

An address is looked up once, every answer is checked, and the connection goes to exactly the
checked IP; the name stays in `Host` and in the TLS handshake. Redirects and proxies of the
environment are not followed. So neither a name that resolves differently the second time nor a
hand-over to another address reaches what lies behind the hub.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import ssl
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import certifi  # comes with httpx
import httpcore
import httpx

from hub.errors import Invalid

Ip = ipaddress.IPv4Address | ipaddress.IPv6Address

# Addresses that hand out a cloud machine's secrets; none of them is anybody's server.
_METADATA = frozenset(
    ipaddress.ip_address(ip)
    for ip in (
        "100.100.100.200", "168.63.129.16", "192.0.0.192",
        "fd00:ec2::254", "fd20:ce::254", "fd00:42::42",
    )
)  # fmt: skip
# Python's own tables differ from version to version, so what IANA sets apart is written out.
_SET_APART = [
    ipaddress.ip_network(network)
    for network in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16",
        "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16",
        "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
        "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
    )
]  # fmt: skip
_ONLY_PUBLIC_V6 = ipaddress.ip_network("2000::/3")
_MAPPED = [ipaddress.ip_network(network) for network in ("::ffff:0:0/96", "64:ff9b::/96")]
"""An IPv4 address as IPv6 networks write it: it is that machine, and judged as such."""
_EMBEDDING = [*_MAPPED, *map(ipaddress.ip_network, ("64:ff9b:1::/48", "::/96"))]
TIMEOUT = httpx.Timeout(connect=10, write=30, pool=10, read=300)


class ForbiddenAddress(Invalid):
    """The hub does not connect there; the sentence says what the operator can set."""


class Outbound:
    """`private_hosts`: what the operator allows of private addresses, `host[:port]`, by comma.
    `ca_file`: certificate authorities that are trusted beside those that everybody trusts."""

    def __init__(self, private_hosts: str = "", ca_file: str = "") -> None:
        self.ca_file = ca_file
        listed = (item.strip().lower() for item in private_hosts.split(","))
        self._private = frozenset(item for item in listed if item)
        self._client: httpx.AsyncClient | None = None
        self._engines: dict[str, httpx.AsyncClient] = {}

    def base_url(self, text: str) -> str:
        """The address that others are made from: see `address`; without a slash at its end."""
        text = text.strip().rstrip("/")
        if "?" in text or "#" in text:
            raise _with_more()
        return self.address(text)

    def address(self, text: str) -> str:
        """The address as it is kept, or a sentence about what is wrong with how it is written."""
        text = text.strip()
        try:
            url = httpx.URL(text)
            port = url.port
        except (httpx.InvalidURL, ValueError):
            raise _unusable() from None
        if port is not None and not 0 < port < 65536:
            raise _unusable()
        if url.scheme not in ("http", "https") or not url.host or not text.isprintable():
            raise _unusable()
        if url.userinfo or url.fragment or "#" in text or " " in text:
            raise _with_more()
        if url.scheme == "http" and not self._listed(url.host, port or 80):
            with contextlib.suppress(ValueError):  # a name: it is looked up when it is used
                _refuse_never(url.host, ipaddress.ip_address(url.host))
            raise ForbiddenAddress(
                f"{url.host} would be spoken to without encryption. Use https://, or, for a server "
                f"of your own, {self._how(url.host, port or 80)}"
            )
        return text

    async def check(self, text: str) -> str:
        """`base_url`, and the name resolves to nothing forbidden now (unknown names may pass)."""
        return await self._resolves(self.base_url(text))

    async def check_address(self, text: str) -> str:
        """As `check`, for an address that may hold a query."""
        return await self._resolves(self.address(text))

    async def _resolves(self, text: str) -> str:
        url = httpx.URL(text)
        port = url.port or {"http": 80, "https": 443}[url.scheme]
        # Not known today: the test of the connection says so, and this check comes again.
        with contextlib.suppress(httpcore.ConnectError):
            await self.resolve(url.host, port)
        return text

    async def resolve(self, host: str, port: int) -> list[str]:
        """The IPs of `host`, all of them allowed.

        Raises:
            ForbiddenAddress: one of them is not for us.
            httpcore.ConnectError: there are none.
        """
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            raise httpcore.ConnectError(f"There is no machine called {host}.") from None
        ips = list(dict.fromkeys(str(info[4][0]) for info in found))
        for ip in ips:
            self._require(host, port, ipaddress.ip_address(ip.partition("%")[0]))
        return ips

    def authorities(self) -> bytes:
        """All that are trusted, for programs that take one file; empty: they know themselves."""
        if not self.ca_file:
            return b""
        theirs = ssl.get_default_verify_paths().cafile or certifi.where()
        return Path(theirs).read_bytes() + b"\n" + Path(self.ca_file).read_bytes()

    def client(self) -> httpx.AsyncClient:
        """The shared client for remote endpoints."""
        if self._client is None:
            self._client = _client(_Pinned(self))
        return self._client

    def engine(self, path: str) -> httpx.AsyncClient:
        """A client for our own engine's Unix socket."""
        if path not in self._engines:
            # To no machine: reading the certificates of all authorities takes 40 ms of the loop.
            transport = httpx.AsyncHTTPTransport(uds=path, verify=False)
            self._engines[path] = _client(transport)
        return self._engines[path]

    async def close(self) -> None:
        clients = [self._client] if self._client else []
        for client in [*clients, *self._engines.values()]:
            await client.aclose()
        self._client, self._engines = None, {}

    def _require(self, host: str, port: int, ip: Ip) -> None:
        _refuse_never(host, ip)
        meant = _v4(ip) if any(ip in network for network in _MAPPED) else ip
        if not is_public(meant) and not (
            self._listed(host, port)
            or self._listed(str(meant), port)
            or self._listed(str(ip), port)
        ):
            raise ForbiddenAddress(
                f"{host} is a private address, and the hub only connects to those its "
                f"operator allows. To allow it, {self._how(host, port)}"
            )

    def _listed(self, host: str, port: int) -> bool:
        bare = host.strip("[]").lower()
        shown = f"[{bare}]" if ":" in bare else bare
        return not self._private.isdisjoint({bare, shown, f"{shown}:{port}"})

    def _how(self, host: str, port: int) -> str:
        shown = f"[{host}]" if ":" in host else host
        return (
            f"start the hub with PROMPTHUB_PRIVATE_HOSTS={shown}:{port} "
            "(several are separated by commas)."
        )


def is_public(ip: Ip) -> bool:
    """Whether anybody on the internet could be meant by it."""
    if any(ip in network for network in _SET_APART):
        return False
    return ip.is_global and (ip.version == 4 or ip in _ONLY_PUBLIC_V6)


def _refuse_never(host: str, ip: Ip) -> None:
    """What no operator can allow, so nobody is told to."""
    for one in (ip, *_inside(ip)):
        if one in _METADATA or one.is_link_local or one.is_multicast or one.is_unspecified:
            raise ForbiddenAddress(
                f"{host} is an address the hub never connects to. "
                "Enter the address of another server."
            )


def _inside(ip: Ip) -> Iterable[Ip]:
    """The IPv4 addresses that an IPv6 one may lead to, in each of the ways to write them."""
    if not isinstance(ip, ipaddress.IPv6Address):
        return
    teredo = ip.teredo
    for inner in (ip.sixtofour, teredo[1] if teredo else None):
        if inner is not None:
            yield inner
    if any(ip in network for network in _EMBEDDING):
        yield _v4(ip)


def _v4(ip: Ip) -> ipaddress.IPv4Address:
    return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)


def _with_more() -> Invalid:
    return Invalid(
        "The address may not hold a name, a password, `?` or `#`. Enter the key in its own field."
    )


def _unusable() -> Invalid:
    return Invalid(
        "This is not a web address. Enter one such as https://api.example.org/v1 "
        "or, for a server of your own, http://10.0.0.5:8000/v1."
    )


def _client(transport: httpx.AsyncBaseTransport) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        transport=transport,
        timeout=TIMEOUT,
        trust_env=False,
        follow_redirects=False,
        headers={"User-Agent": "prompthub", "Accept-Encoding": "identity"},
    )


class _Pinned(httpx.AsyncHTTPTransport):
    """httpx over a pool whose connections are opened by `_Backend`."""

    def __init__(self, outbound: Outbound) -> None:
        context = httpx.create_ssl_context(trust_env=False)
        if outbound.ca_file:
            context.load_verify_locations(outbound.ca_file)
        super().__init__(verify=context, trust_env=False)
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=context,
            max_connections=200,
            max_keepalive_connections=20,
            keepalive_expiry=30,
            network_backend=_Backend(outbound),
        )


class _Backend(httpcore.AsyncNetworkBackend):
    """Opens connections to checked IPs only; TLS above it still verifies the name."""

    def __init__(self, outbound: Outbound) -> None:
        self._outbound = outbound
        self._inner: Any = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's own signature
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            async with asyncio.timeout(timeout):
                ips = await self._outbound.resolve(host, port)
        except TimeoutError:
            raise httpcore.ConnectTimeout from None
        last: Exception = httpcore.ConnectError(f"There is no machine called {host}.")
        for ip in ips:
            try:
                return await self._inner.connect_tcp(
                    ip, port, timeout, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                last = error
        raise last

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's own signature
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        raise httpcore.ConnectError("not here")

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
