"""What the environment says; the one file of the SDK that looks there."""

from __future__ import annotations

import os
from typing import Any

_NAMES = {
    "snapshot": "PROMPTHUB_SNAPSHOT",
    "bundled": "PROMPTHUB_BUNDLED",
    "app": "PROMPTHUB_APP",
    "environment": "PROMPTHUB_ENVIRONMENT",
}


def address_and_key() -> tuple[str, str]:
    return os.environ.get("PROMPTHUB_URL", ""), os.environ.get("PROMPTHUB_KEY", "")


def options() -> dict[str, Any]:
    """For `Hub`, under its own names; a snapshot that is `off` is none."""
    found = {name: os.environ.get(variable) for name, variable in _NAMES.items()}
    return {name: None if value == "off" else value for name, value in found.items() if value}
