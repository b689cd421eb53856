"""Reads a folder of prompts: our own files, plain Markdown and text, and other programs' formats.

A folder with a `system.md` (and perhaps a `user.md`) is one prompt, as in the fabric collection.
Nothing is changed to make it fit: a file is taken exactly as it is, or refused with a sentence.
A table of examples (`letter.csv`) belongs to the prompt beside it with the same name.
Links are not followed, so that an uploaded folder cannot pull in the machine's own files.
"""

import os
import re
import stat
from pathlib import Path

import msgspec

from hub.errors import Invalid
from hub.registry.prompt.document import (
    Document,
    InvalidDocument,
    Message,
    Variable,
    parse,
    serialise,
)
from hub.registry.prompt.guess import guess_template
from hub.registry.prompt.includes import includes
from hub.registry.prompt.yaml_read import LARGEST_FILE
from hub.sync.formats import known, safe, tables
from hub.sync.formats.report import Notes, Refused
from hub.sync.formats.slugs import free_name, name_for, slug, title_for, why_named
from hub.sync.formats.walk import files_below
from sdk import template

MOST_FILES = 20_000

_YAML = re.compile(r"\.prompt\.ya?ml$", re.IGNORECASE)
_TEXT = re.compile(r"\.(md|markdown|txt)$", re.IGNORECASE)
_ABOUT = re.compile(r"(readme|license|licence|changelog|contributing|code_of_conduct|security)\b")


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """A file that became a prompt; or, without a `document`, why it did not (`notes`)."""

    name: str
    document: Document | None
    source_path: str
    notes: list[str]


def read_folder(path: Path) -> list[Imported]:
    """Every file below `path`, in the order of their paths; names are unique among them."""
    if path.is_symlink() or not path.exists():
        link = path.is_symlink()
        why = "This is a link; give the folder itself." if link else "There is no such folder."
        return [_refused(path, path.parent, why)]
    root = path if path.is_dir() else path.parent
    found: list[Imported] = []
    examples: list[tables.Table] = []
    names: set[str] = set()
    ids: dict[str, str] = {}
    files = files_below(path, 0) if path.is_dir() else iter([(path, "")])
    for number, (file, problem) in enumerate(files):
        if number >= MOST_FILES:
            found.append(_refused(root, root, f"More than {MOST_FILES} files: the rest was left."))
            break
        try:
            if problem:
                raise Refused(problem)
            if file.name.casefold().endswith(".csv"):
                examples.append(_table(file, root))
                continue
            several = _some(file, root)
        except Refused as refused:
            found.append(_refused(file, root, str(refused)))
            continue
        found += [_own(one, ids, names) for one in several]
    return tables.laid_beside(found, examples)


def _own(one: Imported, ids: dict[str, str], names: set[str]) -> Imported:
    """The prompt with an id and a name that no other has."""
    one = _with_own_id(one, ids)
    name = free_name(one.name, names)
    if name != one.name:
        note = f"Another file is called {one.name} already, so this one became {name}."
        one = msgspec.structs.replace(one, name=name, notes=[*one.notes, note])
    names.add(name)
    return one


def _some(file: Path, root: Path) -> list[Imported]:
    """The prompts in one file: several where it is another program's collection."""
    if known.is_foreign(file.name) and not _YAML.search(file.name):
        return _foreign(file, root)
    if re.search(r"\.txt$", file.name, re.IGNORECASE):
        text, _ = _text(file)
        if known.is_snippet(text):
            return _foreign(file, root)
    return [_one(file, root)]


def _foreign(file: Path, root: Path) -> list[Imported]:
    """The prompts of another program's file, each with what it lost on the way."""
    collection = file.name.casefold().endswith(".json")
    text, noticed = _text(file, most=known.LARGEST_BUNDLE if collection else LARGEST_FILE)
    format_, prompts = known.read(file.name, text)
    found: list[Imported] = []
    for one in prompts:
        parts = tuple(one.name.split("/")) if one.name else (known.stem_of(file.name),)
        folder = _parts(file.parent, root)
        if parts[: len(folder)] != folder or len(parts) == len(folder):
            parts = (*folder, *parts)
        notes = [f"Read as {format_.about}.", *noticed, *one.notes.sentences()]
        try:
            found.append(_named(file, root, parts, one.document, notes))
        except Refused as refused:
            found.append(_refused(file, root, f"{one.name or parts[-1]}: {refused}"))
    return found


def _table(file: Path, root: Path) -> tables.Table:
    """A table of examples; which prompt it belongs to shows when all files are read."""
    text, noticed = _text(file)
    notes = Notes()
    rows = tables.rows_of(text, notes)
    name = name_for((*_parts(file.parent, root), known.stem_of(file.name)))
    return tables.Table(name, rows, _shown(file, root), [*noticed, *notes.sentences()])


def _one(file: Path, root: Path) -> Imported:
    """The prompt in one file, or in the folder whose `system.md` it is."""
    shown = file.name.casefold()
    if _YAML.search(file.name):
        return _from_yaml(file, root)
    if not _TEXT.search(file.name):
        raise Refused("This is no kind of file that holds prompts; it was left out.")
    if _ABOUT.match(shown):
        raise Refused("This looks like a page about the files beside it; it was left out.")
    if shown == "system.md":
        return _from_pair(file, root)
    text, notes = _text(file)
    stem = _TEXT.sub("", file.name)
    messages = (Message(role="user", content=text),)
    return _plain(file, root, (*_parts(file.parent, root), stem), messages, notes)


