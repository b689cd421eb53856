"""What the suite need not do: write to a disk, load what holds no tests, look at what stays."""

from __future__ import annotations

import gc
import os
import shutil
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest
from _pytest.doctest import DoctestModule

MEMORY = Path("/dev/shm")
ROOM = 4 * 1024**3
"""Bytes; several times what the suite ever holds there at once."""
THRESHOLDS = (5_000, 20, 20)


def pytest_configure(config: pytest.Config) -> None:
    """Temporary folders in memory, where there is room: every save waits for the disk several
    times, and no test takes the power away. `TMPDIR` says otherwise.

    A folder for each run, gone at its end; `PYTEST_DEBUG_TEMPROOT` or `--basetemp` keep. In one for
    all, a run whose folder is gone takes the lock off the next one's, which has its number.
    """
    if os.environ.get("PYTEST_DEBUG_TEMPROOT") or hasattr(config, "workerinput"):
        return
    room = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM
    place = MEMORY if room and not os.environ.get("TMPDIR") else None
    os.environ["TMPDIR"] = tempfile.tempdir = folder = tempfile.mkdtemp(prefix="hub-", dir=place)
    config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(
    file_path: Path,
) -> Generator[None, list[pytest.Collector], list[pytest.Collector]]:
    """To look for examples in a file, pytest loads it; most have none."""
    found = yield
    if ">>>" in file_path.read_text(errors="replace"):
        return found
    return [one for one in found if not isinstance(one, DoctestModule)]


def pytest_collection_finish() -> None:
    """What is loaded now stays: the garbage collector need not walk it again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
