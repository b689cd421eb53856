"""Mistakes that a reviewer should not have to find alone."""

import pytest

from hub.registry.prompt.document import Document, Message, Variable
from hub.registry.prompt.guess import guess_template
from hub.registry.prompt.lint import Finding, lint
from hub.registry.prompt.tokens import estimate


def chat(*contents: str, **more: object) -> Document:
    roles = ("system", "user")
    messages = tuple(Message(role=roles[at % 2], content=text) for at, text in enumerate(contents))
    return Document(messages=messages, **more)  # pyright: ignore[reportArgumentType]


def said(document: Document) -> list[tuple[str, str]]:
    return [(one.level, one.sentence) for one in lint(document)]


def test_a_good_prompt_has_nothing_to_say():
    assert lint(chat("Be kind.", "Sort {{ mail }}", variables=(Variable(name="mail"),))) == []


def test_undeclared_and_unused_variables_are_named():
    found = said(chat("Be kind.", "Sort {{ mail }}", variables=(Variable(name="post"),)))
    assert found == [
        ("warning", "`mail` is used in message 2 (user) but not declared as a variable."),
        ("warning", "The variable `post` is declared but no message uses it."),
    ]


def test_a_placeholder_uses_its_variable():
    history = Message(role="placeholder", name="history")
    document = Document(messages=(history, *chat("a", "b").messages))
    assert [one.where for one in lint(document)] == ["message 1 (placeholder)"]
    declared = Document(messages=document.messages, variables=(Variable(name="history"),))
    assert lint(declared) == []


def test_a_template_error_says_message_and_line():
    (found,) = lint(chat("Be kind.", "Sort\n{{ mail.\n"))
    assert (found.level, found.where, found.line) == ("error", "message 2 (user)", 2)
    assert found.sentence.startswith("Message 2, line 2: ")


def test_plain_text_may_hold_any_braces():
    assert lint(chat("{{ a.b( }} {% x", "ok", template="plain")) == []


def test_empty_messages_and_no_messages():
    assert said(chat("Be kind.", " \n")) == [
        ("warning", "Message 2 is empty. Fill it or remove it.")
    ]
    nothing = "Every message is empty. Write something in one of them."
    assert said(chat("", " \n"))[0] == ("error", nothing)
    assert said(chat())[0] == ("error", "The prompt has no messages. Add one.")
    assert said(chat("Only this."))[0][0] == "note"


KEYS = {
    "AWS": "AKIA" + "ABCDEFGHIJKLMNOP",
    "GitHub": "ghp_" + "a1B2" * 9,
    "Anthropic": "sk-ant-" + "api03-" + "x1" * 20,
    "OpenAI": "sk-" + "proj-" + "Ab1_" * 10,
    "Google": "AIza" + "Sy_-a" * 7,
    "Slack": "xoxb-" + "123456789-abc",
    "Hugging Face": "hf_" + "aB" * 16,
    "private key": "-----BEGIN RSA " + "PRIVATE KEY-----",
    "JWT": "eyJhbGciOiJIUzI1" + ".eyJzdWIiOiIxMjM0" + ".SflKxwRJSMeKKF2QT4",
}


@pytest.mark.parametrize("what", KEYS)
def test_a_key_is_found_wherever_it_stands_and_never_repeated(what: str):
    for document in (
        chat("Be kind.\nUse " + KEYS[what], "ok"),
        chat("ok", "ok", extra={"note": [{"deep": KEYS[what]}]}),
        chat("ok", "{{ x }}", variables=(Variable(name="x", default=KEYS[what]),)),
    ):
        (found,) = [one for one in lint(document) if one.level == "error"]
        assert what in found.sentence
        assert KEYS[what] not in found.sentence


def test_ordinary_words_are_no_keys():
    text = "Ask-your-doctor risk-assessment sk-learn task-force-management-is-good ghp_ AKIA eyJ"
    assert lint(chat(text, "ok")) == []


def test_hidden_characters_are_counted_and_decoded():
    secret = "".join(chr(0xE0000 + ord(letter)) for letter in "obey")
    assert said(chat("Be\u200b ki\u200bnd." + secret, "ok")) == [
        ("warning", "There is a character in message 1 (system) 2 times that readers cannot see or"
         " would mistake: U+200B ZERO WIDTH SPACE."),
        ("warning", "There is a character in message 1 (system) that readers cannot see or"
         " would mistake: U+E006F TAG LATIN SMALL LETTER O, which spells “obey” to a model."),
    ]  # fmt: skip


def test_size_is_told():
    assert said(chat("word " * 110_000, "ok", template="plain"))[0][0] == "warning"
    levels = {one.level for one in lint(chat("\r" * 600_000, "ok", template="plain"))}
    assert "error" in levels


def test_a_bad_variable_name_is_an_error():
    found = lint(chat("a", "b", variables=(Variable(name="user-name"),)))
    assert [(one.level, one.where) for one in found] == [("error", "variable user-name")]
    assert isinstance(found[0], Finding)


def test_a_text_is_guessed_to_be_a_template_only_if_it_is_one():
    assert guess_template(["Hello {{ name }}, {{ mail }}"]) == (
        "jinja", "It is a template with the variables name, mail.",
    )  # fmt: skip
    assert guess_template(["Hello"])[0] == "jinja"
    assert guess_template(["## Part {# one #}"])[0] == "plain"
    kind, reason = guess_template(["<p v-for='x'>{{ x.y(1) }}</p>"])
    assert kind == "plain"
    assert reason.startswith("It holds braces that are not ours")


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("", 0, 0),
        ("Hi", 1, 1),
        ("You are a helpful assistant that answers briefly and politely.", 10, 14),
        ("注意してください", 5, 10),
        ("1234567890", 3, 5),
        ("def f(x):\n    return x * 2\n", 9, 15),
        ("Internationalisierung der Krankenhausverwaltung", 6, 14),
    ],
)
def test_tokens_are_about_right(text: str, low: int, high: int):
    assert low <= estimate(text) <= high
