"""Where the hub connects at all, and where it never does."""

import asyncio
import ipaddress
import socket

import httpcore
import httpx
import pytest

from hub.errors import Invalid
from hub.outbound import ForbiddenAddress, Outbound
from tests.endpoint import running_endpoint


@pytest.fixture
async def fake():
    async with running_endpoint() as endpoint:
        yield endpoint


@pytest.fixture
async def outbound():
    outbound = Outbound("127.0.0.1")
    yield outbound
    await outbound.close()


PUBLIC = (
    "8.8.8.8", "1.1.1.1", "100.63.255.255", "100.128.0.1", "172.15.0.1", "172.32.0.1",
    "192.0.1.1", "198.17.0.1", "198.20.0.1", "223.255.255.254",
    "2606:4700::1", "2a00:1450::1", "2001:4860:4860::8888", "2001:200::1",
    "::ffff:8.8.8.8", "64:ff9b::8.8.8.8",
)  # fmt: skip
PRIVATE = (
    "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.127.255.255", "127.0.0.1", "172.16.0.1",
    "172.31.255.255", "192.0.0.1", "192.0.0.8", "192.0.0.9", "192.0.0.170", "192.0.2.1",
    "192.88.99.1", "192.168.0.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1",
    "240.0.0.1", "255.255.255.255",
    "::1", "::8.8.8.8", "::ffff:10.0.0.1", "::ffff:192.0.0.8", "64:ff9b::10.0.0.1",
    "64:ff9b::100.64.0.1", "64:ff9b:1::8.8.8.8", "100::1", "2001::1", "2001:2::1", "2001:10::1",
    "2001:20::1", "2001:db8::1", "2002:808:808::1", "2002:a00:1::1", "3fff::1", "4000::1",
    "5f00::1", "fc00::1", "fd12:3456::1", "fec0::1",
)  # fmt: skip
NEVER = (
    "0.0.0.0", "169.254.169.254", "169.254.0.1", "224.0.0.1", "239.1.1.1", "100.100.100.200",
    "168.63.129.16", "192.0.0.192",
    "::", "fe80::1", "ff02::1", "fd00:ec2::254", "fd20:ce::254", "::169.254.169.254",
    "::ffff:169.254.169.254", "64:ff9b::169.254.169.254", "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::169.254.169.254", "2002:a9fe:a9fe::1", "::ffff:0.0.0.0",
)  # fmt: skip


async def judged(ip: str, allowed: str = "") -> str:
    try:
        found = await Outbound(allowed).resolve(ip, 443)
    except ForbiddenAddress as refused:
        return "never" if "never connects" in refused.sentence else "private"
    assert [ipaddress.ip_address(one) for one in found] == [ipaddress.ip_address(ip)]
    return "public"


@pytest.mark.parametrize(
    ("ip", "kind"),
    [(ip, kind) for kind, ips in (("public", PUBLIC), ("private", PRIVATE), ("never", NEVER))
     for ip in ips],
)  # fmt: skip
async def test_each_kind_of_address(monkeypatch, ip: str, kind: str):
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET

    async def literal(host, port, **_):  # a machine without IPv6 would know no such addresses
        return [(family, socket.SOCK_STREAM, 6, "", (host, port))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", literal)
    assert await judged(ip) == kind
    allowed = f"[{ip}]" if ":" in ip else ip
    assert await judged(ip, allowed) == ("never" if kind == "never" else "public")


@pytest.mark.parametrize("url", ["http://169.254.169.254/latest", "http://[fe80::1]/v1"])
async def test_nobody_is_told_to_allow_what_cannot_be_allowed(url):
    with pytest.raises(ForbiddenAddress, match="never connects to"):
        await Outbound().check(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:11434/v1",
        "https://127.0.0.1/v1",
        "https://localhost/v1",
        "https://2130706433/v1",
        "https://0x7f.1/v1",
        "https://[::1]/v1",
        "https://[::ffff:127.0.0.1]/v1",
        "https://[::ffff:169.254.169.254]/v1",
        "https://[64:ff9b::7f00:1]/v1",
        "https://[2002:7f00:1::]/v1",
        "https://10.0.0.7/v1",
        "https://192.168.1.4/v1",
        "https://100.64.0.1/v1",
        "https://0.0.0.0/v1",
        "https://224.0.0.1/v1",
        "https://240.0.0.1/v1",
        "https://169.254.169.254/latest",
        "https://[fe80::1]/v1",
        "https://[fd00:ec2::254]/v1",
        "https://100.100.100.200/v1",
        "https://168.63.129.16/v1",
        "http://api.example.org/v1",
    ],
)
async def test_private_addresses_are_refused_with_what_to_do(url):
    with pytest.raises(ForbiddenAddress, match=r"allow it|never connects|without encryption"):
        await Outbound().check(url)


@pytest.mark.parametrize(
    "url",
    ["", "example.org", "ftp://example.org", "file:///etc/passwd", "https://", "https://a b/",
     "https://me:secret@example.org/v1", "https://example.org/v1?key=1", "https://x:99999/",
     "javascript:alert(1)", "https://example.org/\nv1", "https://example.org/#v1"],
)  # fmt: skip
async def test_what_is_no_address_is_refused(url):
    with pytest.raises(Invalid):
        await Outbound().check(url)


async def test_metadata_addresses_cannot_be_allowed_even_by_the_operator():
    with pytest.raises(ForbiddenAddress):
        await Outbound("169.254.169.254").check("http://169.254.169.254/v1")


async def test_the_operator_allows_by_name_or_address_with_or_without_port():
    for listed in ("127.0.0.1:11434", "127.0.0.1", "other, 127.0.0.1:11434"):
        await Outbound(listed).check("http://127.0.0.1:11434/v1/")
    await Outbound("localhost").check("http://localhost:11434/v1")
    await Outbound("[::1]:8000").check("http://[::1]:8000/v1")
    with pytest.raises(ForbiddenAddress, match=r"PROMPTHUB_PRIVATE_HOSTS=127\.0\.0\.1:80"):
        await Outbound("127.0.0.1:11434").check("http://127.0.0.1/v1")


async def test_a_name_that_turns_private_after_it_was_saved_is_not_connected(fake, monkeypatch):
    """The check at save passes, then the name resolves to loopback: nothing is sent there."""
    outbound = Outbound()

    async def rebound(host, port, **_):
        return [(2, 1, 6, "", ("127.0.0.1", fake.port))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", rebound)
    with pytest.raises(ForbiddenAddress):
        await outbound.client().get(f"https://models.example.org:{fake.port}/v1/models")
    assert fake.headers == []
    await outbound.close()


async def test_the_name_stays_in_the_tls_handshake(monkeypatch):
    """We connect to the checked IP, but ask for, and would verify, the name."""
    hello = bytearray()

    async def connected(reader, writer):
        hello.extend(await reader.read(4096))
        writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    async def resolved(host, asked, **_):
        return [(2, 1, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolved)
    outbound = Outbound("models.example.org")
    with pytest.raises(httpx.HTTPError):
        await outbound.client().get(f"https://models.example.org:{port}/v1/models")
    assert b"models.example.org" in hello
    await outbound.close()
    server.close()


async def test_a_name_without_a_machine_is_said(outbound):
    with pytest.raises(httpcore.ConnectError, match="no machine"):
        await outbound.resolve("no-such-host.invalid", 443)
