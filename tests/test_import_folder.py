"""A folder of prompts comes in exactly as it is, or a sentence says why not."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.registry.prompt.document import Document, Message, serialise
from hub.registry.prompt.names import check_name, is_name
from hub.sync.formats.files import Imported, read_folder
from hub.sync.formats.slugs import free_name, name_for, slug


def write(root: Path, files: dict[str, str | bytes]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return root


def by_name(found: list[Imported]) -> dict[str, Document]:
    return {one.name: one.document for one in found if one.document is not None}


def refusals(found: list[Imported]) -> dict[str, str]:
    return {one.source_path: one.notes[0] for one in found if one.document is None}


def test_a_fabric_pattern_is_one_prompt(tmp_path: Path):
    folder = write(
        tmp_path / "Fabric Patterns",
        {
            "create_quiz/system.md": "# IDENTITY and PURPOSE\r\n\r\nYou make quizzes.  \n\n",
            "create_quiz/user.md": "About {{ subject }}",
            "create_quiz/README.md": "# How to use",
            "explain/system.md": "Explain it.",
            "explain/user.md": "\n\n",
        },
    )
    found = read_folder(folder)
    assert by_name(found) == {
        "fabric-patterns/create_quiz": by_name(found)["fabric-patterns/create_quiz"],
        "fabric-patterns/explain": Document(
            title="Explain", messages=(Message(role="system", content="Explain it."),)
        ),
    }
    quiz = by_name(found)["fabric-patterns/create_quiz"]
    assert [(one.role, one.content) for one in quiz.messages] == [
        ("system", "# IDENTITY and PURPOSE\r\n\r\nYou make quizzes.  \n\n"),
        ("user", "About {{ subject }}"),
    ]
    assert (quiz.title, quiz.template) == ("Create quiz", "jinja")
    assert [one.name for one in quiz.variables] == ["subject"]


def test_prompt_files_keep_their_path_and_all_they_say(tmp_path: Path):
    document = Document(id="p1", title="T", messages=(Message(role="user", content="x"),))
    write(tmp_path, {"support/triage.prompt.yml": serialise(document), "a.prompt.yml": "name: ["})
    found = read_folder(tmp_path)
    assert by_name(found) == {"support/triage": document}
    assert "Line 2: the file cannot be read here" in refusals(found)["a.prompt.yml"]


def test_markdown_and_text_take_their_title_from_a_heading_or_their_name(tmp_path: Path):
    write(
        tmp_path,
        {"Notes/Discharge Letter.md": "# A letter home\n\nWrite…", "über_uns.txt": "Wer sind wir?"},
    )
    found = read_folder(tmp_path)
    titles = {name: document.title for name, document in by_name(found).items()}
    assert titles == {"notes/discharge-letter": "A letter home", "uber_uns": "Über uns"}
    assert all("Its name became" in one.notes[-1] for one in found)


LONG = "a" * 70
DEEP = "a/b/c/d/e/f/g/h/i"


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("Große Datei.md", "names are small letters and digits"),
        (f"{LONG}.md", "a part of a name has at most 64 characters"),
        (f"{LONG}/x.md", "a part of a name has at most 64 characters"),
        (f"{DEEP}.md", "a name has at most 8 parts"),
        (f"{'/'.join([LONG[:60]] * 4)}.md", "a name has at most 200 characters"),
        (
            f"{LONG.upper()}.md",
            "names are small letters and digits and a part of a name has at most 64 characters",
        ),
        ("con.md", "the one it had is kept for other things"),
    ],
)
def test_a_file_that_gets_another_name_says_what_of_it_could_not_stay(
    tmp_path: Path, path: str, why: str
):
    write(tmp_path, {path: "Fine."})
    (only,) = read_folder(tmp_path)
    assert only.notes == [f"Its name became {only.name}, since {why}."]


def test_foreign_braces_make_a_plain_prompt_and_the_note_says_so(tmp_path: Path):
    vue = "<li v-for='x in xs'>{{ x.title(1) }}</li>\n"
    write(tmp_path, {"vue.md": vue})
    (only,) = read_folder(tmp_path)
    assert only.document is not None
    assert (only.document.template, only.document.messages[0].content) == ("plain", vue)
    assert only.notes[0].startswith("It holds braces that are not ours")


def test_what_cannot_be_read_is_refused_and_the_rest_comes_in(tmp_path: Path):
    write(
        tmp_path,
        {
            "good.md": "Fine.",
            "latin.md": "ok\ncaf\xe9".encode("latin-1"),
            "wide.txt": "hello".encode("utf-16"),
            "binary.txt": b"\x89PNG\0\0",
            "empty.md": "  \n",
            "huge.md": "x" * 1_100_000,
            "controls.md": "x\r" * 400_000,
            "picture.png": b"\x89PNG",
            "README.md": "# Read me",
            ".hidden.md": "no",
            ".git/config.md": "no",
            "bom.md": "\ufeffWith a mark.",
        },
    )
    found = read_folder(tmp_path)
    assert sorted(by_name(found)) == ["bom", "good"]
    assert by_name(found)["bom"].messages[0].content == "With a mark."
    why = refusals(found)
    assert why["latin.md"] == "Line 2 is not UTF-8 text. Save it as UTF-8 and import it again."
    assert "UTF-16" in why["wide.txt"]
    assert why["binary.txt"] == "This is not a text file."
    assert why["empty.md"] == "The file is empty."
    assert "1 MiB" in why["huge.md"]
    assert "1 MiB" in why["controls.md"]
    assert set(why) == {
        "latin.md", "wide.txt", "binary.txt", "empty.md", "huge.md", "controls.md", "picture.png",
        "README.md",
    }  # fmt: skip


def test_what_no_save_would_take_is_left_out_by_name_and_the_rest_comes_in(tmp_path: Path):
    message = "messages:\n  - role: user\n    content: "
    write(
        tmp_path,
        {
            "blank.prompt.yml": message + "' '\n",
            "hostile.prompt.yml": "template: jinja\n" + message + "'{{ x.__class__ }}'\n",
            "good.prompt.yml": message + "Fine.\n",
        },
    )
    found = read_folder(tmp_path)
    assert list(by_name(found)) == ["good"]
    assert refusals(found) == {
        "blank.prompt.yml": "Every message is empty. Write something in one of them.",
        "hostile.prompt.yml": "Message 1, line 1: `.__class__` cannot be looked up.",
    }


def test_links_and_pipes_are_not_followed(tmp_path: Path):
    secret = write(tmp_path / "outside", {"key.md": "secret"})
    folder = write(tmp_path / "in", {"good.md": "Fine.", "pair/system.md": "Be kind."})
    (folder / "key.md").symlink_to(secret / "key.md")
    (folder / "all").symlink_to(secret)
    (folder / "pair" / "user.md").symlink_to(secret / "key.md")
    os.mkfifo(folder / "pipe.md")
    found = read_folder(folder)
    assert sorted(by_name(found)) == ["good", "in/pair"]
    assert len(by_name(found)["in/pair"].messages) == 1
    assert set(refusals(found)) == {"key.md", "all", "pipe.md"}
    (tmp_path / "link").symlink_to(folder)
    assert by_name(read_folder(tmp_path / "link")) == {}
    assert "no such" in read_folder(tmp_path / "nowhere")[0].notes[0]


def test_clashing_names_and_ids_are_told_apart(tmp_path: Path):
    document = Document(id="p1", messages=(Message(role="user", content="x"),))
    write(
        tmp_path,
        {"A B.md": "1", "a-b.md": "2", "a_b.md": "3", "x.prompt.yml": serialise(document),
         "y.prompt.yml": serialise(document)},
    )  # fmt: skip
    found = read_folder(tmp_path)
    assert [one.name for one in found] == ["a-b", "a-b-2", "a_b", "x", "y"]
    ids = [one.document.id for one in found if one.document]
    assert ids == [None, None, None, "p1", None]
    assert "It has the same id as x.prompt.yml" in found[4].notes[-1]


def test_hostile_file_names_become_plain_ones(tmp_path: Path):
    names = [b"--upload.md", b"..x.md", b"a\nb.md", b"\xff\xfe.md", b"con.md", b"$(rm).md"]
    names += [b"x.lock.md", "\u202egnp.md".encode(), b"<script>.md", b"a" * 240 + b".md"]
    for name in names:
        (tmp_path / os.fsdecode(name)).write_text("text")
    found = read_folder(tmp_path)
    assert len({one.name for one in found}) == 9  # `..x.md` is hidden
    for one in found:
        check_name(one.name)
        assert one.source_path.isprintable()
        assert serialise(one.document) if one.document else False


def test_one_file_may_be_given(tmp_path: Path):
    write(tmp_path, {"a.md": "x", "b.md": "y"})
    assert list(by_name(read_folder(tmp_path / "a.md"))) == ["a"]


@given(st.lists(st.text(min_size=1, max_size=80), min_size=1, max_size=12))
def test_any_path_becomes_a_name(parts: list[str]):
    name = name_for(parts)
    assert is_name(name)
    assert is_name(free_name(name, {name}))
    assert free_name(name, {name}) != name


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Größe", "grosse"),
        ("日本", "prompt"),
        ("a..b", "a.b"),
        ("x.lock", "x"),
        ("aux", "prompt-aux"),
    ],
)
def test_slugs(text: str, expected: str):
    assert slug(text) == expected
