"""The request as the playground makes it, in the words of OpenAI's chat completions, taken apart.

Every dialect is written from here, so what a prompt may hold (texts, images, tools, calls of tools
in its history, the shape of the answer) is read in one place.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from hub.playground.wire.reading import Json, text, tree, trees

_DATA = re.compile(r"data:(image/[a-z0-9.+-]+);base64,([A-Za-z0-9+/=\s]+)", re.I)
ALWAYS = frozenset({"model", "messages", "stream", "stream_options"})


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """A request in an endpoint's own dialect."""

    path: str
    body: Json
    ignored: list[str]
    """Settings that this dialect has no word for."""


class Image(msgspec.Struct, frozen=True):
    """A picture in a message: its bytes in base64, or else only its address."""

    kind: str
    data: str
    url: str


Part = str | Image


class Tool(msgspec.Struct, frozen=True):
    """A function the model may ask for."""

    name: str
    description: str
    parameters: Json
    strict: bool | None


class ToolCall(msgspec.Struct, frozen=True):
    """A call of a tool in the history."""

    id: str
    name: str
    arguments: str

    @property
    def given(self) -> Json:
        """The arguments as an object, for dialects that want one."""
        try:
            return tree(json.loads(self.arguments or "{}"))
        except ValueError:
            return {}


def parts(content: Any) -> list[Part]:
    """What a message holds, in order."""
    if isinstance(content, str):
        return [content] if content else []
    found: list[Part] = []
    for one in trees(content):
        if "text" in one:
            found.append(text(one["text"]))
        elif "image_url" in one:
            url = one["image_url"]
            found.append(_image(text(url if isinstance(url, str) else tree(url).get("url"))))
    return [one for one in found if one]


def words(content: Any) -> str:
    """The text of a message alone."""
    return "\n".join(one for one in parts(content) if isinstance(one, str))


def images(content: Any) -> list[Image]:
    return [one for one in parts(content) if isinstance(one, Image)]


def messages(asked: Mapping[str, Any]) -> list[Json]:
    return trees(asked.get("messages"))


def system(asked: Mapping[str, Any]) -> tuple[str, list[Json]]:
    """The system text, for dialects that keep it apart, and the rest of the turns.

    A system message in the middle stays where it is, as a user's: its place means something.
    """
    told: list[str] = []
    rest: list[Json] = []
    for one in messages(asked):
        if one.get("role") not in ("system", "developer"):
            rest.append(one)
        elif rest:
            rest.append({**one, "role": "user"})
        else:
            told.append(words(one.get("content")))
    return "\n\n".join(filter(None, told)), rest


def tools(asked: Mapping[str, Any]) -> list[Tool]:
    found: list[Tool] = []
    for one in trees(asked.get("tools")):
        function = tree(one.get("function")) or one
        if name := text(function.get("name")):
            given = tree(function.get("parameters")) or {"type": "object", "properties": {}}
            strict = function.get("strict")
            found.append(
                Tool(
                    name, text(function.get("description")), given,
                    strict if isinstance(strict, bool) else None,
                )
            )  # fmt: skip
    return found


def tool_choice(asked: Mapping[str, Any]) -> str:
    """`auto`, `none`, `required`, or `=name` for one tool; empty: nothing was said."""
    chosen = asked.get("tool_choice")
    if isinstance(chosen, str):
        return chosen
    name = text(tree(tree(chosen).get("function")).get("name")) or text(tree(chosen).get("name"))
    return f"={name}" if name else ""


def tool_calls(message: Json) -> list[ToolCall]:
    """The calls an assistant's message of the history holds."""
    found: list[ToolCall] = []
    for at, one in enumerate(trees(message.get("tool_calls"))):
        function = tree(one.get("function"))
        arguments = function.get("arguments")
        if not isinstance(arguments, str):
            arguments = json.dumps(tree(arguments), ensure_ascii=False)
        name = text(function.get("name"))
        found.append(ToolCall(text(one.get("id")) or f"call_{at}", name, arguments))
    return found


def schema(asked: Mapping[str, Any]) -> tuple[str, Json | None]:
    """The shape of the answer: (`json_schema`, it), (`json_object`, None) or ("", None)."""
    shape = tree(asked.get("response_format"))
    kind = text(shape.get("type"))
    if kind == "json_schema":
        return kind, tree(tree(shape.get("json_schema")).get("schema"))
    return (kind, None) if kind == "json_object" else ("", None)


def stops(asked: Mapping[str, Any]) -> list[str]:
    stop = asked.get("stop")
    found: list[Any] = stop if isinstance(stop, list) else [stop]
    return [one for one in found if isinstance(one, str) and one]


def longest(asked: Mapping[str, Any]) -> Any:
    """The longest answer that is wanted, under either of its names."""
    return asked.get("max_completion_tokens") or asked.get("max_tokens")


def renamed(asked: Mapping[str, Any], names: Mapping[str, str]) -> Json:
    """The settings that have another name there."""
    return {new: asked[old] for old, new in names.items() if asked.get(old) is not None}


def ignored(asked: Mapping[str, Any], known: Iterable[str]) -> list[str]:
    """What was asked for and this dialect cannot say."""
    spoken = ALWAYS | set(known)
    return [key for key, value in asked.items() if key not in spoken and value is not None]


def _image(url: str) -> Image:
    found = _DATA.fullmatch(url)
    if found is None:
        return Image("", "", url)
    return Image(found[1].lower(), re.sub(r"\s", "", found[2]), url)


def given_text(value: Any) -> str:
    """A tool's arguments as JSON text, however the endpoint sent them."""
    if isinstance(value, str):
        return text(value) or "{}"
    return text(json.dumps(tree(value), ensure_ascii=False))
