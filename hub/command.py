"""Where the command `prompthub` begins: what builds need runs without the hub's packages."""

from __future__ import annotations

import sys

from hub.loading import loading
from sdk import command


def main() -> None:
    arguments = sys.argv[1:]
    if command.ours(arguments):
        sys.exit(command.main(arguments))
    try:
        with loading():
            from hub.cli import main as all_commands
    except ModuleNotFoundError as error:
        sys.exit(
            f"This command needs the whole hub ({error.name} is not installed): "
            "pip install 'prompthub[server]'. Without it there are: "
            f"{', '.join(command.COMMANDS)}."
        )
    all_commands()
