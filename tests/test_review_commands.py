"""Review from a terminal: a developer proposes, a colleague approves, CI checks, it goes live."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands import Hub, prompthub, serving

TEXT = """name: Ward list
messages:
  - role: system
    content: Write the ward list, {{ ward }} first.
variables:
  - name: ward
"""


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    data = tmp_path_factory.mktemp("review") / "data"
    with serving(data, "--demo") as running:
        for who, role in (("ana", "editor"), ("ben", "reviewer")):
            made = prompthub(
                "user", "add", f"{who}@example.org", "--name", who.title(), "--role", role,
                "--data", str(data), "--workspace", "demo",
            )  # fmt: skip
            assert made.returncode == 0, made.stderr
        yield running


def key_of(hub: Hub, who: str = "", scope: str = "write") -> str:
    named = ("--as", f"{who}@example.org") if who else ()
    made = prompthub(
        "key", "create", "--data", str(hub.data), "--workspace", "demo", "--scope", scope, *named
    )
    assert made.returncode == 0, made.stderr
    return made.stdout.strip()


def test_from_a_file_to_production(hub: Hub, tmp_path: Path):
    ana, ben, ci = key_of(hub, "ana"), key_of(hub, "ben"), key_of(hub, scope="checks")

    def run(key: str, *words: str, fails: str = "") -> str:
        done = prompthub(*words, PROMPTHUB_URL=hub.url, PROMPTHUB_KEY=key)
        assert (done.returncode != 0) == bool(fails), done.stdout + done.stderr
        assert fails in done.stderr
        return done.stdout

    file = tmp_path / "office" / "ward-list.prompt.yml"
    file.parent.mkdir()
    file.write_text(TEXT)
    offer = (
        "propose", str(file), "--root", str(tmp_path), "--title", "A ward list", "--why",
        "We type it by hand.", "--target", "production", "--reviewer", "ben@example.org",
    )  # fmt: skip
    said = run(ana, *offer)
    number = re.search(r"Proposal (\d+), revision 1 is up", said)
    digest = re.search(r"digest ([0-9a-f]{64})", said)
    assert number, said
    assert digest, said
    assert f"/demo/proposals/{number[1]}" in said
    shown = run(ben, "proposal", number[1])
    assert "create office/ward-list" in shown
    assert "Write the ward list" in shown
    assert digest[1] in shown
    assert "A ward list" in run(ben, "proposals")
    run(ci, "check", number[1], "Evals", "pass", "--digest", digest[1], "--summary", "9 of 9")
    assert "[pass] Evals: 9 of 9" in run(ben, "proposal", number[1])
    run(ana, "approve", number[1], "--digest", digest[1], fails="somebody else")
    run(ben, "approve", number[1], "--digest", "0" * 64, fails="revision")
    run(ben, "approve", number[1], "--digest", digest[1], "--comment", "At last")
    assert "Ben: approved revision 1" in run(ben, "proposal", number[1])
    merge = ("merge", number[1], "--digest", digest[1], "--release", "--reason", "Ready")
    assert "is merged" in run(ben, *merge)
    file.write_text(TEXT.replace("first", "at the top"))
    again = run(ana, *offer)
    assert "revision 1 is up" in again
    second = re.search(r"Proposal (\d+)", again)
    assert second
    assert "del" not in run(ana, "close", second[1], "withdraw")
    run(ana, "merge", second[1], "--digest", digest[1], fails="withdrawn")


def test_released_and_refused_in_sentences(hub: Hub, tmp_path: Path):
    ben, nobody = key_of(hub, "ben"), "ph_aaaaaaaaaa_" + "a" * 40
    surroundings = {"PROMPTHUB_URL": hub.url, "PROMPTHUB_KEY": ben}
    move = ("release", "staging", "support/triage@1", "--reason", "Try it on the old one")
    moved = prompthub(*move, **surroundings)
    assert "staging of support/triage is at version 1." in moved.stdout, moved.stderr
    for words, more, says in (
        (("release", "staging", "support/triage", "--reason", "x"), {}, "support/triage@8"),
        (("proposal", "999"), {}, "no proposal 999"),
        (("proposals",), {"PROMPTHUB_KEY": nobody}, "unknown or was revoked"),
        (("proposals",), {"PROMPTHUB_URL": "http://127.0.0.1:9"}, "cannot be reached"),
        (("proposals",), {"PROMPTHUB_KEY": ""}, "Set PROMPTHUB_KEY"),
        (("propose", str(tmp_path / "x"), "--title", "T"), {}, "does not exist"),
    ):
        done = prompthub(*words, **(surroundings | more))
        assert done.returncode != 0
        assert says in done.stderr, done.stderr
        assert "Traceback" not in done.stderr
