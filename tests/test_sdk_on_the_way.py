"""How the SDK reaches a hub: straight, over TLS, and by the proxy that a machine asks for."""

import shutil
import ssl
import subprocess
import time
from pathlib import Path

import pytest

import sdk
from sdk.flow import Ask
from sdk.states import Timing
from sdk.transport import Transport
from tests.contract.fake_hub import KEY, FakeHub

QUICK = Timing(first_retry=0.05, longest_retry=0.2, polls_after=0.2, greeting=60)
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def no_proxy_of_this_machine(monkeypatch):
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def fake():
    hub = FakeHub()
    hub.release("a/b", "One")
    yield hub
    hub.stop()


def until(true, seconds=60):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)


def follows(hub, fake):
    """A release reaches a reader by the stream."""
    assert hub.get_prompt("a/b").version == 1
    until(lambda: hub.status().state == "live")
    fake.release("a/b", "Two", 2)
    until(lambda: hub.get_prompt("a/b").version == 2)
    assert hub.get_prompt("a/b").source == "stream"


def make(url, **more):
    return sdk.Hub(url, KEY, snapshot=None, boot_wait=60, refresh=60, timing=QUICK, **more)


def test_by_a_proxy_of_the_environment(fake, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", fake.url)  # it answers for whatever host it is asked for
    hub = make("http://prompts.example")
    follows(hub, fake)
    assert {path.partition("/api/")[0] for path, _ in fake.requests} == {"http://prompts.example"}
    hub.close(2)


def test_this_machine_is_reached_straight_whatever_the_environment_says(fake, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    hub = make(fake.url)
    follows(hub, fake)
    hub.close(2)


def certificate(folder: Path) -> Path:
    """Of an authority of our own, for 127.0.0.1."""
    made = folder / "both.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-keyout", folder / "key.pem", "-out", folder / "cert.pem", "-days", "2",
         "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"],
        check=True, capture_output=True,
    )  # fmt: skip
    made.write_text((folder / "key.pem").read_text() + (folder / "cert.pem").read_text())
    return made


@pytest.fixture
def secure(fake, tmp_path):
    """The same hub, speaking TLS."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl here to make a certificate with")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate(tmp_path))
    fake.stop()
    fake.tls = context
    fake.start()
    return f"https://127.0.0.1:{fake.port}"


def test_over_tls_with_an_authority_that_is_trusted(fake, secure, tmp_path, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
    hub = make(secure)
    follows(hub, fake)
    began = time.monotonic()
    hub.close(60)
    assert time.monotonic() - began < 30


def test_a_hub_that_nobody_vouches_for_is_not_listened_to(fake, secure):
    with pytest.raises(sdk.PromptUnavailable):
        sdk.Hub(secure, KEY, snapshot=None, boot_wait=1).get_prompt("a/b")
    wire = Transport(secure)
    ask = Ask(f"{secure}/api/v1/stream?since=e1:1", {"Authorization": f"Bearer {KEY}"})
    with pytest.raises(ssl.SSLCertVerificationError):
        next(wire.stream(ask, 5, print))
    wire.close()
    assert fake.asked.total() == 0
