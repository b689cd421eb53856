"""What a hub publishes, at one revision: pointers, and the texts that they point to. Pure.

    pointer   (label, name) → version, object     the only thing that ever changes
    object    SHA-256 → JSON text                 the content of a version, for ever the same

A table is never changed; `apply` makes the next one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from json import JSONDecoder
from typing import Any, NamedTuple, cast

from sdk.prompt import Prompt

_decode = JSONDecoder().raw_decode
SCHEMA = 1
MOST_REMEMBERED = 256
Place = tuple[str, str]
"""Label and name."""


class BadDocument(ValueError):
    """What came is not what a hub sends; nothing of it may be used."""


class Share(NamedTuple):
    """A version of a gradual release, and how many of 10,000 buckets get it."""

    version: int
    hash: str
    commit: str
    object: str
    share: int


class Pointer(NamedTuple):
    """What a label of a prompt means now."""

    label: str
    name: str
    id: str
    version: int
    hash: str
    commit: str
    object: str
    split: tuple[Share, ...] = ()

    @property
    def place(self) -> Place:
        return self.label, self.name

    @property
    def objects(self) -> tuple[str, ...]:
        """The objects it needs."""
        return (self.object, *(one.object for one in self.split))


class Table(NamedTuple):
    """A workspace at one revision, as far as it was asked for."""

    epoch: str
    revision: int
    pointers: Mapping[Place, Pointer]
    objects: Mapping[str, str]

    def apply(self, revision: int, changes: Iterable[Pointer | Place], objects: Mapping[str, str]
              ) -> Table:  # fmt: skip
        """The table after a commit: pointers put, and places taken away."""
        pointers = dict(self.pointers)
        for one in changes:
            if isinstance(one, Pointer):
                pointers[one.place] = one
            else:
                pointers.pop(one, None)
        known = {**self.objects, **objects}
        # Objects of before are remembered: moving back to one fetches nothing.
        if len(known) > 2 * len(pointers) + MOST_REMEMBERED:
            needed = {digest for one in pointers.values() for digest in one.objects}
            known = {digest: text for digest, text in known.items() if digest in needed}
        return Table(self.epoch, revision, pointers, known)

    def document(self) -> dict[str, Any]:
        """The table as `GET /api/v1/snapshot` writes it."""
        needed = sorted({digest for one in self.pointers.values() for digest in one.objects})
        return {
            "schema": SCHEMA, "epoch": self.epoch, "revision": self.revision,
            "pointers": [as_json(self.pointers[place]) for place in sorted(self.pointers)],
            "objects": {digest: self.objects[digest] for digest in needed},
        }  # fmt: skip


EMPTY = Table("", 0, {}, {})


def as_json(pointer: Pointer) -> dict[str, Any]:
    """A pointer as the hub writes it."""
    made = pointer._asdict() | {"split": [one._asdict() for one in pointer.split]}
    if not pointer.split:
        del made["split"]
    return made


def pointer_of(given: object) -> Pointer:
    """A pointer as it came.

    Raises:
        BadDocument: it is none.
    """
    if type(given) is not dict:
        raise BadDocument("a pointer is not an object")
    one = cast("Mapping[str, Any]", given)
    try:
        texts = one["label"], one["name"], one["id"], one["hash"], one["commit"], one["object"]
        version = one["version"]
        shares = tuple(map(_share, one.get("split") or ()))
    except (KeyError, TypeError, AttributeError):
        raise BadDocument("a pointer has another shape than expected") from None
    if set(map(type, texts)) != {str}:
        raise BadDocument("a pointer has something else where a text belongs")
    if type(version) is not int or version < 0:
        raise BadDocument("`version` of a pointer is not a number")
    if shares and sum(one.share for one in shares) != WHOLE:
        raise BadDocument("the shares of a split do not add up")
    label, name, id, hash, commit, object_ = texts
    return Pointer(label, name, id, version, hash, commit, object_, shares)


def _share(given: Mapping[str, Any]) -> Share:
    made = Share(
        given["version"], given["hash"], given["commit"], given["object"], given["share"]
    )  # fmt: skip
    if tuple(map(type, made)) != (int, str, str, str, int) or min(made[0], made[4]) < 0:
        raise BadDocument("a share of a split has another shape than expected")
    return made


SHORT = 2048


@cache
def _sha256(short: bool = False) -> Callable[[bytes], Any]:
    """`short`: Python's own, which has begun long before OpenSSL has; that one is the faster later.

    OpenSSL takes 5 ms to import, so neither is for `import sdk`.
    """
    if short:
        for module in ("_sha2", "_sha256"):  # from 3.12 on, and before
            try:
                return __import__(module).sha256
            except (ImportError, AttributeError):
                continue
    from hashlib import sha256

    return sha256


def checked(digest: str, text: object, alone: bool = False) -> str:
    """The text of an object, if its hash is its name; `alone`: not one of very many.

    Raises:
        BadDocument: it is not.
    """
    if not isinstance(text, str):
        raise BadDocument("an object is not a text")
    try:
        found = _sha256(alone and len(text) < SHORT)(text.encode()).hexdigest()
    except UnicodeEncodeError:
        found = ""
    if found != digest:
        raise BadDocument(f"the object {digest[:12]} has another hash than its name says")
    return text


# ── gradual release ─────────────────────────────────────────────────────────────────────────────

WHOLE = 10_000


def bucket(label: str, id: str, key: str) -> int:
    """Where a key falls; the same in every process and language.

    >>> bucket("production", "p_demo", "user-1"), bucket("production", "p_demo", "用户")
    (7401, 1994)
    """
    text = f"{label}/{id}/{key}".encode("utf-8", "surrogatepass")
    return int.from_bytes(_sha256(True)(text).digest()[:8], "big") % WHOLE


# ── from a table to a prompt ────────────────────────────────────────────────────────────────────


def prompt_of(table: Table, pointer: Pointer, source: str) -> Prompt:
    """The prompt that a pointer means, with all of its shares.

    Raises:
        TemplateError: a text is not a template this SDK renders.
        BadDocument: the object is not one of a prompt.
    """
    main = _prompt(table, pointer, pointer, source)
    if not pointer.split:
        return main
    upto, shares = 0, []
    for one in pointer.split:
        upto += one.share
        same = one.object == pointer.object and one.version == pointer.version
        shares.append((upto, main if same else _prompt(table, pointer, one, source)))
    return main.with_shares(tuple(shares))


def _prompt(table: Table, pointer: Pointer, one: Pointer | Share, source: str) -> Prompt:
    try:
        content, _ = _decode(table.objects[one.object])
        record = {
            "name": pointer.name, "id": pointer.id, "version": one.version, "commit": one.commit,
            "hash": one.hash, "label": pointer.label, "labels": (pointer.label,),
            "document": content["document"], "snippets": content.get("snippets") or {},
        }  # fmt: skip
        prompt = Prompt.owning(record, source)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise BadDocument(
            f"{pointer.name} v{one.version} has another shape than expected ({error!r:.90})"
        ) from None
    prompt.prepare()
    return prompt
