"""Takes the known keys out of a plain tree, each checked, and says in words what is wrong."""

import math
from collections.abc import Iterator, Sized
from typing import cast

from hub.registry.prompt.yaml_read import (
    DEEPEST,
    LARGEST_FILE,
    MOST_KEYS,
    MOST_VALUES,
    TOO_MANY_KEYS,
    Path,
    Plain,
    Problem,
    key_trouble,
    settle,
    too_many_values,
)

Group = dict[str, object]

MOST_ITEMS = 1_000  # messages, variables, tags, tools: more is a data set, not a prompt

ROLES = ("system", "developer", "user", "assistant", "tool", "placeholder")

# Settings that every provider wants as numbers, in the two spellings that are about.
_NUMBERS = frozenset(
    {"temperature", "topP", "top_p", "topK", "top_k", "minP", "min_p", "seed", "n"}
    | {"maxTokens", "max_tokens", "maxCompletionTokens", "max_completion_tokens"}
    | {"frequencyPenalty", "frequency_penalty", "presencePenalty", "presence_penalty"}
    | {"repetitionPenalty", "repetition_penalty"}
)
_YES = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


class Taker:
    """The keys of one group; each is taken once, and the rest is what we do not know."""

    def __init__(self, group: Group, path: Path) -> None:
        self._group = group
        self._path = tuple(path)

    def has(self, key: str) -> bool:
        return key in self._group

    def rest(self) -> Group:
        """Unknown keys, in their order."""
        if len(self._group) > MOST_KEYS:
            of = f"{where(self._path)} has" if self._path else "This prompt has"
            raise Problem(
                f"{of} {len(self._group):,} keys that are not known; {MOST_KEYS:,} is the most."
                " Remove some.",
                path=self._path,
            )
        return {key: self._settled(key, value) for key, value in self._group.items()}

    def anything(self, key: str) -> object:
        return self._settled(key, self._group.pop(key, None))

    def text(self, key: str) -> str | None:
        """Text; a bare number or word counts as the text it was written as."""
        value = self._group.pop(key, None)
        if value is None or type(value) is str:
            return value
        if type(value) is Plain:
            return None if value in ("~", "null", "Null", "NULL") else str(value)
        if key == "content" and isinstance(value, list):
            why = "must be text, not a list; pictures and files are not kept in prompts"
            raise self._problem(key, why)
        raise self._problem(key, f"must be text, not {kind(value)}")

    def filled_text(self, key: str) -> str | None:
        """Text that may be left out, but not left empty."""
        value = self.text(key)
        if value == "":
            raise self._problem(key, "is empty. Fill it in or leave the line out")
        return value

    def choice(self, key: str, known: tuple[str, ...]) -> str | None:
        value = self.text(key)
        if value is None or value in known:
            return value
        raise self._problem(key, f"must be one of {', '.join(known)}, not `{_short(value)}`")

    def flag(self, key: str) -> bool | None:
        value = self._group.pop(key, None)
        if value is None or isinstance(value, bool):
            return value
        if type(value) is Plain and value.lower() in _YES:
            return _YES[value.lower()]
        raise self._problem(key, f"must be true or false, not {kind(value)}")

    def items(self, key: str) -> list[object]:
        """A list that may be left out."""
        value = self._settled_if_plain(key)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self._problem(key, f"must be a list, not {kind(value)}")
        self._bound(key, cast("list[object]", value))
        return cast("list[object]", value)

    def texts(self, key: str) -> tuple[str, ...]:
        found: list[str] = []
        for at, item in enumerate(self.items(key)):
            if not isinstance(item, str):
                raise self._problem(key, f"must be a list of words, not of {kind(item)}", at)
            found.append(str(item))
        return tuple(found)

    def groups(self, key: str) -> list[object] | None:
        """A list of groups, or None when left out."""
        if self._missing(key):
            return None
        items = self.items(key)
        for at, item in enumerate(items):
            if not isinstance(item, dict):
                raise self._problem(key, f"must be a list of groups, not of {kind(item)}", at)
        return cast("list[object]", self._settled(key, items))

    def named_groups(self, key: str) -> Iterator[tuple[Path, Group]]:
        """A list of groups with a name, also when written as `name: {details}`."""
        value = self._settled_if_plain(key)
        if isinstance(value, dict | list):
            self._bound(key, cast("Group | list[object]", value))
        if isinstance(value, dict):
            for name, details in cast("Group", value).items():
                path = (*self._path, key, name)
                inner = settle(details)
                yield path, {"name": name} | (dict(group(inner, path)) if inner else {})
            return
        if value is not None and not isinstance(value, list):
            raise self._problem(key, f"must be a list, not {kind(value)}")
        for at, item in enumerate(cast("list[object]", value or [])):
            path = (*self._path, key, at)
            yield path, dict(group(item, path))

    def parameters(self, key: str) -> Group:
        """Model settings; those that every provider wants as numbers are numbers."""
        value = self._settled_if_plain(key)
        if value is None:
            return {}
        path = (*self._path, key)
        found: Group = {}
        for name, setting in group(value, path).items():
            setting = Taker({name: setting}, path).anything(name)
            number = isinstance(setting, int | float) and not isinstance(setting, bool)
            if name in _NUMBERS and not number and setting is not None:
                sentence = f"`{name}` must be a number, not {kind(setting)}."
                raise Problem(sentence, path=(*path, name), key=name)
            found[name] = setting
        return found

    def _bound(self, key: str, value: Sized) -> None:
        if len(value) > MOST_ITEMS:
            raise self._problem(
                key, f"holds {len(value):,}; {MOST_ITEMS:,} is the most. Remove some"
            )

    def _missing(self, key: str) -> bool:
        """Whether the key is left out or says nothing; then it is taken."""
        missing = self._settled(key, self._group.get(key)) is None
        if missing:
            self._group.pop(key, None)
        return missing

    def _settled_if_plain(self, key: str) -> object:
        value = self._group.pop(key, None)
        return self._settled(key, value) if type(value) is Plain else value

    def _settled(self, key: str, value: object) -> object:
        try:
            return settle(value)
        except Problem as problem:
            raise Problem(problem.sentence, path=(*self._path, key), key=key) from None

    def _problem(self, key: str, what: str, at: int | None = None) -> Problem:
        path = (*self._path, key)
        of = f" of {where(self._path, small=True)}" if self._path else ""
        return Problem(f"`{key}`{of} {what}.", path=path if at is None else (*path, at), key=key)


