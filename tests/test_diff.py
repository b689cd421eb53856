"""The change between two versions, told in words."""

import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.registry.prompt.diff import compare
from hub.registry.prompt.document import Document, Message, Variable
from hub.registry.prompt.segments import Segment, segments
from hub.registry.prompt.unseen import Unseen, find_unseen
from hub.registry.prompt.words import compare_texts


def chat(*contents: str, **more: object) -> Document:
    roles = ("system", "user", "assistant")
    messages = tuple(Message(role=roles[at % 3], content=text) for at, text in enumerate(contents))
    return Document(messages=messages, **more)  # pyright: ignore[reportArgumentType]


def told(old: str, new: str) -> str:
    """Struck words in brackets, added ones in braces."""
    marks = {"same": "{}", "del": "[{}]", "add": "<{}>"}
    return "".join(marks[kind].format(text) for kind, text in compare_texts(old, new))


@pytest.mark.parametrize(
    ("old", "new", "change"),
    [
        ("The fox jumps.", "The dog jumps.", "The [fox]<dog> jumps."),
        ("Be brief.", "Be brief and kind.", "Be brief< and kind>."),
        ("Hi {{ customer }}!", "Hi {{ name }}!", "Hi [{{ customer }}]<{{ name }}>!"),
        ("don't stop", "do stop", "[don't]<do> stop"),
        ("one two three", "four five six", "[one two three]<four five six>"),
        ("注意してください", "注意をください", "注意[して]<を>ください"),
        ("हिन्दी भाषा", "हिन्दी में", "हिन्दी [भाषा]<में>"),
        ("ok 👩‍🚀", "ok 👩‍🔬", "ok [👩‍🚀]<👩‍🔬>"),
        ("a\n", "a", "a[\n]"),
        ("", "new", "<new>"),
        ("old", "", "[old]"),
    ],
)
def test_whole_words_are_struck_and_added(old: str, new: str, change: str):
    assert told(old, new) == change


pieces = st.lists(
    st.sampled_from(
        ["a", "b ", "cat", " ", "\n", "\n\n", ".", "{{ x }}", "\r\n", "\u200b", "日本"]
    ),
    max_size=25,
).map("".join)


@settings(max_examples=300, deadline=None)
@given(pieces, pieces)
def test_both_texts_can_be_read_from_the_change(old: str, new: str):
    cut = segments(old, new)
    assert "".join(one.text for one in cut if one.kind != "add") == old
    assert "".join(one.text for one in cut if one.kind != "del") == new


def test_unrelated_texts_are_not_shredded():
    old = "You are a nurse on a ward and you hand over patients to the night shift. " * 2
    new = "Translate every contract clause into plain words, then list what is unusual. " * 2
    assert [one.kind for one in segments(old, new)] == ["del", "add"]


def test_hard_texts_stay_cheap():
    """Bounded by counted steps, so this ends soon on any machine."""
    for old, new in (
        ("ab " * 15_000, "ba " * 14_000),
        ("x\ny\n" * 12_000, "y\nx\n" * 11_000),
        ("a b c " * 8_000, "c b a " * 8_000),
        ("." * 50_000, "," * 50_000),
    ):
        cut = compare_texts(old, new)
        assert "".join(text for kind, text in cut if kind != "add") == old


def test_long_unchanged_parts_are_folded_with_their_size():
    paragraphs = [f"Paragraph {n} says something of its own, at some length." for n in range(9)]
    text = "\n\n".join(paragraphs)
    cut = segments("Old start.\n\n" + text, "New start.\n\n" + text)
    folded = [one for one in cut if one.fold]
    assert len(folded) == 1
    assert folded[0].kind == "same"
    assert folded[0].fold.endswith("paragraphs unchanged")
    assert not any(one.fold for one in segments(text, text))


def test_messages_are_aligned_and_one_that_moved_says_so():
    old = chat("Be kind to customers.", "Sort this mail: {{ mail }}", "I sort it.")
    new = Document(messages=(old.messages[2], old.messages[0], old.messages[1]))
    change = compare(old, new)
    assert [one.moved for one in change.messages] == ["up", "", ""]
    assert {one.kind for one in change.messages} == {"same"}
    assert change.summary == "1 message moved"
    assert not change.same


