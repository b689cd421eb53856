"""22–26: what is wrong with the wire, or with what comes over it."""

import pytest

from tests.contract.fake_hub import content
from tests.contract.far import PAGE
from tests.contract.faults import answer, times
from tests.contract.running import put, sse

HTML = answer(200, "<h1>Sign in</h1>", PAGE)


def test_22_a_silent_stream_is_noticed(connect, far, wire):
    client = connect(wire.url)
    assert client.version() == 1
    client.state("live")
    far.heartbeat = 60
    took = client.until(lambda: client.status()["state"] != "live")
    assert took < 30  # the test's `silence` is 1 s; the protocol's is 45 s
    client.state("live")
    far.heartbeat = 0.2


def test_22_the_protocols_silence_is_45_seconds():
    from sdk.states import Timing

    assert (Timing().silence, Timing().polls_after, Timing().stale_after) == (45, 30, 60)


def test_23_where_no_stream_comes_through_it_polls_and_later_returns(connect, far, wire):
    wire.mood = "hold streams"
    client = connect(wire.url)
    assert client.version() == 1
    for version in (2, 3):
        far.release("a/b", f"Text {version}", version)
        client.until(lambda version=version: client.version() == version)
        assert client.status()["state"] != "live"
    assert client.get("a/b")["source"] == "poll"
    wire.mood = "pass"
    client.state("live")


def test_23_a_hub_without_streams_is_polled(connect, far):
    far.faults["stream"] = answer(404)
    client = connect()
    assert client.version() == 1
    far.release("a/b", "Newer", 2)
    client.until(lambda: client.version() == 2)
    far.remove("a/c")
    client.until(lambda: client.get("a/c", default="x")["source"] == "default")
    asked = far.asked["snapshot"]
    client.until(lambda: far.asked["snapshot"] > asked + 2)
    polls = [headers for path, headers in far.requests if "/snapshot" in path]
    assert polls[-1].get("if-none-match")
    del far.faults["stream"]
    client.state("live")


BAD = {
    "no JSON": lambda f: 'event: put\ndata: {"label": "product\n\n',
    "a list": lambda f: "event: put\ndata: [1]\n\n",
    "wrong shape": lambda f: sse("put", label="production", name="a/b"),
    "wrong types": lambda f: sse("put", **{
        **f.pointer("a/b", 2, "x" * 64, "production"), "version": "2"}),
    "wrong hash": lambda f: sse("put", **f.pointer("a/b", 2, "ab" * 32, "production"),
                                objects={"ab" * 32: content("Forged")}),
    "no text for it": lambda f: sse("put", **f.pointer("a/b", 2, "cd" * 32, "production")),
    "not UTF-8 at all": lambda f: "event: put\ndata: \udcff\n\n",
    "no revision": lambda f: sse("commit", epoch=f.epoch),
    "delete of nothing": lambda f: sse("delete", label=3),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD)
def test_24_nonsense_in_the_stream_changes_nothing(connect, far, what):
    def fault(handler):
        here = far.revision
        handler.begin_stream()
        handler.write(sse("hello", schema=1, epoch=far.epoch, revision=here))
        handler.write(sse("commit", epoch=far.epoch, revision=here))
        handler.write(put(far, "a/c", 66, "In the same batch"))
        raw = BAD[what](far).encode("utf-8", "surrogateescape")
        handler.wfile.write(f"{len(raw):x}\r\n".encode() + raw + b"\r\n")
        handler.write(sse("commit", epoch=far.epoch, revision=here + 1))
        handler.hub.hang(0.5)
        return True

    far.faults["stream"] = times(1, fault)
    client = connect()
    assert client.version() == 1
    client.until(lambda: far.asked["stream"] >= 2)
    assert (client.version(), client.version("a/c")) == (1, 1)
    client.state("live")
    assert far.asked["snapshot"] >= 2
    far.release("a/b", "Good", 2)
    client.until(lambda: client.version() == 2)


BROKEN = {
    "half": '{"schema": 1, "epoch": "e1", "revision": 5, "pointers": [',
    "no pointers": '{"schema": 1, "epoch": "e1", "revision": 9999}',
    "a list": "[]",
    "newer schema": '{"schema": 2, "epoch": "e1", "revision": 9999, "pointers": [], "objects": {}}',
    "text for number": '{"schema": 1, "epoch": "e1", "revision": "9", "pointers": [], '
                       '"objects": {}}',
    "wrong hash": '{"schema": 1, "epoch": "e1", "revision": 9999, "pointers": [], '
                  '"objects": {"ab": "x"}}',
    "deep": "[" * 100_000,
    "two documents": '{"schema": 1, "epoch": "e1", "revision": 9999, "pointers": [], '
                     '"objects": {}} {}',
}  # fmt: skip


