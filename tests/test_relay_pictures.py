"""Programs give pictures as variables; and what a call may read is never set aside too low."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from hub.playground.engine.folders import BUILTIN
from hub.playground.relay.sizes import PICTURE, TOOLS, read_by_model
from tests.cast import copy_template
from tests.endpoint import FakeEndpoint
from tests.git_people import beside
from tests.serving import Server, free_port, serve
from tests.test_mcp_door import move, save
from tests.test_relay import connect, endpoint, run, set_up

__all__ = ["endpoint"]
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 30
CODED = base64.b64encode(PNG).decode()
LARGE = b"\x89PNG\r\n\x1a\n" + bytes(5 * 1024 * 1024 - 8)
WOUND: dict[str, Any] = {
    "model": "echo",
    "messages": [{"role": "user", "content": "{{ photo }} What is this? {{ note }}"}],
    "variables": [{"name": "photo", "type": "image"}, {"name": "note", "required": False}],
}
SCRIPT = """
import base64
data = lambda raw, kind="png": f"data:image/{kind};base64,{base64.b64encode(raw).decode()}"
PNG = b"\\x89PNG\\r\\n\\x1a\\n" + bytes(range(256)) * 30
ask = lambda photo, name="care/wound", **more: hub.responses.create(
    model="echo", prompt={"id": name, "variables": {"photo": photo} | more})
picture = lambda raw, **more: {"type": "input_image", "image_url": data(raw)} | more
"""


@pytest.fixture(scope="module")
def filled(tmp_path_factory: Any, migrated: Any, endpoint: FakeEndpoint) -> Iterator[Server]:
    data = tmp_path_factory.mktemp("relayed-pictures") / "data"
    copy_template(migrated, data)
    with serve(data, free_port(), private_hosts=f"127.0.0.1:{endpoint.port}") as server:
        save(server, "care/wound", WOUND)
        text = "{% if photo %}{{ photo }}{% endif %} Well?"
        save(
            server, "care/maybe", WOUND | {"messages": [{"role": "user", "content": text}]}
        )  # its conditions are filled in by a process of its own
        for name in ("care/wound", "care/maybe"):
            move(server, name, 1)
        beside(server, lambda database: connect(database, server, endpoint))
        set_up(server, tokens="10,000,000")
        yield server


def seen(endpoint: FakeEndpoint) -> list[str]:
    """The pictures in what the endpoint was asked last."""
    content = endpoint.asked[-1]["messages"][0]["content"]
    return [one["image_url"]["url"] for one in content if "image_url" in one]


def test_a_picture_as_openais_clients_give_it(filled: Server, endpoint: FakeEndpoint):
    script = """
one = ask(picture(PNG), note="Red.")
say([one.status, one.prompt.model_dump()])
"""
    status, prompt = run(filled, "picture", SCRIPT + script)
    assert status == "completed"
    assert seen(endpoint) == [f"data:image/png;base64,{CODED}"]
    assert endpoint.asked[-1]["messages"][0]["content"][1]["text"] == " What is this? Red."
    # It is not sent back with each event.
    assert CODED not in json.dumps(prompt)
    assert prompt["variables"]["photo"]["type"] == "input_image"
    script = """
hub.chat.completions.create(model="echo", messages=[], extra_body={"prompt": {
    "id": "care/wound",
    "variables": {"photo": {"type": "image_url", "image_url": {"url": data(PNG)}}}}})
ask(data(PNG, "gif"))
say(1)
"""
    before = len(endpoint.asked)
    run(filled, "pictures too", SCRIPT + script)
    # What it is, its first bytes say.
    for asked in endpoint.asked[before:]:
        assert f"data:image/png;base64,{CODED}" in json.dumps(asked)


def test_the_largest_one_goes_through_templates_with_conditions(
    filled: Server, endpoint: FakeEndpoint
):
    script = """
say(ask(picture(b"\\x89PNG\\r\\n\\x1a\\n" + bytes(5 * 1024 * 1024 - 8)), "care/maybe").status)
"""
    assert run(filled, "large", SCRIPT + script) == "completed"
    [url] = seen(endpoint)
    assert base64.b64decode(url.partition(",")[2]) == LARGE


def test_what_is_no_picture_that_came_along_is_refused(filled: Server, endpoint: FakeEndpoint):
    script = """
say({name: tried(lambda: ask(photo, **more)) for name, photo, more in [
    ("address", {"type": "input_image", "image_url": "https://example.org/a.png"}, {}),
    ("inside", "http://169.254.169.254/a.png", {}),
    ("file", {"type": "input_image", "file_id": "file_1"}, {}),
    ("document", {"type": "input_file", "file_id": "file_1"}, {}),
    ("large", picture(b"\\x89PNG\\r\\n\\x1a\\n" + bytes(5 * 1024 * 1024)), {}),
    ("vast", picture(bytes(7 * 1024 * 1024)), {}),
    ("svg", picture(b"<svg/>"), {}), ("broken", "data:image/png;base64,%%%", {}),
    ("detail", picture(PNG, detail="high"), {}),
    ("text", picture(PNG), {"note": picture(PNG)}), ("list", [1], {}), ("none", None, {}),
]})
"""
    before = len(endpoint.asked)
    found = run(filled, "no pictures", SCRIPT + script)
    assert found["vast"][1] == 413, "more than a call may bring is not read to its end"
    assert {said[1] for name, said in found.items() if name != "vast"} == {400}
    for name, sentence in {
        "address": "Nothing is fetched from an address here", "inside": "Nothing is fetched",
        "file": "must hold the picture itself", "document": "files cannot be filled in",
        "large": "larger than 5 MB", "vast": "the limit is 8 MiB",
        "svg": "no picture that models take",
        "broken": "base64 cannot be read", "detail": "leave `detail` out",
        "text": "note is not a picture in this prompt", "list": "The picture itself, as data:",
        "none": "photo",
    }.items():  # fmt: skip
        assert sentence in found[name][3], name
    assert len(endpoint.asked) == before


def test_a_picture_is_set_aside_for_before_it_is_sent(filled: Server, endpoint: FakeEndpoint):
    set_up(filled, tokens=f"{PICTURE}")
    before = len(endpoint.asked)
    said = run(filled, "dear", SCRIPT + "say(tried(lambda: ask(picture(PNG))))")
    set_up(filled, tokens="10,000,000")
    assert said[1:3] == [429, "insufficient_quota"]
    assert len(endpoint.asked) == before


TOKENIZER = Tokenizer.from_file(str(BUILTIN / "tokenizer.json"))
ODD = st.text(st.characters(codec="utf-8"), max_size=200) | st.text("ab 0\n{🏽漢", max_size=200)


@given(ODD, ODD, st.dictionaries(ODD, ODD, max_size=3))
def test_no_text_has_more_tokens_than_are_set_aside(one: str, two: str, arguments: dict[str, str]):
    calls = [{"function": {"name": "look", "arguments": json.dumps(arguments)}}]
    asked: dict[str, Any] = {
        "messages": [{"role": "user", "content": [{"type": "text", "text": one}]},
                     {"role": "assistant", "content": two, "tool_calls": calls}],
        "tools": [{"type": "function", "function": {"name": "look", "description": two}}],
    }  # fmt: skip
    whole = f"{one}\n{two}\n{json.dumps(calls, indent=4)}\n{json.dumps(asked['tools'], indent=4)}"
    assert read_by_model(asked) > TOOLS
    assert len(TOKENIZER.encode(whole).ids) <= read_by_model(asked)