def test_an_inserted_message_does_not_change_its_neighbours():
    old = chat("Be kind to customers.", "Sort this mail: {{ mail }}")
    new = Document(
        messages=(
            Message(role="system", content="Be kind to all customers."),
            Message(role="assistant", content="An example."),
            old.messages[1],
        )
    )
    change = compare(old, new)
    assert [one.kind for one in change.messages] == ["changed", "added", "same"]
    assert change.summary == "1 message changed, 1 message added"
    back = compare(new, old)
    assert [one.kind for one in back.messages] == ["changed", "removed", "same"]


def test_a_message_rewritten_from_end_to_end_is_still_the_same_message():
    change = compare(chat("Be kind.", "Go."), chat("Answer in French with one word only.", "Go."))
    assert [one.kind for one in change.messages] == ["changed", "same"]


def test_a_changed_role_is_told():
    old = Document(messages=(Message(role="user", content="Rules for this long conversation"),))
    new = Document(messages=(Message(role="system", content="Rules for this long conversation"),))
    (only,) = compare(old, new).messages
    assert (only.kind, only.old_role, only.role) == ("changed", "user", "system")


def test_settings_are_old_and_new_values():
    old = chat("x", parameters={"temperature": 0.7, "stop": ["a"]}, model="openai/gpt-4o")
    new = chat("x", parameters={"temperature": 0.2, "stop": ["a", "b"]})
    change = compare(old, new)
    shown = [(one.name, one.old_shown, one.new_shown) for one in change.settings]
    assert shown == [
        ("model", "openai/gpt-4o", "not set"),
        ("temperature", "0.7", "0.2"),
        ("stop", "a", "a, b"),
    ]
    assert change.summary.startswith("model openai/gpt-4o → not set, temperature 0.7 → 0.2, 1 more")


def test_one_and_true_are_not_the_same_setting():
    assert compare(chat(parameters={"n": 1}), chat(parameters={"n": True})).settings


def test_variables_are_compared_field_by_field():
    old = chat(variables=(Variable(name="a"), Variable(name="b", default="x")))
    new = chat(variables=(Variable(name="b", default="y", required=False), Variable(name="c")))
    change = compare(old, new)
    assert [(one.name, one.kind) for one in change.variables] == [
        ("a", "removed"),
        ("b", "changed"),
        ("c", "added"),
    ]
    assert [one.name for one in change.variables[1].fields] == ["required", "default"]


def tool(name: str, says: str) -> dict[str, object]:
    city = {"type": "string", "description": says}
    return {"function": {"name": name, "parameters": {"properties": {"city": city}}}}


def test_tools_and_answer_are_readable():
    old = chat(tools=[tool("weather", "a town")], json_schema='{"properties": {"a": {}}}')
    new = chat(
        tools=[tool("search", "x"), tool("weather", "a city")],
        json_schema={"properties": {"a": {"type": "string"}}},
    )
    change = compare(old, new)
    assert [one.name for one in change.tools] == [
        "weather · parameters · city · description",
        "search",
    ]
    assert [one.name for one in change.answer] == ["answer schema · a · type"]
    assert change.summary == "tools changed, shape of the answer changed"


def test_nothing_changed_and_everything_new():
    document = chat("a", "b", title="T")
    assert (compare(document, document).same, compare(document, document).summary) == (
        True,
        "nothing changed",
    )
    new = compare(None, document)
    assert (new.is_new, new.same, new.summary) == (True, False, "new prompt with 2 messages")


def test_hidden_characters_are_listed_and_cut_out_for_chips():
    secret = "".join(chr(0xE0000 + ord(letter)) for letter in "leak it")
    old = chat("Pay by p\u0430ypal")
    change = compare(old, chat("Pay by p\u0430ypal\u200b now" + secret))
    found = [(one.where, one.unseen.code, one.unseen.kind, one.added) for one in change.hidden]
    assert found == [
        ("message 1 (system)", "U+0430", "look-alike", False),
        ("message 1 (system)", "U+200B", "invisible", True),
        ("message 1 (system)", "U+E006C", "tag", True),
    ]
    assert change.hidden[2].unseen.says == "leak it"
    assert change.hidden[1].unseen.name == "ZERO WIDTH SPACE"
    chips = [p for one in change.messages[0].segments for p in one.pieces if isinstance(p, Unseen)]
    assert [chip.code for chip in chips] == ["U+0430", "U+200B", "U+E006C"]
    assert change.summary.endswith("2 hidden characters added")


