"""The documents speak of what is there."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from hub.app import create_app
from hub.cli import prompthub
from hub.settings import PREFIX, Settings

ROOT = Path(__file__).resolve().parent.parent
DOCS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
ROOMS = ("", "hub", "hub/people", "hub/registry", "hub/playground", "hub/sync", "docs", "tests")


@pytest.mark.parametrize("document", DOCS, ids=lambda path: path.name)
def test_files_and_headings_that_are_named_exist(document: Path):
    text = document.read_text()
    for name in re.findall(r"`([\w/.-]+/?[\w-]+\.(?:py|md|toml|html|css))`", text):
        assert any((ROOT / room / name).exists() for room in ROOMS), name
    for link, heading in re.findall(r"\]\((?!https?:)([^)#\s]*)(?:#([\w-]+))?\)", text):
        target = (document.parent / link) if link else document
        assert target.exists(), link
        assert not heading or heading in set(headings(target)), f"{link}#{heading}"


def headings(document: Path) -> Iterator[str]:
    """As the addresses of a page's parts are made from them."""
    for line in re.findall(r"^#+ (.+)$", document.read_text(), re.M):
        plain = re.sub(r"[^\w\s-]", "", html.unescape(line).lower())
        yield re.sub(r"\s", "-", plain.strip())


def test_the_map_names_every_part_of_every_room():
    """What a newcomer looks for first is found on it; smaller files stand beside their like."""
    text = (ROOT / "docs" / "ARCHITECTURE.md").read_text()
    chart = text.split("```text")[1].split("```")[0]
    folders = [path for room in ROOMS[2:6] for path in sorted((ROOT / room).iterdir())]
    missing = [
        path.name
        for path in folders
        if path.is_dir() and path.name != "__pycache__" and f"{path.name}/" not in chart
    ]
    assert not missing
    assert not [
        path.name for path in ROOT.glob("hub/*.py")
        if path.stem != "__init__" and not re.search(rf"\b{path.name}\b", chart)
    ]  # fmt: skip


def test_every_setting_is_documented():
    text = (ROOT / "docs" / "operating.md").read_text()
    names = {PREFIX + name.upper() for name in Settings.__struct_fields__}
    assert not {name for name in names if f"`{name}`" not in text}
    assert set(re.findall(r"^\| `(PROMPTHUB_\w+)`", text, re.M)) <= names


def test_every_command_is_documented_and_no_other():
    text = "".join(path.read_text() for path in DOCS)
    assert isinstance(prompthub, click.Group)
    assert not {name for name in prompthub.commands if f"prompthub {name}" not in text}
    told = set(re.findall(r"`prompthub ([a-z]+)", text)) | set(
        re.findall(r"^(?:\$ )?prompthub ([a-z]+)", text, re.M)
    )
    assert told <= set(prompthub.commands), told - set(prompthub.commands)


def test_every_route_that_is_documented_is_there(settings: Settings):
    app = create_app(settings).litestar
    known = {
        re.sub(r"{\w+:\w+}", "…", route.path)
        for route in app.routes
        if route.path.startswith("/api/v1/")
    }
    shape = re.compile(r"`(?:GET|POST|PUT|DELETE) (/api/v1/[\w/.{}<>]*)")
    for document in ("review.md", "ARCHITECTURE.md"):
        text = (ROOT / "docs" / document).read_text()
        for path in shape.findall(text):
            plain = re.sub(r"{\w+}|<\w+>", "…", path.replace("/N", "/…"))
            assert plain in known, path
