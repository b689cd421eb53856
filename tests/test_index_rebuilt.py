"""The index built anew from git alone is the index that grew."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.errors import NotFound
from hub.registry import versions
from hub.registry.labels import labels
from tests.cast import on_both_engines
from tests.shelf import Clone, Shelf, saying
from tests.test_index import clone, prompt, shelf

__all__ = ["clone", "shelf"]


@on_both_engines
async def test_a_rich_history_rebuilds_to_the_same_bytes(shelf: Shelf, tmp_path: Path):
    await rich_history(shelf, tmp_path)
    dump = await shelf.assert_rebuilds()
    for table in ("prompts", "old_names", "contents", "versions", "prompt_events", "labels"):
        assert f"{table}: " in dump
    assert dump.count("label_moves: ") == 8


async def rich_history(shelf: Shelf, tmp_path: Path) -> None:
    """Everything that can happen to prompts, by clicks and by pushes in turn."""
    publisher, workspace, ana, ben = shelf.publisher, shelf.workspace, shelf.ana, shelf.ben
    one = await shelf.save("support/triage", "One\t \r\n  spaces  ", message="Why: because\n\n# x")
    two = await shelf.save("support/triage", "Two", base=one.hash)
    await shelf.save("support/triage", "Zażółć 🙂 {{ name }}", base=two.hash)
    await shelf.save("snippets/tone", "Kind.")
    for label, number in (("production", 1), ("staging", 3), ("production", 2)):
        await labels.move(
            publisher, workspace, label, "support/triage", number, actor=ben, reason="Tested"
        )
    clone = Clone(shelf, tmp_path / "rich")
    clone.write("pushed/one.prompt.yml", prompt("no id"))
    clone.write("pushed/two.prompt.yml", prompt("an id", "mine"))
    clone.push("Push two")
    await versions.rename(publisher, workspace, "support/triage", "care/triage", actor=ana)
    await versions.rename(publisher, workspace, "pushed/one", "pushed/uno", actor=ana)
    clone.pull()
    clone.write("care/triage.prompt.yml", "broken: [")
    clone.git("rm", "-q", "pushed/two.prompt.yml")
    clone.push("Break one, delete another")
    await clone.arrives()
    await versions.restore(publisher, workspace, "care/triage", 1, actor=ana)
    await versions.restore(publisher, workspace, "pushed/two", 1, actor=ana)
    await versions.delete(publisher, workspace, "care/triage", actor=shelf.ben, message="Gone")
    await shelf.save("care/triage", "A new one under the old name")
    await versions.save_many(
        publisher, workspace,
        [(f"many/p{n}", saying(f"Text {n}", title=f"T {n}", tags=(f"t{n}",))) for n in range(5)],
        actor=ana, message="Import",
    )  # fmt: skip
    await labels.move(publisher, workspace, "production", "many/p1", 1, actor=ben, reason="")
    await labels.move(publisher, workspace, "production", "many/p1", None, actor=ben, reason="")
    await labels.move(publisher, workspace, "staging", "many/p2", 1, actor=ben, reason="")
    with pytest.raises(NotFound):
        await versions.delete(publisher, workspace, "nothing", actor=ana)
