"""The look holds its own rules: nothing inline, nothing from elsewhere, contrast, small files."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from hub.web import engine

ROOT = Path(__file__).resolve().parent.parent
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
STYLES = sorted((ROOT / "static" / "css").glob("*.css"))
SCRIPTS = sorted((ROOT / "frontend" / "src").rglob("*.js"))

FORBIDDEN = {
    "unescaped text": r"\|\s*safe\b|Markup\(|autoescape\s+false",
    "a style attribute": r"\sstyle\s*=",
    "a style element": r"<style\b",
    "a script written into the page": r"<script(?![^>]*\bsrc=)",
    "an event attribute": r"\son[a-z]+\s*=\s*[\"']",
    "script in an attribute of htmx": r"\bhx-on\b|\bjs:|javascript:",
    "something from elsewhere": r"(?:src|href)=\"(?:https?:)?//",
}


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_page_holds_nothing_inline_and_nothing_from_elsewhere(template: Path) -> None:
    text = re.sub(r"\{#.*?#\}", "", template.read_text(), flags=re.DOTALL)
    for what, pattern in FORBIDDEN.items():
        found = re.search(pattern, text)
        assert found is None, f"{what}: {found.group() if found else ''}"
    engine().engine.get_template(template.relative_to(ROOT / "templates").as_posix())


def test_the_built_files_are_there_and_lean_on_nothing_elsewhere() -> None:
    dist = ROOT / "static" / "dist"
    built: dict[str, str] = json.loads((dist / "manifest.json").read_text())
    assert {"app.css", "app.js"} <= set(built)
    style = (dist / built["app.css"]).read_text()
    for address in re.findall(r"url\(\"?([^)\"]+)", style):
        assert (ROOT / address.lstrip("/")).is_file(), address
    for script in dist.glob("*.js"):
        for address in re.findall(r"(?:from|import)\s*\(?\"(\./[^\"]+)\"", script.read_text()):
            assert (dist / address).is_file(), address


def test_the_sources_stay_small() -> None:
    for path in [*STYLES, *SCRIPTS, *TEMPLATES]:
        if path.name != "fonts.css":
            assert len(path.read_text().splitlines()) <= 300, path


def test_only_the_tokens_name_colours_and_sizes() -> None:
    for path in STYLES:
        if path.name in {"tokens.css", "fonts.css"}:
            continue
        for size in re.findall(r"font-size:\s*([^;]+);", path.read_text()):
            assert re.match(r"var\(--t-[1-5]\)|[\d.]+em$|100%", size), f"{path.name}: {size}"


# ── contrast ────────────────────────────────────────────────────────────────────────────────────

TEXT_ON = [
    ("ink", "paper"), ("ink", "raised"), ("ink", "sunken"), ("ink", "hover"),
    ("muted", "paper"), ("muted", "raised"), ("muted", "sunken"),
    ("faint", "paper"), ("faint", "raised"), ("faint", "sunken"),
    ("accent-ink", "paper"), ("accent-ink", "raised"), ("accent-ink", "accent-soft"),
    ("live-ink", "live-soft"), ("staging-ink", "staging-soft"), ("stop-ink", "stop-soft"),
    ("stop-ink", "paper"), ("stop-ink", "raised"),
    ("added-ink", "added"), ("struck-ink", "struck"), ("ink", "added"), ("ink", "struck"),
]  # fmt: skip
EDGE_ON = [("control", "raised"), ("control", "paper"), ("accent", "paper"), ("accent", "raised")]


def tokens() -> dict[str, tuple[str, str]]:
    text = (ROOT / "static" / "css" / "tokens.css").read_text()
    found = re.findall(r"--([\w-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)", text)
    return {name: (light, dark) for name, light, dark in found}


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("look", [0, 1], ids=["light", "dark"])
def test_everyone_can_read_it(look: int) -> None:
    colours = tokens()
    for pairs, least in ((TEXT_ON, 4.5), (EDGE_ON, 3.0)):
        for front, back in pairs:
            found = contrast(colours[front][look], colours[back][look])
            assert found >= least, f"{front} on {back}: {found:.2f}"
