"""What a program asks for, in OpenAI's two languages, as one value. Pure.

`prompt` names a prompt of the hub; the program's own turns come behind those of the prompt, and
its settings go before the prompt's. What cannot be meant here is refused, not left out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

import msgspec

from hub.errors import Invalid
from hub.playground.wire.reading import tree, trees
from sdk.request import SAMPLING

Json = dict[str, Any]
_ROLES = ("system", "developer", "user", "assistant", "tool")
_QUIET = frozenset(
    "user metadata store service_tier safety_identifier prompt_cache_key prompt_cache_retention "
    "include truncation stream_options".split()
)
"""Words about how the other side keeps things; nothing is kept here."""
_OF_CHAT = frozenset({"model", "prompt", "messages", "stream", "tools", "response_format"})
_OF_RESPONSES = frozenset(
    "model prompt input instructions stream tools tool_choice text reasoning max_output_tokens "
    "temperature top_p parallel_tool_calls".split()
)
_PICTURES = ("input_image", "image_url")
_ONE = "Only one answer is given to a call; leave `n` out."
_KEPT = "Nothing of an earlier answer is kept here; send the turns themselves as `input`."


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A call."""

    name: str
    """The prompt's name, or its id."""
    version: int | None = None
    label: str | None = None
    variables: Json = {}
    pictures: frozenset[str] = frozenset()
    """The variables that were given as OpenAI's clients give pictures."""
    model: str = ""
    """Empty: the prompt's own."""
    before: list[Json] = []
    """Turns before those of the prompt: instructions."""
    turns: list[Json] = []
    """Turns behind them, in the words of chat completions."""
    settings: Json = {}
    """Set by the program, in the words of chat completions; they go before the prompt's."""
    stream: bool = False
    usage: bool = False
    """A stream shall end with the count of tokens."""


def chat(body: Json) -> Asked:
    """`POST /v1/chat/completions`.

    Raises:
        Invalid: the sentence says which key, and why.
    """
    _known(body, _OF_CHAT | SAMPLING)
    if body.get("n") not in (None, 1):
        raise Invalid(_ONE)
    if body.get("logprobs"):
        raise Invalid("Probabilities of tokens are not handed on; leave `logprobs` out.")
    settings = {key: body[key] for key in SAMPLING - {"n", "logprobs"} if body.get(key) is not None}
    for key in ("tools", "response_format"):
        if body.get(key) is not None:
            settings[key] = body[key]
    return Asked(
        **_prompt(body), settings=settings, turns=_turns(body.get("messages")),
        usage=tree(body.get("stream_options")).get("include_usage") is True, **_common(body),
    )  # fmt: skip


def responses(body: Json) -> Asked:
    """`POST /v1/responses`; raises as `chat`."""
    for key in ("previous_response_id", "conversation"):
        if body.get(key):
            raise Invalid(_KEPT)
    if body.get("background"):
        raise Invalid("Answers are not kept here, so nothing runs in the background.")
    _known(body, _OF_RESPONSES | {"previous_response_id", "conversation", "background"})
    settings: Json = {
        key: body[key]
        for key in ("temperature", "top_p", "parallel_tool_calls")
        if body.get(key) is not None
    }
    if (most := body.get("max_output_tokens")) is not None:
        settings["max_completion_tokens"] = most
    if effort := tree(body.get("reasoning")).get("effort"):
        settings["reasoning_effort"] = effort
    settings |= _shape(tree(body.get("text"))) | _tools(body)
    said = body.get("instructions")
    if said is not None and not isinstance(said, str):
        raise Invalid("`instructions` must be text.")
    before = [{"role": "system", "content": said}] if said else []
    return Asked(
        **_prompt(body), settings=settings, before=before, turns=_items(body.get("input")),
        usage=True, **_common(body),
    )  # fmt: skip


def _known(body: Json, known: frozenset[str]) -> None:
    for key in body:
        if key not in known and key not in _QUIET and body[key] is not None:
            raise Invalid(f"`{key[:60]}` is not known here; leave it out.")


def _common(body: Json) -> Json:
    model, stream = body.get("model"), body.get("stream")
    if model is not None and not isinstance(model, str):
        raise Invalid("`model` must be text.")
    if stream not in (None, True, False):
        raise Invalid("`stream` must be true or false.")
    return {"model": model or "", "stream": stream is True}


def _prompt(body: Json) -> Json:
    """Which prompt, and with what."""
    said = body.get("prompt")
    if isinstance(said, str):
        said = {"id": said}
    if not isinstance(said, dict) or not isinstance(cast("Json", said).get("id"), str):
        raise Invalid(
            'Name a prompt of the hub: "prompt": {"id": "support/triage", "variables": {…}}.'
        )
    given = cast("Json", said)
    if others := sorted(set(given) - {"id", "version", "variables"}):
        raise Invalid(f"`prompt.{others[0][:60]}` is not known here; leave it out.")
    variables = given.get("variables")
    variables = {} if variables is None else variables
    if not isinstance(variables, dict):
        raise Invalid("`prompt.variables` must be an object with a value for each name.")
    found = {key: _value(key, one) for key, one in cast("Json", variables).items()}
    pictures = frozenset(key for key, one in variables.items() if _typed(one) in _PICTURES)
    where = _pointer(given.get("version"))
    return {"name": given["id"], "variables": found, "pictures": pictures, **where}


