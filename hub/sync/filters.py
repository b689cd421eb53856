"""Which places an app follows: `?label=production&name=support/*`. Pure."""

from __future__ import annotations

import hashlib
from urllib.parse import parse_qsl

import msgspec

from hub.errors import Invalid
from hub.registry.indexing.feed import LATEST, Place
from hub.registry.prompt import names

USUAL = "production"
MOST_LABELS = 20
MOST_NAMES = 200
BELOW = "/*"


class Filter(msgspec.Struct, frozen=True):
    """Labels, and names or folders (none: all names)."""

    labels: tuple[str, ...]
    names: frozenset[str] = frozenset()
    folders: tuple[str, ...] = ()
    """With a slash at the end."""

    @property
    def everything(self) -> bool:
        return not self.names and not self.folders

    @property
    def key(self) -> str:
        """The same for every way of writing the same filter."""
        return "\n".join((*self.labels, "", *sorted(self.names), "", *self.folders))

    @property
    def tag(self) -> str:
        """A short name for use in an entity tag."""
        return hashlib.sha256(self.key.encode()).hexdigest()[:12]

    def wants(self, place: Place) -> bool:
        return place[0] in self.labels and self.wants_name(place[1])

    def wants_name(self, name: str) -> bool:
        return self.everything or name in self.names or name.startswith(self.folders)


def parse(query: bytes) -> tuple[Filter, str | None]:
    """The filter in a query string, and its `since`; other parameters are ignored.

    Raises:
        Invalid: a label or name that cannot be, or too many.
    """
    labels: set[str] = set()
    exact: set[str] = set()
    folders: set[str] = set()
    since = None
    for key, value in parse_qsl(query.decode("latin-1"), keep_blank_values=True):
        if key == "label":
            labels.add(_label(value))
        elif key == "name" and value.endswith(BELOW):
            folders.add(_name(value.removesuffix(BELOW)) + "/")
        elif key == "name":
            exact.add(_name(value))
        elif key == "since":
            since = value
    if len(labels) > MOST_LABELS or len(exact) + len(folders) > MOST_NAMES:
        raise Invalid(f"Follow at most {MOST_LABELS} labels and {MOST_NAMES} names at once.")
    wanted = tuple(sorted(labels or {USUAL}))
    return Filter(wanted, frozenset(exact), tuple(sorted(folders))), since


def _label(value: str) -> str:
    if value != LATEST:
        names.check_label(value)
    return value


def _name(value: str) -> str:
    names.check_name(value)
    return value
