"""The command `prompthub` as an operator types it: once, or as a hub that goes on running."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.forked import ROOT, mother, surroundings
from tests.serving import free_port, wait_until_ready

COMMAND = [sys.executable, "-c", "from hub.cli import main; main()"]
PATIENT = [
    sys.executable,
    "-c",
    "from tests.patience import be_patient; be_patient(); from hub.cli import main; main()",
]
"""Its local engine comes to its answer also beside tests that take every core."""


def prompthub(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own and wait for it."""
    with tempfile.TemporaryDirectory(prefix="said-") as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        command = mother().run(
            "prompthub", *words, environment=surroundings(**environment), seconds=200,
            out=str(out), err=str(err),
        )  # fmt: skip
        code = command.wait()
        return subprocess.CompletedProcess(list(words), code, out.read_text(), err.read_text())


@dataclass
class Hub:
    """A hub that `prompthub serve` started."""

    url: str
    data: Path
    said: str
    """What it printed when it started."""

    @property
    def link(self) -> str:
        """The one-time sign-in link among it."""
        found = re.search(r"http\S+/sign-in/\S+", self.said)
        assert found, self.said
        return found[0]

    def key(self, scope: str) -> str:
        made = prompthub(
            "key", "create", "--data", str(self.data), "--workspace", "demo", "--scope", scope
        )
        assert made.returncode == 0, made.stderr
        return made.stdout.strip()


@contextmanager
def serving(data: Path, *words: str, **environment: str) -> Iterator[Hub]:
    """`prompthub serve`, stopped at the end as an operator would, with SIGTERM."""
    port = free_port()
    printed = data.with_name(data.name + "-said.txt")
    command = [*PATIENT, "serve", "--data", str(data), "--port", str(port), *words]
    with printed.open("w") as file:
        env = surroundings(**environment)
        process = subprocess.Popen(
            command, env=env, cwd=ROOT, stdout=file, stderr=subprocess.STDOUT
        )
    try:
        wait_until_ready(f"http://127.0.0.1:{port}", process)
        yield Hub(f"http://127.0.0.1:{port}", data, printed.read_text())
    finally:
        process.terminate()
        process.wait(60)