def _pointer(said: Any) -> Json:
    """A number, or a label in its place."""
    if said is None or said == "":
        return {}
    if isinstance(said, int) and not isinstance(said, bool):
        said = str(said)
    if not isinstance(said, str):
        raise Invalid("`prompt.version` must be a number or a label, as text.")
    if said.isascii() and said.isdigit() and len(said) < 10:
        return {"version": int(said)}
    return {"label": said}


def _value(name: str, said: Any) -> Any:
    """OpenAI's `{"type": "input_text", "text": …}` is its text, a picture its address; anything
    else is what it is."""
    kind, one = _typed(said), tree(said)
    if kind in _PICTURES:
        url = one.get("image_url")
        held = tree(url)
        if one.get("detail", held.get("detail")) not in (None, "auto"):
            raise Invalid(f"`{name[:60]}` is handed on as it is; leave `detail` out.")
        url = held.get("url") if held else url
        if not isinstance(url, str):
            raise Invalid(f"`{name[:60]}` must hold the picture itself, as `image_url`.")
        return url
    if not kind.startswith("input_"):
        return said
    if kind != "input_text" or not isinstance(one.get("text"), str):
        raise Invalid(f"`{name[:60]}` must be text or a picture: files cannot be filled in.")
    return one["text"]


def _typed(said: Any) -> str:
    return str(tree(said).get("type") or "")


def shown(one: Asked) -> Json:
    """The variables as an answer repeats them: of a picture, that it was one."""
    return {
        key: {"type": "input_image", "detail": "auto"}
        if key in one.pictures or (isinstance(said, str) and said.startswith("data:image/"))
        else said
        for key, said in one.variables.items()
    }


def _turns(said: Any) -> list[Json]:
    if said is None:
        return []
    if not isinstance(said, list):
        raise Invalid("`messages` must be a list of turns.")
    found: list[Json] = []
    for at, one in enumerate(cast("list[Any]", said)):
        role = tree(one).get("role")
        if role not in _ROLES:
            raise Invalid(f"`messages[{at}].role` must be one of {', '.join(_ROLES)}.")
        kept = {key: value for key, value in tree(one).items() if value is not None}
        found.append(kept | {"role": "system" if role == "developer" else role})
    return found


# ── responses ───────────────────────────────────────────────────────────────────────────────────


def _items(said: Any) -> list[Json]:
    if isinstance(said, str):
        return [{"role": "user", "content": said}] if said else []
    if said is None:
        return []
    if not isinstance(said, list):
        raise Invalid("`input` must be text or a list of items.")
    found: list[Json] = []
    for at, one in enumerate(cast("list[Any]", said)):
        item = tree(one)
        match item.get("type", "message"):
            case "message":
                found += _turns([{"role": item.get("role"), "content": _content(item, at)}])
            case "function_call":
                function = {"name": item.get("name"), "arguments": item.get("arguments")}
                call = {"id": item.get("call_id"), "type": "function", "function": function}
                found.append({"role": "assistant", "content": "", "tool_calls": [call]})
            case "function_call_output":
                output = item.get("output")
                text = output if isinstance(output, str) else json.dumps(output)
                found.append({"role": "tool", "tool_call_id": item.get("call_id"), "content": text})
            case "reasoning":
                continue  # of an earlier answer, and of use to its own provider alone
            case other:
                raise Invalid(f"`input[{at}]` is a {str(other)[:40]}, which is not known here.")
    return found


def _content(item: Mapping[str, Any], at: int) -> Any:
    content = item.get("content")
    if isinstance(content, str):
        return content
    found: list[Json] = []
    for part in trees(content):
        if part.get("type") in ("input_text", "output_text", "text"):
            found.append({"type": "text", "text": part.get("text")})
        elif part.get("type") == "input_image" and isinstance(part.get("image_url"), str):
            found.append({"type": "image_url", "image_url": {"url": part["image_url"]}})
        else:
            kind = str(part.get("type"))[:40]
            raise Invalid(f"`input[{at}]` holds a {kind}, which is not known here.")
    return found


def _shape(said: Json) -> Json:
    settings: Json = {"verbosity": said["verbosity"]} if said.get("verbosity") else {}
    shape = tree(said.get("format"))
    if shape.get("type") == "json_schema":
        inner = {key: value for key, value in shape.items() if key != "type"}
        settings["response_format"] = {"type": "json_schema", "json_schema": inner}
    elif shape.get("type") in ("json_object", "text"):
        settings["response_format"] = {"type": shape["type"]}
    return settings


def _tools(body: Json) -> Json:
    settings: Json = {}
    found: list[Json] = []
    for at, one in enumerate(trees(body.get("tools"))):
        if one.get("type") != "function":
            raise Invalid(f"`tools[{at}]` must be a function: the hub itself calls no tool.")
        found.append(
            {"type": "function", "function": {k: v for k, v in one.items() if k != "type"}}
        )
    if found:
        settings["tools"] = found
    chosen = body.get("tool_choice")
    if isinstance(chosen, str):
        settings["tool_choice"] = chosen
    elif name := tree(chosen).get("name"):
        settings["tool_choice"] = {"type": "function", "function": {"name": name}}
    return settings
