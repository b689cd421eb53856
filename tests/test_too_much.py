"""A prompt that is too much is refused at once, by file and by JSON, and keeps nobody waiting."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from hub.front import Front
from hub.registry.prompt.document import InvalidDocument, from_json, parse, serialise
from tests.cast import Browser
from tests.contract.running import Turn

ONE: dict[str, Any] = {"messages": [{"role": "user", "content": "hello"}]}
ENDS = pytest.mark.timeout(100)  # against what would go on for minutes; nothing takes a second
HEAD = "messages:\n  - {role: user, content: hello}\n"
MANY: dict[str, tuple[str, dict[str, Any], str]] = {
    "messages": (
        "messages:\n" + "  - {role: user, content: a}\n" * 1001,
        {"messages": [{"role": "user", "content": "a"}] * 1001},
        "`messages` holds 1,001; 1,000 is the most. Remove some.",
    ),
    "tags": (
        HEAD + "tags: [" + "a, " * 1000 + "a]\n",
        {"tags": ["a"] * 1001},
        "`tags` holds 1,001; 1,000 is the most. Remove some.",
    ),
    "tools": (
        HEAD + "tools: [" + "{a: b}, " * 1000 + "{a: b}]\n",
        {"tools": [{"a": "b"}] * 1001},
        "`tools` holds 1,001; 1,000 is the most. Remove some.",
    ),
    "variables": (
        HEAD + "variables:\n" + "".join(f"  - name: v{n}\n" for n in range(1500)),
        {"variables": [{"name": f"v{n}"} for n in range(1500)]},
        "`variables` holds 1,500; 1,000 is the most. Remove some.",
    ),
    "variables by name": (
        HEAD + "variables:\n" + "".join(f"  v{n}: {{}}\n" for n in range(1500)),
        {"variables": {f"v{n}": {} for n in range(1500)}},
        "`variables` holds 1,500; 1,000 is the most. Remove some.",
    ),
    "20,000 variables": (
        HEAD + "variables:\n" + "".join(f"  - name: v{n}\n" for n in range(20_000)),
        {"variables": [{"name": f"v{n}"} for n in range(20_000)]},
        "`variables` has too many values: a prompt may hold 10,000 (texts, numbers, lists and"
        " groups, all counted). Shorten it.",
    ),
    "keys": (
        HEAD + "".join(f"k{n}: {n}\n" for n in range(60_000)),
        {f"k{n}": n for n in range(80_000)},
        "A prompt may have 1,000 keys at most; this one has more. Remove some.",
    ),
    "keys of a message": (
        "messages:\n  - role: user\n    content: a\n"
        + "".join(f"    k{n}: {n}\n" for n in range(1500)),
        {"messages": [{"role": "user", "content": "a"} | {f"k{n}": n for n in range(1500)}]},
        "Message 1 has 1,500 keys that are not known; 1,000 is the most. Remove some.",
    ),
    "a list we do not know": (
        HEAD + "data: [" + "1, " * 300_000 + "1]\n",
        {"data": [1] * 300_000},
        "`data` has too many values: a prompt may hold 10,000 (texts, numbers, lists and groups,"
        " all counted). Shorten it.",
    ),
    "lists in lists": (
        HEAD + "data: [" + "[], " * 200_000 + "[]]\n",
        {"data": [[]] * 200_000},
        "`data` has too many values: a prompt may hold 10,000 (texts, numbers, lists and groups,"
        " all counted). Shorten it.",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", MANY)
@ENDS
def test_what_is_too_many_is_named_with_the_most_there_may_be(what: str):
    text, tree, sentence = MANY[what]
    for read in (lambda: parse(text.encode()), lambda: from_json(ONE | tree)):
        with pytest.raises(InvalidDocument) as refused:
            read()
        said = str(refused.value).split(": ", 1)[-1] if refused.value.line else str(refused.value)
        assert said[0].upper() + said[1:] == sentence
    assert parse((HEAD + "data: [" + "1, " * 9_000 + "1]\n").encode()).extra["data"]


@pytest.mark.parametrize("text", ["\x7f\r" * 120_000, "é\x85" * 100_000, '"\n' * 99])
@ENDS
def test_odd_text_is_written_exactly(text: str):
    document = from_json({"messages": [{"role": "user", "content": text}], "template": "plain"})
    assert parse(serialise(document)).messages[0].content == text


@ENDS
def test_text_that_grows_beyond_the_most_is_refused():
    document = from_json({"messages": [{"role": "user", "content": "\x7f" * 900_000}]})
    with pytest.raises(InvalidDocument, match="1 MiB is the most"):
        serialise(document)


WORST = "{{ a | upper }}" * 2400
"""As many parts as a text may have, nearly."""


async def longest_wait(work: Any) -> tuple[float, Any]:
    """For how long the loop did nothing else while it ran: compared with all of it, no speed."""
    waits, task, turn = [0.0], asyncio.ensure_future(work), Turn()
    while not task.done():
        await asyncio.sleep(0)
        waits.append(sum(turn.took()) / 1e3)
    return max(waits), await task


async def test_nobody_waits_for_a_giant(hub: Front, client: Browser, write_key: dict[str, str]):
    several = [{"role": "user", "content": WORST} for _ in range(8)]
    giants: dict[str, Any] = {
        "texts": {"messages": several},
        "file": HEAD + "data: [" + "1, " * 9_900 + "1]\n",
        "keys": HEAD + "".join(f"k{n}: {n}\n" for n in range(60_000)),
    }
    for name, document in giants.items():
        body = {"document": document, "base": None}
        for attempt in range(4):  # what holds the loop up does so each time, a busy machine once
            begun = time.perf_counter()
            waited, answer = await longest_wait(
                client.post(f"/api/v1/versions/{name}/{attempt}", headers=write_key, json=body)
            )
            assert answer.status_code == (422 if name == "keys" else 201), answer.text[:300]
            took = time.perf_counter() - begun
            if waited < max(0.3, took / 2):
                break
        else:
            pytest.fail(f"{name}: {waited} s of {took} s in one go")