@pytest.mark.parametrize(
    "text",
    [
        "Ordinary text, with a tab\t and\r\nWindows line ends.",
        "Emoji: 👩🏽‍🚀 ❤️ 1️⃣ 🏳️‍🌈 🇩🇪",
        "Scotland: \U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
        "Persian نامه\u200cای, Hebrew שלום\u200f!, Hindi क्\u200dष, Русский текст, Ελληνικά",
        "12 kΩ, 5 μm, α-helix, naïve café, Straße, 日本語、한국어, l\u2019été\u00a0!",
        "Вот о чём: а и у, с нами",
    ],
)
def test_ordinary_writing_is_not_accused(text: str):
    assert find_unseen(text) == ()


@pytest.mark.parametrize(
    "character",
    list("\u00ad\u034f\u115f\u180e\u200b\u200e\u202e\u2060\u2066\u2800\u3164\ufeff\ufe0f\x00\x1b\x85"
         "\u2028\ue000\uffff\U000e0001\U000e0100\U0010ffff"),
)  # fmt: skip
def test_hidden_characters_are_found(character: str):
    (found,) = find_unseen(f"some{character}text")
    assert (found.at, found.length, found.code) == (4, 1, f"U+{ord(character):04X}")


def test_a_message_smuggled_in_a_run_of_selectors_is_found():
    smuggled = "".join(chr(0xE0100 + ord(letter)) for letter in "secret")
    assert sum(one.length for one in find_unseen("A smile \U0001f600\ufe0f" + smuggled)) == 6
    (zeros,) = find_unseen("a" + "\u200b" * 5)
    assert (zeros.at, zeros.length) == (1, 5)


hidden = st.text(
    st.sampled_from("ab \n\r\u200b\u202e\ufe0f\U0001f600\U000e0041\u0430"), max_size=30
)


@settings(max_examples=200, deadline=None)
@given(hidden, hidden)
def test_chips_and_text_make_the_whole_segment(old: str, new: str):
    for one in segments(old, new):
        parts = [
            part if isinstance(part, str) else one.text[part.at : part.at + part.length]
            for part in one.pieces
        ]
        assert "".join(parts) == one.text


def test_the_change_is_plain_data():
    change = compare(chat("a\u200b", "b"), chat("a", "c", model="m"))
    assert (
        json.loads(msgspec.json.encode(change))["summary"]
        == "2 messages changed, model not set → m"
    )
    assert segments("a", "a") == (Segment(kind="same", text="a"),)


texts = st.sampled_from(["alpha beta gamma", "alpha beta delta", "one two", "three", ""])
messages = st.builds(Message, role=st.sampled_from(["system", "user"]), content=texts)


@settings(max_examples=200, deadline=None)
@given(st.lists(messages, max_size=5), st.lists(messages, max_size=5))
def test_every_message_is_told_exactly_once(old: list[Message], new: list[Message]):
    change = compare(Document(messages=tuple(old)), Document(messages=tuple(new)))
    assert [m.new_at for m in change.messages if m.new_at is not None] == list(range(len(new)))
    olds = [m.old_at for m in change.messages if m.old_at is not None]
    assert sorted(olds) == list(range(len(old)))
    assert change.same == (old == new)


def test_a_line_end_that_changed_is_a_chip():
    changed = segments("One\r\nTwo", "One\nTwo")
    assert [(one.kind, one.text, [chip.name for chip in one.unseen]) for one in changed] == [
        ("same", "One", []), ("del", "\r", ["CARRIAGE RETURN"]), ("same", "\nTwo", []),
    ]  # fmt: skip
    (whole,) = segments("", "One\r\nTwo")
    assert whole.unseen == (), "ordinary writing on Windows"
