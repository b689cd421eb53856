"""Pictures as values: parts of a message, by bytes or by address, and nothing that poses as one."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from sdk import InvalidVariable, MissingVariables, Prompt
from sdk.pictures import LARGEST_PICTURE

PNG = b"\x89PNG\r\n\x1a\n" + b"\x00" * 20
WHOLE = "data:image/png;base64," + base64.b64encode(PNG).decode()
PHOTO = {"name": "photo", "type": "image"}


def prompt(*messages: tuple[str, str], **photo: Any) -> Prompt:
    return Prompt.from_record(
        {
            "name": "care/wound", "version": 1,
            "document": {
                "messages": [{"role": role, "content": text} for role, text in messages],
                "variables": [PHOTO | photo, {"name": "note", "required": False}],
            },
        }
    )  # fmt: skip


LOOK = prompt(("system", "You see."), ("user", "Look: {{ photo }} {{ note }} What is it?"))


def picture(url: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}}


@pytest.mark.parametrize("given", [PNG, bytearray(PNG), memoryview(PNG), WHOLE])
def test_a_picture_becomes_a_part_where_its_name_stands(given: object):
    made = LOOK.request(photo=given, note="Red.")
    assert made["messages"][0] == {"role": "system", "content": "You see."}
    assert made["messages"][1]["content"] == [
        {"type": "text", "text": "Look: "}, picture(WHOLE),
        {"type": "text", "text": " Red. What is it?"},
    ]  # fmt: skip
    assert LOOK.text(photo=given, note="") == "You see.\n\nLook: \n[picture]\n  What is it?"


def test_an_address_is_handed_on_as_it_is():
    made = LOOK.request(photo="https://example.org/a.jpg", note="")
    assert made["messages"][1]["content"][1] == picture("https://example.org/a.jpg")


@pytest.mark.parametrize(
    "data",
    [b"\xff\xd8\xff\xe0abc", b"GIF87aabc", b"GIF89aabc", b"RIFF\x00\x00\x00\x00WEBPabc", PNG],
)
def test_what_it_is_says_the_picture_itself(data: bytes):
    posing = "data:image/png;base64," + base64.b64encode(data).decode()
    by_bytes, by_address = (LOOK.request(photo=one, note="") for one in (data, posing))
    assert by_bytes == by_address


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "PNG, JPEG, WebP or GIF"),
        (b"", "PNG, JPEG"),
        ("data:image/svg+xml;base64,PHN2Zz4=", "its bytes"),
        ("data:image/png;base64,AAA", "its bytes"),
        ("data:image/png;base64,PHN2Zz4=", "no picture"),
        ("file:///etc/passwd", "its bytes"),
        ("https://example.org/a b", "its bytes"),
        ("https://example.org/" + "a" * 3000, "its bytes"),
        (PNG + b"\x00" * LARGEST_PICTURE, "larger than 5 MB"),
        (7, "a picture"),
    ],
)
def test_what_is_no_picture_is_refused_by_name(given: object, said: str):
    with pytest.raises(InvalidVariable, match=said) as refused:
        LOOK.request(photo=given, note="")
    assert refused.value.name == "photo"


def test_pictures_stand_in_a_users_message_and_by_their_name_alone():
    with pytest.raises(InvalidVariable, match="user's message only"):
        prompt(("system", "{{ photo }}")).request(photo=PNG)
    for text in ('{{ photo | replace("0", "") }}', '{{ photo | replace("0", "71") }}'):
        with pytest.raises(InvalidVariable, match="name alone"):
            prompt(("user", text)).request(photo=PNG)


def test_in_conditions_and_loops_it_is_a_value_like_any_other():
    text = "{% if photo %}Here: {{ photo }}{% else %}None.{% endif %}"
    maybe = prompt(("user", text), required=False)
    assert maybe.request(photo=None)["messages"][0]["content"] == "None."
    assert maybe.request()["messages"][0]["content"] == "None."
    assert maybe.request(photo=PNG)["messages"][0]["content"][1] == picture(WHOLE)
    twice = prompt(("user", "{% for n in [1, 2] %}{{ photo }}{% endfor %}"))
    assert twice.request(photo=PNG)["messages"][0]["content"] == [picture(WHOLE)] * 2
    with pytest.raises(MissingVariables, match="photo"):
        LOOK.request(note="")


def test_no_text_passes_for_a_picture():
    for code in range(0xE000, 0xE004):
        for other in range(0xE000, 0xE004):
            posing = f"{chr(code)}0{chr(other)}"
            parts = LOOK.request(photo=PNG, note=posing)["messages"][1]["content"]
            assert [one["type"] for one in parts] == ["text", "image_url", "text"]
            assert posing in parts[2]["text"]
