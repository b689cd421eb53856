"""What is no prompt, or too clever, is refused with a sentence that says where and why."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.registry.prompt.document import (
    Document,
    InvalidDocument,
    Message,
    from_json,
    parse,
    serialise,
)

HEAD = "name: x\nmessages:\n  - role: user\n    content: hello\n"


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (HEAD + "modelParameters:\n  temperature: [1]\n",
         "Line 6: `temperature` must be a number, not a list."),
        (HEAD + "modelParameters:\n  temperature: '1'\n",
         "Line 6: `temperature` must be a number, not text."),
        (HEAD + "  - role: user\n    content: [a]\n",
         "Line 6: `content` of message 2 must be text, not a list; pictures and files are not"
         " kept in prompts."),
        (HEAD + "  - role: boss\n    content: a\n",
         "Line 5: `role` of message 2 must be one of system, developer, user, assistant, tool,"
         " placeholder, not `boss`."),
        (HEAD + "  - role: user\n", "Line 5: Message 2 has no `content`."),
        (HEAD + "  - hello\n", "Line 5: Message 2 must be a group of keys, not text."),
        (HEAD + "  - role: placeholder\n",
         "Line 5: Message 2 is a placeholder and needs a `name`, such as history."),
        (HEAD + "tags: [[a]]\n", "Line 5: `tags` must be a list of words, not of a list."),
        (HEAD + "tags: true\n", "Line 5: `tags` must be a list, not true or false."),
        (HEAD + "tools: [1]\n", "Line 5: `tools` must be a list of groups, not of a number."),
        (HEAD + "template: mustache\n",
         "Line 5: `template` must be one of jinja, plain, not `mustache`."),
        (HEAD + "variables:\n  - type: text\n", "Line 6: Variable 1 has no `name`."),
        (HEAD + "variables:\n  - name: a\n  - name: a\n",
         "Line 7: The variable `a` is declared twice. Keep one of the two."),
        (HEAD + "variables:\n  - name: a\n    required: maybe\n",
         "Line 7: `required` of variable 1 must be true or false, not text."),
        (HEAD + "name: y\n", "Line 5: `name` is given twice. Keep one of the two."),
        (HEAD + "a: &b 1\n", "Line 5: `&b` names a place to be repeated. Remove it."),
        (HEAD + "a: *b\n",
         "Line 5: `*b` points to another place in the file. Write the text out instead."),
        (HEAD + "a: !!python/object x\n",
         "Line 5: the type mark `tag:yaml.org,2002:python/object` is not allowed. Remove it."),
        (HEAD + "---\na: b\n",
         "Line 5: a second document begins here (`---`). Keep one prompt per file."),
        (HEAD + "a: " + "[" * 20_000, "Line 5: more than 32 levels inside each other."),
        (HEAD + "a: 1e999\n", "Line 5: The number 1e999 is too large."),
        (HEAD + "a: b\0c\n",
         "Line 5: the character U+0000 may not stand in a file as it is. Remove it, or write it"
         " as an escape inside double quotes."),
        ("", "The file is empty. A prompt needs at least `messages`."),
        ("- a\n", "A prompt is a group of keys such as `messages`, not a list."),
        ("x" * 1_100_000, "A prompt file may have 1 MiB at most; this one is larger. Shorten it."),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_a_sentence(body: str, sentence: str):
    with pytest.raises(InvalidDocument) as refused:
        parse(body.encode())
    assert str(refused.value) == sentence
    if sentence.startswith("Line"):
        assert refused.value.line == int(sentence.split(":")[0][5:])


def test_bytes_that_are_no_text_are_refused():
    with pytest.raises(InvalidDocument, match="Line 2: this is not UTF-8 text"):
        parse(b"name: x\nmodel: \xff\n")


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.binary(max_size=80), st.text("abc:-[]{}&*!|>'\"#%@, \n\t\r?", max_size=80)))
def test_garbage_is_refused_or_read_but_never_crashes(body: bytes | str):
    try:
        document = parse(body if isinstance(body, bytes) else body.encode())
    except InvalidDocument:
        pass
    else:
        assert parse(serialise(document)) == document


@pytest.mark.timeout(100)
def test_a_bomb_is_refused_and_goes_off_nowhere():
    rows = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    for before, name in zip("abcdefgh", "bcdefghi", strict=True):
        rows.append(f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]")
    for bomb in (
        "\n".join(rows),
        "{" * 50_000,
        "- " * 50_000,
        "? " * 50_000,
        "a" * 900_000 + ": b",
    ):
        with pytest.raises(InvalidDocument):
            parse(bomb.encode())


def test_json_that_no_file_could_hold_is_refused():
    deep: object = 1
    for _ in range(40):
        deep = [deep]
    for wrong, sentence in (
        ({"messages": [{"role": "user", "content": "\ud83d"}]}, "half a character (U+D83D)"),
        ({"x": float("nan")}, "`x` must be an ordinary number."),
        ({"x": deep}, "more than 32 levels"),
        ({"a\nb": 1}, "A key may not hold control or invisible characters."),
        ([], "not a list"),
        ({"messages": {"a": 1}}, "`messages` must be a list, not a group of keys."),
    ):
        with pytest.raises(InvalidDocument) as refused:
            from_json(wrong)
        assert sentence in str(refused.value)


def test_a_prompt_too_large_for_its_file_is_refused_before_it_is_written():
    with pytest.raises(InvalidDocument, match="1 MiB is the most"):
        serialise(Document(messages=(Message(role="user", content="\r" * 600_000),)))
