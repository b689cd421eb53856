"""Follows deploy: its files into where labels point. Pure; see `follow` for main."""

from __future__ import annotations

from hub.registry.git import deploy_file
from hub.registry.git.commits import Commit
from hub.registry.indexing.ledger import Aside, Known, Ledger, Moved, Pointed


def follow_deploy(ledger: Ledger, commit: Commit) -> None:
    """Bring the labels up to `commit`; the labels and versions it names must be loaded.

    What matters is which prompt a file names, not where under its label the file lies: a rename
    moves files and no label.
    """
    before = {key for key, _ in _pointers(commit, old=True)}
    after = dict(_pointers(commit, old=False))
    for key in sorted(before - after.keys()):
        if key in ledger.labels:
            _point(ledger, commit, key, None)
    for key, pointer in sorted(after.items(), key=lambda pair: pair[0]):
        known = _version_meant(ledger, key[1], pointer)
        now, beside = ledger.labels.get(key), _beside_meant(ledger, key[1], pointer)
        stays = known and now and (now.version, now.hash) == (known.number, known.hash)
        if known and not (stays and now and now.beside == beside):
            _point(ledger, commit, key, known, beside)


def _pointers(commit: Commit, *, old: bool) -> list[tuple[tuple[str, str], deploy_file.Pointer]]:
    """Label and prompt id of every deploy file the commit touched, before or after it."""
    found: list[tuple[tuple[str, str], deploy_file.Pointer]] = []
    for change in sorted(commit.changes, key=lambda change: change.path):
        label = deploy_file.label_of(change.path)
        data = change.old_data if old else change.data
        pointer = deploy_file.parse(data) if label and data else None
        if label and pointer:
            found.append(((label, pointer.prompt), pointer))
    return found


def _beside_meant(ledger: Ledger, id: str, pointer: deploy_file.Pointer) -> Aside | None:
    one = pointer.beside
    known = _version_meant(ledger, id, one) if one else None
    if one is None or known is None:
        return None
    return Aside(version=known.number, hash=known.hash, share=one.share, first=one.first)


def _version_meant(
    ledger: Ledger, id: str, pointer: deploy_file.Pointer | deploy_file.Beside
) -> Known | None:
    """The version by number; by content if a rewrite upstream has changed the numbers."""
    known = ledger.versions.get((id, pointer.version))
    if known and (not pointer.hash or known.hash == pointer.hash):
        return known
    same = [v for v in ledger.versions.values() if v.prompt_id == id and v.hash == pointer.hash]
    return max(same, key=lambda version: version.number, default=None)


def _point(
    ledger: Ledger, commit: Commit, key: tuple[str, str], to: Known | None,
    beside: Aside | None = None,
) -> None:  # fmt: skip
    label, id = key
    now = ledger.labels.pop(key, None)
    held = ledger.prompts.get(id)
    ledger.moves.append(
        Moved(
            prompt_id=id, name=held.name if held else "", label=label,
            old=now.version if now else None, new=to.number if to else None, commit=commit,
            beside=beside,
        )
    )  # fmt: skip
    ledger.touched_labels.add(key)
    if to is not None:
        ledger.labels[key] = Pointed(
            version=to.number, hash=to.hash, moved_at=commit.at, moved_by=commit.author,
            reason=commit.message, beside=beside,
        )  # fmt: skip


def deploy_pointers(commit: Commit) -> list[deploy_file.Pointer]:
    """Everything a deploy commit names, before and after: what to load before following it."""
    pairs = [*_pointers(commit, old=True), *_pointers(commit, old=False)]
    return [pointer for _, pointer in pairs]
