"""The checks that the hub makes of a proposal by itself."""

from __future__ import annotations

from typing import Any

import pytest

from hub.registry.prompt.document import Document, Message, Variable
from hub.registry.review.builtin import NAMES, Result, Subject, run, window_of


def prompt(text: str, *variables: Variable, **more: Any) -> Document:
    return Document(messages=(Message(role="user", content=text),), variables=variables, **more)


def found(new: Document, old: Document | None = None, **more: Any) -> dict[str, Result]:
    subject = Subject(name="clinical/triage", old=old, new=new, **more)
    return {one.name: one for one in run([subject])}


CALL = prompt("Sort {{ call }}.", Variable(name="call"))


def test_a_sound_prompt_passes_every_check() -> None:
    checks = found(CALL, CALL, live=(("production", CALL),))
    assert tuple(checks) == NAMES
    assert {one.state for one in checks.values()} == {"pass"}
    assert checks["Live callers"].summary == "Apps can go on calling as they do."


def test_a_text_that_cannot_be_rendered_fails() -> None:
    check = found(prompt("Sort {{ call.", Variable(name="call")))["Template"]
    assert check.state == "fail"
    assert "Message 1" in check.summary


def test_an_undeclared_variable_is_worth_a_look() -> None:
    check = found(prompt("Sort {{ call }} for {{ ward }}.", Variable(name="call")))["Variables"]
    assert check.state == "warn"
    assert "`ward` is used" in check.summary


WARD = "Sort {{ call }} for {{ ward }}."


@pytest.mark.parametrize(
    ("new", "state", "says"),
    [
        (prompt(WARD, Variable(name="call"), Variable(name="ward")), "fail", "must now be given"),
        (prompt(WARD, Variable(name="call")), "fail", "`ward` must now be given"),
        (prompt(WARD, Variable(name="call"), Variable(name="ward", default="A")), "pass", "go on"),
        (prompt(WARD, Variable(name="call"), Variable(name="ward", required=False)), "pass", ""),
        (prompt("Sort it."), "pass", "go on"),
        (prompt("{{ call }}", Variable(name="call", type="long text")), "pass", ""),
        (prompt("{{ call }}", Variable(name="call", type="number")), "fail", "was text"),
        (prompt("{{ call }}", Variable(name="call", type="list")), "fail", "is list now"),
    ],
)
def test_what_would_break_running_apps_fails(new: Document, state: str, says: str) -> None:
    check = found(new, CALL, live=(("production", CALL),))["Live callers"]
    assert (check.state, says in check.summary) == (state, True)


def test_a_variable_that_may_no_longer_be_left_out_fails() -> None:
    live = prompt("Sort {{ call }}.", Variable(name="call", required=False))
    check = found(CALL, live, live=(("production", live),))["Live callers"]
    assert check.state == "fail"
    assert "may no longer be left out" in check.summary


@pytest.mark.parametrize(
    ("before", "now", "state"),
    [
        ("integer", "number", "pass"), ("number", "integer", "fail"), ("list", "array", "pass"),
        ("list", "text", "fail"), ("number", "text", "pass"), ("boolean", "text", "fail"),
        ("text", "boolean", "fail"),
    ],
)  # fmt: skip
def test_kinds_of_variables(before: str, now: str, state: str) -> None:
    live = prompt("{{ n }}", Variable(name="n", type=before))
    new = prompt("{{ n }}", Variable(name="n", type=now))
    assert found(new, live, live=(("production", live),))["Live callers"].state == state


def test_what_is_not_live_breaks_nobody() -> None:
    check = found(prompt(WARD), CALL)["Live callers"]
    assert (check.state, check.summary) == ("pass", "Nothing of it is live yet.")


def test_a_key_in_the_text_fails_and_is_not_repeated() -> None:
    secret = "sk-ant-" + "a1b2c3d4e5f6g7h8i9j0k"
    check = found(prompt(f"Use {secret} for it."))["Secrets"]
    assert check.state == "fail"
    assert "Anthropic" in check.summary
    assert secret not in check.summary


def test_hidden_characters_are_told_when_they_are_new() -> None:
    old, new = prompt("Sort calls."), prompt("Sort\u200b calls\u202e.")
    assert found(new, old)["Hidden characters"].state == "warn"
    assert "U+200B" in found(new, old)["Hidden characters"].summary
    assert found(new, new)["Hidden characters"].state == "pass"


def test_size_is_measured_against_the_models_window() -> None:
    long = "kind words " * 2000
    assert found(prompt(long, model="prompthub/tiny"))["Size"].state == "fail"
    assert found(prompt(long, model="openai/gpt-4o"))["Size"].state == "pass"
    assert found(prompt("kind words " * 800, model="prompthub/tiny"))["Size"].state == "warn"


def test_the_windows_of_models() -> None:
    assert window_of("openai/gpt-4o-mini") == (128_000, "openai/gpt-4o-mini")
    assert window_of("Claude-Sonnet-4")[0] == 200_000
    assert window_of(None) == (32_768, "a usual model")


def test_users_of_a_snippet_are_named_and_stay_as_they_are() -> None:
    check = found(CALL, CALL, users=("clinical/intake", "clinical/notes"))["Snippet users"]
    assert check.state == "pass"
    assert "clinical/intake, clinical/notes" in check.summary


def test_with_several_prompts_each_sentence_says_which() -> None:
    bad = Subject(name="legal/clause", old=None, new=prompt("{{ x.y.z() }}"))
    good = Subject(name="clinical/triage", old=None, new=CALL)
    check = next(one for one in run([good, bad]) if one.name == "Template")
    assert check.summary.startswith("legal/clause: ")
