"""Two people save the same prompt: what lies apart is merged, what meets is shown, never mixed."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.registry.prompt.clashes import Choice
from hub.registry.prompt.document import Document, Message, Variable
from hub.registry.prompt.merge import Merged, merge
from hub.registry.prompt.merge_text import merge_texts, sides


def chat(*contents: str, **more: object) -> Document:
    roles = ("system", "user", "assistant")
    messages = tuple(Message(role=roles[at % 3], content=text) for at, text in enumerate(contents))
    return Document(messages=messages, **more)  # pyright: ignore[reportArgumentType]


def clashes(merged: Merged) -> list[str]:
    return [clash.where for clash in merged.clashes]


def test_edits_of_different_messages_and_fields_both_land():
    base = chat("Be kind.", "Sort {{ mail }}", title="Triage", parameters={"temperature": 1})
    mine = chat("Be kind and brief.", "Sort {{ mail }}", title="Triage", parameters={"top_p": 0.5})
    theirs = chat("Be kind.", "Sort this: {{ mail }}", title="Sort", parameters={"temperature": 1})
    merged = merge(base, mine, theirs)
    assert clashes(merged) == []
    assert merged.document == chat(
        "Be kind and brief.", "Sort this: {{ mail }}", title="Sort", parameters={"top_p": 0.5}
    )


@pytest.mark.parametrize(
    ("base", "mine", "theirs", "merged"),
    [
        ("One.\n\nTwo.\n\nThree.", "1.\n\nTwo.\n\nThree.", "One.\n\nTwo.\n\n3.",
         "1.\n\nTwo.\n\n3."),
        ("One is here. Two is here. Three.", "One is there. Two is here. Three.",
         "One is here. Two is here. Four.", "One is there. Two is here. Four."),
        ("One a. Two a.", "One b. Two a.", "One a. Two b.", "One b. Two b."),
        ("A.\nB.", "A.\nB.\nC.", "Z.\nB.", "Z.\nB.\nC."),
        ("A.\nB.\nC.", "A.\nC.", "A.\nB.\nC.\nD.", "A.\nC.\nD."),
        ("Same.", "New.", "New.", "New."),
        ("The old dog.", "The young dog.", "The old cat.", None),
        ("A.\n", "A.\nmine\n", "A.\ntheirs\n", None),
        ("A.\nB.\n", "A.\n", "A.\nB changed.\n", None),
    ],
)  # fmt: skip
def test_texts_merge_by_paragraph_and_sentence(
    base: str, mine: str, theirs: str, merged: str | None
):
    assert merge_texts(base, mine, theirs) == merged
    assert merge_texts(base, theirs, mine) == merged


def test_the_same_sentence_changed_twice_is_shown_with_all_three_texts():
    merged = merge(chat("The old dog."), chat("The young dog."), chat("The old cat."))
    (clash,) = merged.clashes
    assert (clash.where, clash.base, clash.mine, clash.theirs) == (
        "message 1 (system)", "The old dog.", "The young dog.", "The old cat.",
    )  # fmt: skip
    assert merged.document == chat("The young dog.")


def test_both_made_the_same_edit():
    merged = merge(chat("a", "b"), chat("c", "b", title="x"), chat("c", "b", model="m"))
    assert clashes(merged) == []
    assert merged.document == chat("c", "b", title="x", model="m")


def test_a_setting_changed_twice_clashes():
    base, mine, theirs = (chat(parameters={"temperature": n}) for n in (1, 2, 3))
    merged = merge(base, mine, theirs)
    assert clashes(merged) == ["the setting temperature"]
    assert merged.document.parameters == {"temperature": 2}
    gone = merge(base, chat(), theirs)
    (clash,) = gone.clashes
    assert (clash.base, clash.mine, clash.theirs) == (1, None, 3)


def test_a_message_removed_by_one_and_edited_by_the_other_stays_until_decided():
    base = chat("Be kind to all customers.", "Sort this mail for me.", "Yes, of course I will.")
    mine = Document(messages=(base.messages[0], base.messages[2]))
    theirs = chat(
        "Be kind to all customers.", "Sort this mail for me now.", "Yes, of course I will."
    )
    for one, other in ((mine, theirs), (theirs, mine)):
        merged = merge(base, one, other)
        assert clashes(merged) == ["message 2 (user)"]
        assert len(merged.document.messages) == 3
    untouched = merge(base, mine, chat("Be kind to all.", *(m.content for m in base.messages[1:])))
    assert clashes(untouched) == []
    assert [m.content for m in untouched.document.messages] == [
        "Be kind to all.",
        "Yes, of course I will.",
    ]


def test_new_messages_at_one_place_are_both_kept_and_shown():
    base = chat("Be kind.")
    mine, theirs = chat("Be kind.", "Hello {{ name }}"), chat("Be kind.", "Read {{ mail }}")
    merged = merge(base, mine, theirs)
    assert clashes(merged) == ["new messages after message 1"]
    assert [m.content for m in merged.document.messages] == [
        "Be kind.", "Hello {{ name }}", "Read {{ mail }}",
    ]  # fmt: skip
    assert merge(base, mine, mine) == Merged(document=mine)


def test_a_moved_message_keeps_the_other_persons_edit():
    base = chat("Be kind to all customers.", "Sort this mail for me.", "An example of an answer.")
    first, second, third = base.messages
    mine = Document(messages=(third, first, second))
    theirs = chat("Be kind to all customers.", "Sort this mail for us.", "An example of an answer.")
    merged = merge(base, mine, theirs)
    assert clashes(merged) == []
    assert [m.content for m in merged.document.messages] == [
        "An example of an answer.", "Be kind to all customers.", "Sort this mail for us.",
    ]  # fmt: skip


def test_tags_and_variables_merge_one_by_one():
    base = chat(tags=("a", "b"), variables=(Variable(name="x"), Variable(name="y", default="1")))
    mine = chat(tags=("a", "c"), variables=(Variable(name="x", description="Mail"),))
    theirs = chat(
        tags=("a", "b", "d"),
        variables=(Variable(name="x", required=False), *base.variables[1:], Variable(name="z")),
    )
    merged = merge(base, mine, theirs)
    assert clashes(merged) == []
    assert merged.document.tags == ("a", "c", "d")
    assert merged.document.variables == (
        Variable(name="x", description="Mail", required=False),
        Variable(name="z"),
    )
    edited = merge(base, mine, chat(tags=base.tags, variables=(
        base.variables[0], Variable(name="y", default="2"))))  # fmt: skip
    assert clashes(edited) == ["the variable y"]


sentences = ["Be kind. ", "Be brief.\n", "\nSort it.\n", "Use {{ x }}.", "One", " two", "\n\n"]
texts = st.lists(st.sampled_from(sentences), max_size=5).map("".join)
messages = st.builds(Message, role=st.sampled_from(["system", "user"]), content=texts)
small = st.dictionaries(st.sampled_from("{ab"), st.sampled_from([1, 1.0, True, "x"]), max_size=2)
variables = st.lists(
    st.builds(
        Variable, name=st.sampled_from(["{x", "y"]), default=st.sampled_from([None, 1, True])
    ),
    max_size=2,
    unique_by=lambda variable: variable.name,
)
documents = st.builds(
    Document,
    title=texts,
    description=texts,
    tags=st.lists(st.sampled_from("abc"), max_size=2, unique=True).map(tuple),
    parameters=small,
    messages=st.lists(messages, max_size=4).map(tuple),
    variables=variables.map(tuple),
    extra=small,
)


@settings(max_examples=150, deadline=None)
@given(documents, documents)
def test_one_sided_and_equal_edits_are_taken_as_they_are(base: Document, edited: Document):
    for merged in (
        merge(base, edited, base),
        merge(base, base, edited),
        merge(base, edited, edited),
    ):
        assert repr(merged) == repr(Merged(document=edited))


@settings(max_examples=250, deadline=None)
@given(documents, documents, documents)
def test_who_saves_first_makes_no_difference_to_what_clashes(
    base: Document, mine: Document, theirs: Document
):
    one, other = merge(base, mine, theirs), merge(base, theirs, mine)
    assert sorted(clashes(one)) == sorted(clashes(other))
    assert {repr((c.base, c.mine, c.theirs)) for c in one.clashes} == {
        repr((c.base, c.theirs, c.mine)) for c in other.clashes
    }


@settings(max_examples=250, deadline=None)
@given(texts, texts, texts)
def test_a_merged_text_holds_no_line_that_nobody_wrote(base: str, mine: str, theirs: str):
    merged = merge_texts(base, mine, theirs)
    assert merged == merge_texts(base, theirs, mine)
    if merged is not None:
        words = set((base + mine + theirs).split())
        assert all(any(part in word or word in part for word in words) for part in merged.split())


def test_where_two_meet_the_rest_of_the_text_has_the_edits_of_both():
    """Whoever takes the one side there, does not lose what the other changed elsewhere."""
    base = "Wait.\n\nAsk for the name. Wait. Be kind.\n\nThank them."
    mine = "Wait a little.\n\nAsk for the full name. Wait. Be kind.\n\nThank them."
    theirs = "Wait.\n\nAsk for the first name. Wait. Be very kind.\n\nThank them twice."
    (clash,) = merge(chat(base), chat(mine), chat(theirs)).clashes
    around = "Wait a little.\n\n{} Wait. Be very kind.\n\nThank them twice."
    assert clash.base == around.format("Ask for the name.")
    said = {"mine": "Ask for the full name.", "theirs": "Ask for the first name."}
    for keep, words in said.items():
        choice = {clash.where: Choice(keep=keep)}  # pyright: ignore[reportArgumentType]
        done = merge(chat(base), chat(mine), chat(theirs), choice)
        assert done.document == chat(around.format(words))
    done = merge(chat(base), chat(mine), chat(theirs), {clash.where: Choice(keep="both")})
    both = f"{said['mine']} Wait. Be very kind.\n\n{said['theirs']}"
    assert done.document == chat(around.format(both))


@settings(max_examples=250, deadline=None)
@given(texts, texts, texts)
def test_what_there_is_to_choose_from_is_as_both_wrote_it(base: str, mine: str, theirs: str):
    found, turned = sides(base, mine, theirs), sides(base, theirs, mine)
    assert (found.base, found.mine, found.theirs) == (turned.base, turned.theirs, turned.mine)
    words = set((base + mine + theirs).split())
    for text in (found.mine, found.theirs, found.both):
        assert all(any(part in word or word in part for word in words) for part in text.split())
