"""Which models there are: the built-in one and every fitting folder. Needs no torch."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BUILTIN_NAME = "prompthub/tiny"
BUILTIN = Path(__file__).parent / "builtin"
PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl", "*.pickle")


@dataclass(frozen=True)
class Found:
    """One folder that was offered as a model; `problem` says why it cannot be run."""

    name: str
    folder: Path
    problem: str = ""
    bytes: int = 0
    context: int = 0


def find(places: Iterable[Path]) -> dict[str, Found]:
    """The built-in model first. A place is a model, or holds models one or two folders down."""
    found = [_look(BUILTIN_NAME, BUILTIN)]
    for place in places:
        found += _in_place(place)
    named: dict[str, Found] = {}
    for one in found:
        name, number = one.name, 2
        while name in named:
            name, number = f"{one.name} ({number})", number + 1
        named[name] = Found(name, one.folder, one.problem, one.bytes, one.context)
    return named


def _in_place(place: Path) -> Iterator[Found]:
    if not place.is_dir():
        yield Found(
            place.name,
            place,
            f"There is no folder {place}. Check the model folders in the settings.",
        )
        return
    if (place / "config.json").is_file() or _weights(place) or _pickles(place):
        yield _look(place.name, place)
        return
    inside = sorted(p for p in place.iterdir() if p.is_dir() and not p.name.startswith("."))
    if not inside:
        yield Found(place.name, place, f"{place} holds no model: no config.json and no folders.")
    for folder in inside:
        yield from _one_or_below(folder)


def _one_or_below(folder: Path) -> Iterator[Found]:
    if (folder / "config.json").is_file():
        yield _look(folder.name, folder)
        return
    if folder.name.startswith("models--"):
        # The Hugging Face cache keeps models--owner--name/snapshots/<commit>/.
        snapshots = sorted((folder / "snapshots").glob("*/config.json"))
        name = "/".join(folder.name.split("--")[1:])
        if snapshots:
            yield _look(name, snapshots[-1].parent)
            return
    below = sorted(p for p in folder.iterdir() if (p / "config.json").is_file())
    for one in below:
        yield _look(f"{folder.name}/{one.name}", one)
    if not below:
        yield _look(folder.name, folder)


def _weights(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.safetensors"))


def _pickles(folder: Path) -> list[str]:
    return [path.name for pattern in PICKLES for path in folder.glob(pattern)]


def _look(name: str, folder: Path) -> Found:
    config, problem = _config(folder)
    weights = _weights(folder)
    if not problem:
        problem = _problem(folder, config, weights)
    size = sum(path.stat().st_size for path in weights)
    text = config.get("text_config", config)
    context = text.get("max_position_embeddings") if isinstance(text, dict) else None
    return Found(name, folder, problem, size, context if isinstance(context, int) else 0)


def _config(folder: Path) -> tuple[dict[str, Any], str]:
    path = folder / "config.json"
    if not path.is_file():
        kept = _pickles(folder)
        if kept:
            return {}, _pickled(folder, kept[0])
        return {}, f"{folder.name} is not a model folder: it has no config.json."
    try:
        config = json.loads(path.read_text())
    except (ValueError, OSError) as error:
        return {}, f"The config.json of {folder.name} cannot be read: {error}"
    if not isinstance(config, dict) or "model_type" not in config:
        return (
            {},
            f"The config.json of {folder.name} names no model_type, so it is no model.",
        )
    return config, ""


def _pickled(folder: Path, file: str) -> str:
    return (
        f"{folder.name} keeps its weights in {file}, a format that can run code when it is opened. "
        "Convert them to safetensors first."
    )


def _problem(folder: Path, config: dict[str, Any], weights: list[Path]) -> str:
    if not weights:
        kept = _pickles(folder)
        return (
            _pickled(folder, kept[0]) if kept else f"{folder.name} has no weights (*.safetensors)."
        )
    if "auto_map" in config:
        return (
            f"{folder.name} needs program code of its own, which is never run here. Use a model "
            "that transformers knows by itself."
        )
    if not any(
        (folder / name).is_file() for name in ("tokenizer.json", "tokenizer.model", "vocab.json")
    ):
        return f"{folder.name} has no tokenizer (tokenizer.json)."
    return ""