def flipped(raw):
    """A letter of a text is another one; it is still JSON."""
    return raw.replace(b"One", b"Ons") if b"One" in raw else b"?" + raw


SPOILED = {
    "cut": lambda status, headers, raw: (status, headers, raw[: len(raw) // 2]),
    "a letter": lambda status, headers, raw: (status, headers, flipped(raw)),
    "garbage": lambda status, headers, raw: (status, headers, raw[::-1]),
    "said to be packed": lambda status, headers, raw: (
        status, headers | {"Content-Encoding": "gzip"}, b"plain"),
    "nothing": lambda status, headers, _: (status, headers, b""),
    "unchanged": lambda _, headers, __: (304, headers, b""),
    "gone": lambda _, headers, raw: (410, headers, raw),
    "moved": lambda _, headers, __: (302, headers | {"Location": "http://127.0.0.1:9/"}, b""),
}  # fmt: skip


@pytest.mark.parametrize("how", SPOILED)
def test_24_26_what_the_hub_says_is_spoiled_on_the_way(connect, far, how):
    client = connect(stream=False, refresh=0.05)
    assert client.version() == 1
    far.rewrites["snapshot"] = SPOILED[how]
    far.release("a/c", "Newer", 2)
    asked = far.asked["snapshot"]
    client.until(lambda: far.asked["snapshot"] >= asked + 3)
    assert (client.version(), client.version("a/c")) == (1, 1)
    far.rewrites.clear()
    client.until(lambda: client.version("a/c") == 2)
    assert client.version() == 1


TAGS = {
    "another": lambda headers: {**headers, "ETag": '"never-heard-of"'},
    "none": lambda headers: {n: v for n, v in headers.items() if n.lower() != "etag"},
    "nonsense": lambda headers: {**headers, "ETag": "not a tag at all"},
}


@pytest.mark.parametrize("what", TAGS)
def test_24_a_wrong_tag_hides_no_release(connect, far, what):
    """A proxy that makes tags of its own: what is asked with them is answered whole."""

    def rewrite(status, headers, raw):
        plain = {n: v for n, v in headers.items() if n.lower() != "etag" or what == "none"}
        return status, TAGS[what](plain), raw

    far.rewrites["snapshot"] = rewrite
    client = connect(stream=False, refresh=0.05)
    assert client.version() == 1
    far.release("a/b", "Newer", 2)
    client.until(lambda: client.version() == 2)


@pytest.mark.parametrize("what", BROKEN)
def test_24_nor_does_a_document_that_is_none(connect, far, what):
    client = connect(stream=False, refresh=0.05)
    assert client.version() == 1
    far.faults["snapshot"] = answer(200, BROKEN[what], "application/json")
    asked = far.asked["snapshot"]
    client.until(lambda: far.asked["snapshot"] >= asked + 2)
    assert (client.version(), client.version("a/c")) == (1, 1)
    del far.faults["snapshot"]
    far.release("a/b", "Good", 2)
    client.until(lambda: client.version() == 2)


def test_24_a_prompt_in_a_language_too_new_keeps_the_one_before(live, far):
    far.release_refused("a/b", "{% macro x() %}{% endmacro %}", 2)
    far.release("a/c", "Newer", 2)
    live.until(lambda: live.version("a/c") == 2)
    assert live.version() == 1
    far.release("a/b", "Good", 3)
    live.until(lambda: live.version() == 3)


def test_25_what_is_of_the_future_is_left_alone(live, far):
    """An event and fields that nobody knows: the fake hub always says them."""
    far.future = True
    far.cut()
    far.release("a/b", "Newer", 2)
    live.until(lambda: live.version() == 2)
    assert live.status()["state"] == "live"


@pytest.mark.parametrize("route", ["snapshot", "stream", "*"])
def test_26_a_web_page_replaces_nothing(connect, far, route):
    client = connect(refresh=0.05)
    assert client.version() == 1
    far.faults[route] = HTML
    far.cut()
    asked = far.asked.total()
    client.until(lambda: far.asked.total() >= asked + 4)
    assert (client.version(), client.version("a/c")) == (1, 1)
    del far.faults[route]
    far.release("a/b", "Newer", 2)
    client.until(lambda: client.version() == 2)
