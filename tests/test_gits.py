"""Gits that were started ahead and are not needed after all."""

from __future__ import annotations

import time
from pathlib import Path

from hub.registry.repository import Repository


def test_gits_that_were_not_needed_leave_nothing_behind(tmp_path: Path):
    repository = Repository.create(tmp_path / "clinic.git")
    before = everything(repository)
    repository.make_ready()
    deadline = time.monotonic() + 60
    while everything(repository) == before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert everything(repository) != before  # an empty pack: it is there, and waits
    repository.dismiss()
    assert everything(repository) == before


def everything(repository: Repository) -> set[Path]:
    return set(repository.path.rglob("*"))
