"""The key that signs and seals is there whole before anything is signed with it."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from hub.app import create_app
from hub.settings import Secret
from tests.cast import settings_for


@pytest.mark.parametrize("left", [None, "", "\n"])
def test_what_a_kill_or_a_full_disk_left_of_the_file_is_no_key(tmp_path: Path, left: str | None):
    path = tmp_path / "secret.key"
    if left is not None:
        path.write_text(left)
        path.chmod(0o600)
    create_app(settings_for(tmp_path, secret_key=Secret("")))
    kept = path.read_text().strip()
    assert re.fullmatch("[0-9a-f]{64}", kept)
    assert path.stat().st_mode & 0o777 == 0o600
    create_app(settings_for(tmp_path, secret_key=Secret("")))
    assert path.read_text().strip() == kept


def test_starts_at_the_same_moment_agree_on_it(tmp_path: Path):
    together = Barrier(8)

    def start(_: int) -> str:
        together.wait()
        return str.__str__(settings_for(tmp_path / "new", secret_key=Secret("")).secret())

    with ThreadPoolExecutor(8) as starts:
        keys = set(starts.map(start, range(8)))
    assert len(keys) == 1
    assert re.fullmatch("[0-9a-f]{64}", keys.pop())
