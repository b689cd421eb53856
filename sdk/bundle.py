"""Prompts that come along with a program: the lock file that `prompthub pull` writes."""

from __future__ import annotations

import os

from sdk.errors import PromptHubError
from sdk.table import EMPTY, BadDocument, Table
from sdk.wire import document


def load(place: str | os.PathLike[str]) -> Table:
    """The lock file at a path, or in a package: `myapp:prompts.lock.json`.

    Raises:
        PromptHubError: it is not there, or not what `prompthub pull` wrote.
    """
    try:
        return document(_read(os.fspath(place)))
    except (OSError, ImportError, TypeError) as error:
        raise PromptHubError(f"{place}: {error}. Write it with `prompthub pull`.") from None
    except BadDocument as error:
        raise PromptHubError(
            f"{place} cannot be used: {error}. Write it anew with `prompthub pull`."
        ) from None


def _read(place: str) -> bytes:
    package, colon, name = place.partition(":")
    looks_like_package = colon and all(part.isidentifier() for part in package.split("."))
    if looks_like_package and len(package) > 1:  # C:\… is a path
        from importlib.resources import files

        return files(package).joinpath(name).read_bytes()
    with open(place, "rb") as file:
        return file.read()


class Bundle:
    """The lock file, read when it is first needed; one that cannot be read is said once."""

    def __init__(self, place: str | os.PathLike[str] | None) -> None:
        self.place = place
        self.error = ""
        self._table: Table | None = None

    def table(self) -> Table:
        """What it holds; nothing, if there is none."""
        if self._table is None:
            try:
                self._table = EMPTY if self.place is None else load(self.place)
            except PromptHubError as error:
                self._table, self.error = EMPTY, str(error)
        return self._table
