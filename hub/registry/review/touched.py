"""What commits that are about to be written would change, read off the commits themselves. Pure."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from hub.errors import HubError
from hub.registry.git import deploy_file
from hub.registry.git.commits import Change, Plan
from hub.registry.git.git_terms import DEPLOY, MAIN
from hub.registry.indexing.ledger import Ledger
from hub.registry.prompt import names


class Unreadable(HubError):
    """A file that we are about to write, and could not read: what is not judged is not written."""

    def __init__(self, path: str) -> None:
        super().__init__(
            f"The hub cannot read what it would write at {path}, so nothing was written. Please "
            "report this."
        )


class Placed(msgspec.Struct):
    """A label of one prompt: where it points before and after, and under which names.

    In a gradual release that is the newcomer; as a rule the rest was there already (see `both`).
    """

    label: str
    prompt_id: str
    names: set[str] = msgspec.field(default_factory=set[str])
    after: set[str] = msgspec.field(default_factory=set[str])
    """Those of `names` that it has afterwards."""
    old: int | None = None
    new: int | None = None
    blob: str = ""
    """Git's id of the text that it points at afterwards."""
    rest: int | None = None
    """The version of the other share afterwards, if there are two."""
    rest_blob: str = ""

    @property
    def along(self) -> bool:
        """The file went along with a rename; the label points where it did."""
        return self.old == self.new


class Touched(msgspec.Struct, frozen=True):
    """Prompts by name on main, before and after; and labels."""

    names: tuple[str, ...]
    labels: tuple[Placed, ...]


def touched(plans: Iterable[Plan]) -> Touched:
    """Everything that these commits change on main and on deploy.

    Raises:
        Unreadable: something of it could not be judged.
    """
    on_main: dict[str, None] = {}
    placed: dict[tuple[str, str], Placed] = {}
    for plan in plans:
        for change in plan.commit.changes:
            if plan.ref == MAIN and change.mode and names.name_of(change.path) is None:
                continue  # a file beside the prompts, as it lies elsewhere: nobody is served it
            if plan.ref == MAIN:
                if (name := names.name_of(change.path)) is None:
                    raise Unreadable(change.path)
                on_main[name] = None
            elif plan.ref == DEPLOY:
                _place(placed, change)
    return Touched(tuple(on_main), tuple(placed.values()))


def _place(placed: dict[tuple[str, str], Placed], change: Change) -> None:
    label = deploy_file.label_of(change.path)
    if label is None:
        raise Unreadable(change.path)
    name = change.path[len(label) + 1 :].removesuffix(deploy_file.SUFFIX)
    for data, after in ((change.old_data, False), (change.data, True)):
        if data is None:
            continue
        if (pointer := deploy_file.parse(data)) is None:
            raise Unreadable(change.path)
        key = (label, pointer.prompt)
        one = placed.setdefault(key, Placed(label, pointer.prompt))
        one.names.add(name)
        if after:
            one.new, one.blob = pointer.newcomer
            one.rest, one.rest_blob = pointer.other or (None, "")
            one.after.add(name)
        else:
            one.old = pointer.newcomer[0]


def both(ledger: Ledger, placed: Iterable[Placed]) -> tuple[Placed, ...]:
    """Each share by itself, where a file brings in two: only what the label gives already, as the
    ledger has it, need not be looked at again."""
    found: list[Placed] = []
    for one in placed:
        found.append(one)
        now = ledger.labels.get((one.label, one.prompt_id))
        live = {now.version, now.beside.version if now.beside else None} if now else set[int]()
        if one.rest is not None and one.rest not in live:
            found.append(
                msgspec.structs.replace(one, new=one.rest, blob=one.rest_blob, old=None, rest=None)
            )
    return tuple(found)
