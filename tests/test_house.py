"""The rules of the house, as tests: who imports whom, sizes, what templates may hold."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from jinja2 import meta

from hub import web

ROOT = Path(__file__).resolve().parent.parent
CODE = sorted([*ROOT.glob("hub/**/*.py"), *ROOT.glob("sdk/**/*.py")])
TEMPLATES = sorted(ROOT.glob("templates/**/*.html"))

LONG_FILES: dict[str, str] = {}
"""File → why it may be longer than 300 lines."""

LONG_FUNCTIONS: dict[str, str] = {}
"""`file::function` → why it may be longer than 40 lines."""


def shown(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def training(path: Path) -> bool:
    """The script that trains the built-in model is a tool beside the product."""
    return "engine/train/" in path.as_posix()


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines from `def` to the end, without the docstring."""
    lines = (function.end_lineno or 0) - function.lineno + 1
    first = function.body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
        lines -= (first.end_lineno or 0) - first.lineno + 1
    return lines


def test_imports_follow_the_map():
    """The contracts stand in pyproject.toml; in a process of its own, it keeps global state."""
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()",
               "--no-cache", "--no-logo"]  # fmt: skip
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]


def test_files_are_short():
    long = {
        shown(path): lines
        for path in [*CODE, *ROOT.glob("tests/**/*.py")]
        if not training(path) and (lines := len(path.read_text().splitlines())) > 300
    }
    assert set(long) == set(LONG_FILES), long


def test_functions_are_short():
    long = {
        f"{shown(path)}::{function.name}": length(function)
        for path in CODE
        if not training(path)
        for function in functions(ast.parse(path.read_text()))
        if length(function) > 40
    }
    assert set(long) == set(LONG_FUNCTIONS), long


def test_only_settings_reads_the_environment():
    """Of the hub; the SDK has two names of its own, read in one place."""
    readers = {
        shown(path) for path in CODE if re.search(r"\bos\.(environ|getenv)\b", path.read_text())
    }
    allowed = {"hub/settings.py", "hub/cli.py"}
    assert {one for one in readers if one.startswith("hub/")} <= allowed
    assert len({one for one in readers if one.startswith("sdk/")}) <= 1


def test_no_file_has_an_empty_name():
    """If it has no noun, it has no file."""
    empty = {"utils", "util", "helpers", "helper", "common_utils", "misc", "manager", "managers"}
    assert not {shown(path) for path in CODE if path.stem in empty}
    named = re.compile(r"^class \w*(Manager|Helper|Impl|Util)s?\b", re.M)
    assert not {shown(path) for path in CODE if named.search(path.read_text())}


BANNED = {
    "a script in the page": r"<script(?![^>]*\bsrc=)[^>]*>",
    "a style in the page": r"<style\b",
    "a style attribute": r"\sstyle\s*=",
    "a handler attribute": r"\son(click|change|submit|load|input|keydown|focus|blur|error)\s*=",
    "hx-on, which is a script": r"\shx-on",
    "a js: value, which is a script": r"[\"']js:",
    "|safe, which lets markup through": r"\|\s*safe\b",
    "autoescape off": r"autoescape\s+false",
    "another host": r"(?:src|href|action)\s*=\s*[\"'](?:https?:)?//",
}


@pytest.mark.parametrize("what", BANNED)
def test_templates_hold_no(what: str):
    comment = re.compile(r"{#.*?#}", re.S)
    found = {
        shown(path)
        for path in TEMPLATES
        if re.search(BANNED[what], comment.sub("", path.read_text()), re.I)
    }
    assert not found


def test_what_pages_are_made_of_reads_nothing_of_a_page():
    """`ui…` is imported once per page, wherever its first piece does so: see `hub.web`."""
    environment = web.engine().engine
    for path in TEMPLATES:
        name = path.relative_to(ROOT / "templates").as_posix()
        if name.startswith(("ui.", "ui/")):
            read = meta.find_undeclared_variables(environment.parse(path.read_text()))
            assert read <= set(environment.globals), name


def test_every_template_is_used():
    """By a page, another template or the floor."""
    spoken = "".join(path.read_text() for path in [*CODE, *TEMPLATES])
    names = {path.relative_to(ROOT / "templates").as_posix() for path in TEMPLATES}
    assert not {name for name in names if f'"{name}"' not in spoken and f"'{name}'" not in spoken}


def test_every_form_that_writes_carries_the_token():
    for path in TEMPLATES:
        for form in re.findall(r"<form\b[^>]*>.*?</form>", path.read_text(), re.S | re.I):
            if re.search(r'method="post"', form.split(">", 1)[0], re.I):
                assert re.search(r"\bcsrf\(\)", form), f"{shown(path)}: {form[:120]}"
