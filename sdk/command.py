"""For builds: `prompthub pull`, `prompthub check` and `prompthub types`.

They need the SDK alone, not the hub: a build machine installs `prompthub` without extras.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Any

from sdk import bundle, lock
from sdk.environment import address_and_key
from sdk.errors import PromptHubError
from sdk.flow import no_answer, refusal
from sdk.given import address, caller
from sdk.table import BadDocument, Table
from sdk.wire import document, snapshot_question

LOCK = "prompts.lock.json"
COMMANDS = ("pull", "check", "types")
DIFFERS, FAILED = 1, 2


def ours(arguments: Sequence[str]) -> bool:
    """Whether these are for us; `prompthub check 12 lint pass` posts a check on proposal 12.

    >>> ours(["check"]), ours(["check", "my.lock.json"]), ours(["check", "12", "lint", "pass"])
    (True, True, False)
    """
    if not arguments or arguments[0] not in COMMANDS:
        return False
    return arguments[0] != "check" or not any(one.isdecimal() for one in arguments[1:])


def main(arguments: Sequence[str] | None = None) -> int:
    """Do as the command line says; returns the exit status."""
    asked = _parser().parse_args(arguments)
    try:
        return asked.run(asked)
    except (PromptHubError, BadDocument, OSError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return FAILED


def pull(asked: argparse.Namespace) -> int:
    """Write the lock file."""
    table = _fetch(asked, asked.labels)
    _write(asked.output, lock.written(table))
    print(f"{_prompts(table)} locked in {asked.output}.")
    return 0


def check(asked: argparse.Namespace) -> int:
    """Compare the lock file with the hub."""
    locked = bundle.load(asked.file)
    labels = asked.labels or sorted({label for label, _ in locked.pointers})
    lines = lock.drift(locked, _fetch(asked, labels))
    for line in lines:
        print(line)
    if lines:
        print(f"\n{asked.file} is not what the hub has now. Pull it anew: prompthub pull",
              file=sys.stderr)  # fmt: skip
        return DIFFERS
    count = len(locked.pointers)
    print(f"{asked.file} is what the hub has now: {count} prompt{'' if count == 1 else 's'}.")
    return 0


def types(asked: argparse.Namespace) -> int:
    """Write the module of types."""
    from sdk import stubs

    label = (asked.labels or ["production"])[0]
    here = os.path.exists(asked.file) and not asked.url
    table = bundle.load(asked.file) if here else _fetch(asked, [label])
    _write(asked.output, stubs.module(table, label))
    print(f"{_prompts(table)} typed in {asked.output}.")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="prompthub", description="Prompts for builds.", formatter_class=_Help
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    one = _command(commands, "pull", pull, "Write what labels point at to a lock file.")
    one.add_argument("-o", "--output", default=LOCK, help=f"Default: {LOCK}.")
    one = _command(
        commands, "check", check,
        "Compare a lock file with the hub; ends with 1 if they differ, and shows how. (With the "
        "number of a proposal it posts a check there; that takes the whole hub installed.)",
    )  # fmt: skip
    one.add_argument("file", nargs="?", default=LOCK, help=f"Default: {LOCK}.")
    one = _command(commands, "types", types, "Write a module with the types of the prompts.")
    one.add_argument("--file", default=LOCK, help=f"The lock file to read. Default: {LOCK}.")
    one.add_argument("-o", "--output", default="prompts.py", help="Default: prompts.py.")
    return parser


class _Help(argparse.HelpFormatter):
    """As the other commands write it."""

    def add_usage(
        self, usage: str | None, actions: Any, groups: Any, prefix: str | None = None
    ) -> None:
        super().add_usage(usage, actions, groups, "Usage: " if prefix is None else prefix)


def _command(commands: Any, name: str, run: object, says: str) -> argparse.ArgumentParser:
    one: argparse.ArgumentParser = commands.add_parser(
        name, help=says, description=says, formatter_class=_Help
    )
    one.set_defaults(run=run)
    one.add_argument("--label", dest="labels", action="append", metavar="LABEL",
                     help="May be repeated. Default: production, or as in the file.")  # fmt: skip
    one.add_argument("--name", dest="names", action="append", metavar="NAME",
                     help="A prompt, or a folder as support/*. Default: all.")  # fmt: skip
    one.add_argument("--url", default="", help="Where the hub is. Default: PROMPTHUB_URL.")
    one.add_argument("--key", default="", help="A key that may read. Default: PROMPTHUB_KEY.")
    return one


def _fetch(asked: argparse.Namespace, labels: list[str] | None) -> Table:
    from sdk.transport import Transport

    url, key = address_and_key()
    if not (url := asked.url or url):
        raise PromptHubError("Say where the hub is: --url, or set PROMPTHUB_URL.")
    url, key = address(url), (asked.key or key).strip()
    who = caller(url, labels or ["production"], asked.names, "prompthub command", "")
    transport = Transport(url)
    try:
        reply = transport.get(snapshot_question(who, key, ""), 512 * 1024 * 1024, 60)
    except Exception as error:
        raise PromptHubError(f"{url}: {no_answer(error)}.") from None
    finally:
        transport.close()
    if reply.status != 200:
        raise PromptHubError(f"{url}: {refusal(reply)}")
    return document(reply.body)


def _prompts(table: Table) -> str:
    count = len(table.pointers)
    return "1 prompt is" if count == 1 else f"{count} prompts are"


def _write(path: str, text: str) -> None:
    """Whole, or not at all."""
    passing = f"{path}.{os.getpid()}.part"
    with open(passing, "w", encoding="utf-8", newline="\n") as file:
        file.write(text)
    os.replace(passing, path)


if __name__ == "__main__":
    sys.exit(main())
