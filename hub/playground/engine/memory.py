"""Bytes: what this process holds, and what the machine has left."""

from __future__ import annotations

import os
from pathlib import Path


def resident() -> int:
    """Memory that this process holds; 0 where the system does not say."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def available() -> int:
    """Memory that could still be taken; a careful guess where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return 4 << 30
    told = (line.split()[1] for line in lines if line.startswith("MemAvailable:"))
    return int(next(told, 4 << 20)) * 1024