def group(value: object, path: Path) -> Group:
    """The value as a group of keys."""
    if isinstance(value, dict):
        return cast("Group", value)
    if not path and (value is None or value == ""):
        raise Problem("The file is empty. A prompt needs at least `messages`.")
    found = kind(settle(value))
    if not path:
        raise Problem(f"A prompt is a group of keys such as `messages`, not {found}.")
    raise Problem(
        f"{where(path)} must be a group of keys, not {found}.", path=path, key=str(path[0])
    )


def where(path: Path, *, small: bool = False) -> str:
    """`Message 2`, `Variable customer`, or the key itself."""
    words = {"messages": "message", "variables": "variable"}
    if len(path) < 2 or path[0] not in words:
        return f"`{path[-1]}`"
    last = path[1] + 1 if isinstance(path[1], int) else f"`{path[1]}`"
    word = words[str(path[0])]
    return f"{word if small else word.capitalize()} {last}"


def checked_tree(value: object) -> object:
    """JSON values as they are, refused where a file could not hold them."""
    if isinstance(value, dict):
        whole = cast("Group", value)
        if len(whole) > MOST_KEYS:
            raise Problem(TOO_MANY_KEYS)
        left = MOST_VALUES - 1
        for key, inner in whole.items():
            left -= _values_in(inner, left)
            if left < 0:
                raise Problem(too_many_values(_short(key)), key=key[:40])
    _check(value, ())
    return value


def _values_in(value: object, enough: int) -> int:
    """How many values there are, itself included; counted until it is more than enough."""
    found, waiting = 0, [value]
    while waiting and found <= enough:
        one = waiting.pop()
        found += 1
        if isinstance(one, dict):
            waiting += cast("Group", one).values()
        elif isinstance(one, list):
            waiting += cast("list[object]", one)
    return found


def _check(value: object, path: tuple[str | int, ...]) -> None:
    if len(path) > DEEPEST:
        raise Problem(f"`{path[0]}` has more than {DEEPEST} levels inside each other.")
    if isinstance(value, dict):
        for key, inner in cast("Group", value).items():
            if why := key_trouble(key):
                raise Problem(why, key=key[:40])
            _check(inner, (*path, key))
    elif isinstance(value, list):
        for at, item in enumerate(cast("list[object]", value)):
            _check(item, (*path, at))
    else:
        _check_leaf(value, path)


def _check_leaf(value: object, path: tuple[str | int, ...]) -> None:
    place = where(path) if path else "This"
    if isinstance(value, str):
        if len(value) > LARGEST_FILE:
            raise Problem(f"{place} is longer than 1 MiB. Shorten it.", path=path)
        try:
            value.encode("utf-8")
        except UnicodeEncodeError as error:
            code = f"U+{ord(value[error.start]):04X}"
            raise Problem(
                f"{place} holds half a character ({code}) that no file can keep. Remove it.",
                path=path,
                key=str(path[-1]) if path else None,
            ) from None
    elif isinstance(value, float) and not math.isfinite(value):
        raise Problem(f"{place} must be an ordinary number.", path=path)
    elif isinstance(value, int) and abs(value) >= 10**400:
        raise Problem(f"{place} is too long a number.", path=path)


def kind(value: object) -> str:
    """What a value is, in words for a person."""
    if type(value) is Plain:
        value = settle(value)
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, list):
        return "a list"
    return "a group of keys" if isinstance(value, dict) else "text"


def _short(text: str) -> str:
    plain = "".join(c if c.isprintable() else "?" for c in text)
    return plain if len(plain) <= 40 else plain[:39] + "…"
