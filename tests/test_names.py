"""What prompts and labels may be called."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.registry.prompt.names import (
    InvalidName,
    check_label,
    check_name,
    is_name,
    name_of,
    path_of,
    split,
)


@pytest.mark.parametrize("name", ["triage", "support/triage", "a/b/c/d/e/f/g/h", "0.x_y-z", "v1.2"])
def test_ordinary_names_are_taken(name: str):
    check_name(name)
    assert name_of(path_of(name)) == name
    assert "/".join(filter(None, split(name))) == name


@pytest.mark.parametrize(
    "name",
    [
        "", "/", "a/", "/a", "a//b", "A", "ä", "a b", ".git", "-x", "_x", "..", "a/../b", "a.",
        "a.lock", "a.lock/b", "a.git", "x" * 65, "/".join("abcdefghi"), "a\n", "a\0", "a\\b", "ａ",
        "con", "support/aux.x", "a..b", "a.prompt", "/".join(["x" * 50] * 4), "--upload-pack=x",
    ],
)  # fmt: skip
def test_other_names_are_refused_with_a_sentence(name: str):
    with pytest.raises(InvalidName) as refused:
        check_name(name)
    assert str(refused.value).endswith(".")
    assert str(refused.value).isprintable()
    assert name_of(f"{name}.prompt.yml") is None


def test_the_sentence_names_the_part_at_fault():
    with pytest.raises(InvalidName, match="`Triage` cannot be part of a name"):
        check_name("support/Triage")


@pytest.mark.parametrize(
    ("typed", "said"),
    [("prüfung", "prüfung"), ("名前", "名前"), ("a\u202eb", r"a\u202eb"), ("e\u0301", r"e\u0301"),
     ("x\ty", r"x\ty"), ("ש", r"\u05e9"), ("ä" * 99, "ä" * 39 + "...")],
)  # fmt: skip
def test_the_sentence_shows_what_was_typed_and_no_disguise(typed: str, said: str):
    with pytest.raises(InvalidName) as refused:
        check_name(typed[:64])
    assert f"`{said}`" in str(refused.value)


def test_other_files_are_no_prompts():
    assert name_of("README.md") is None
    assert name_of(".prompt.yml") is None
    assert name_of("a/.prompt.yml") is None
    assert name_of("a.prompt.yaml") is None


@given(st.text(max_size=80))
def test_no_text_crashes_the_check(name: str):
    assert is_name(name) == (name_of(name + ".prompt.yml") == name)


def test_labels():
    for label in ("production", "staging", "eu-1", "v2.0", "a" * 36):
        check_label(label)
    for label in ("latest", "", "Production", "a/b", "a" * 37, ".x", "x.lock", "a..b", "x\n", "x."):
        with pytest.raises(InvalidName):
            check_label(label)