def _from_yaml(file: Path, root: Path) -> Imported:
    """A `.prompt.yml`, with all it says; its path is its name."""
    data = _bytes(file)
    try:
        document = parse(data)
    except InvalidDocument as refused:
        raise Refused(refused.sentence) from None
    notes: list[str] = []
    if data.startswith(b"\xef\xbb\xbf"):
        notes.append("The byte order mark at its beginning was left out.")
    if not re.search(rb"^[\"']?template[\"']?\s*:", data, re.MULTILINE):
        reason = guess_template([message.content for message in document.messages])[1]
        notes += [reason] if reason else []
    parts = (*_parts(file.parent, root), _YAML.sub("", file.name))
    dropped = Notes()
    document = safe.without_addresses(document, dropped)
    return _named(file, root, parts, document, [*notes, *dropped.sentences()])


def _from_pair(file: Path, root: Path) -> Imported:
    """`system.md` and perhaps `user.md`: one prompt, called as their folder."""
    messages: list[Message] = []
    notes: list[str] = []
    user = next((one for one in file.parent.iterdir() if one.name.casefold() == "user.md"), None)
    for role, one in (("system", file), ("user", user)):
        if one is None or one.is_symlink():
            continue
        text, noticed = _text(one, blank=True)
        notes += [f"{one.name}: {note}" for note in noticed]
        if text.strip():
            messages.append(Message(role=role, content=text))
        elif text:
            notes.append(f"{one.name} holds only blank lines and was left out.")
    if not messages:
        raise Refused("The file is empty.")
    parts = _parts(file.parent, root)
    if len(parts) < 2:  # directly below what was imported: that folder is their collection
        parts = (root.resolve().name, *parts)
    return _plain(file, root, parts, tuple(messages), notes)


def _plain(
    file: Path, root: Path, parts: tuple[str, ...], messages: tuple[Message, ...], notes: list[str]
) -> Imported:
    """A document around plain texts; whether they are templates is guessed and said."""
    texts = [message.content for message in messages]
    kind, reason = guess_template(texts)
    document = Document(
        title=title_for(texts[0], parts[-1]),
        template=kind,
        messages=messages,
        variables=tuple(Variable(name=name) for name in _variables(texts, kind)),
    )
    return _named(file, root, parts, document, [*notes, reason] if reason else notes)


def _variables(texts: list[str], kind: str) -> list[str]:
    if kind == "plain" or not any("{" in text for text in texts):
        return []
    found = (name for text in texts for name in template.compile_text(text).variables)
    return list(dict.fromkeys(found))


def _named(
    file: Path, root: Path, parts: tuple[str, ...], document: Document, notes: list[str]
) -> Imported:
    name = name_for(parts)
    if name != "/".join(parts):
        notes = [*notes, f"Its name became {name}, since {why_named(parts)}."]
    try:
        serialise(document)
        includes(document)
    except Invalid as refused:  # a save would refuse it, and with it all that came beside it
        raise Refused(refused.sentence) from None
    return Imported(name=name, document=document, source_path=_shown(file, root), notes=notes)


def _with_own_id(one: Imported, ids: dict[str, str]) -> Imported:
    """Two files with one id: the first keeps it."""
    document = one.document
    if document is None or document.id is None:
        return one
    first = ids.setdefault(document.id, one.source_path)
    if first == one.source_path:
        return one
    note = f"It has the same id as {first}, so it gets a new one."
    fresh = msgspec.structs.replace(document, id=None)
    return msgspec.structs.replace(one, document=fresh, notes=[*one.notes, note])


def _text(file: Path, *, blank: bool = False, most: int = LARGEST_FILE) -> tuple[str, list[str]]:
    """The file's text exactly as it is, and what was noticed."""
    data = _bytes(file, most)
    notes: list[str] = []
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise Refused("This is UTF-16 text. Save it as UTF-8 and import it again.")
    if b"\0" in data:
        raise Refused("This is not a text file.")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise Refused(
            f"Line {line} is not UTF-8 text. Save it as UTF-8 and import it again."
        ) from None
    if text.startswith("\ufeff"):
        text = text[1:]
        notes.append("The byte order mark at its beginning was left out.")
    if not blank and not text.strip():
        raise Refused("The file is empty.")
    return text, notes


def _bytes(file: Path, most: int = LARGEST_FILE) -> bytes:
    """The bytes of an ordinary file of a sensible size, never through a link."""
    try:
        handle = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(handle, "rb") as stream:
            facts = os.fstat(handle)
            if not stat.S_ISREG(facts.st_mode):
                raise Refused("This is not an ordinary file.")
            if facts.st_size > most:
                raise Refused(
                    f"The file is larger than {most >> 20} MiB, the most a prompt may have."
                    if most == LARGEST_FILE
                    else f"The file is larger than {most >> 20} MiB. Split it."
                )
            return stream.read(most + 1)
    except OSError as error:
        raise Refused(f"The file could not be read ({error.strerror}).") from None


def _parts(folder: Path, root: Path) -> tuple[str, ...]:
    return folder.relative_to(root).parts


def _refused(file: Path, root: Path, why: str) -> Imported:
    shown = _shown(file, root)
    return Imported(name=slug(file.stem), document=None, source_path=shown, notes=[why])


def _shown(file: Path, root: Path) -> str:
    """The path below the folder, safe to print whatever its bytes are."""
    path = file.relative_to(root).as_posix() if file != root else file.name
    text = os.fsencode(path).decode("utf-8", "replace")
    return "".join(c if c.isprintable() else "\ufffd" for c in text)
