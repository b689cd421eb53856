"""Gemini `streamGenerateContent`: contents of parts; thoughts are parts too, and cost as output."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from hub.playground.wire import asked as read
from hub.playground.wire.asked import Image, Sent
from hub.playground.wire.events import Called, Delta, Event, Finish, Usage
from hub.playground.wire.reading import Json, Listed, count, decode, text, total, tree, trees
from hub.playground.wire.reading import Reader as _Reader

MODELS = "/models?pageSize=1000"
_SETTINGS = {
    "temperature": "temperature", "top_p": "topP", "top_k": "topK", "seed": "seed",
    "presence_penalty": "presencePenalty", "frequency_penalty": "frequencyPenalty",
}  # fmt: skip
_KNOWN = (
    *_SETTINGS, "max_tokens", "max_completion_tokens", "stop", "tools", "tool_choice",
    "reasoning_effort", "response_format",
)  # fmt: skip
_REASONS = {"STOP": "stop", "MAX_TOKENS": "length"}
_BLOCKED = frozenset(
    "SAFETY RECITATION LANGUAGE BLOCKLIST PROHIBITED_CONTENT SPII IMAGE_SAFETY MODEL_ARMOR "
    "IMAGE_PROHIBITED_CONTENT IMAGE_RECITATION".split()
)
_BROKEN = frozenset(
    "MALFORMED_FUNCTION_CALL UNEXPECTED_TOOL_CALL TOO_MANY_TOOL_CALLS MALFORMED_RESPONSE "
    "MISSING_THOUGHT_SIGNATURE".split()
)
_MODES = {"auto": "AUTO", "none": "NONE", "required": "ANY"}
_BUDGETS = {"none": 0, "minimal": 512, "low": 1024, "medium": 8192, "high": 24576}
"""Tokens of thinking for the 2.x models, which know no levels."""


def base(url: str) -> str:
    return url if url.rsplit("/", 1)[-1].startswith("v1") else f"{url}/v1beta"


def headers(key: str | None) -> dict[str, str]:
    """In a header: what stands in an address ends up in logs."""
    return {"x-goog-api-key": key} if key else {}


def request(asked: Mapping[str, Any], *, model: str) -> Sent:
    """Turns become contents; everything else hangs under `generationConfig`."""
    told, rest = read.system(asked)
    body: Json = {"contents": _contents(rest)}
    if told:
        body["systemInstruction"] = {"parts": [{"text": told}]}
    if settings := _settings(asked, model):
        body["generationConfig"] = settings
    if tools := read.tools(asked):
        body["tools"] = [
            {
                "functionDeclarations": [
                    {"name": tool.name, "description": tool.description,
                     "parametersJsonSchema": tool.parameters}
                    for tool in tools
                ]
            }
        ]  # fmt: skip
    if chosen := read.tool_choice(asked):
        mode: Json = {"mode": _MODES.get(chosen, "ANY")}
        if chosen.startswith("="):
            mode["allowedFunctionNames"] = [chosen[1:]]
        body["toolConfig"] = {"functionCallingConfig": mode}
    whole = "/" in model and not {".", "..", ""} & set(model.split("/"))
    path = quote(model, safe="/") if whole else f"models/{quote(model, safe='')}"
    path = f"/{path}:streamGenerateContent?alt=sse"
    return Sent(path=path, body=body, ignored=read.ignored(asked, _KNOWN))


def models_of(data: bytes) -> list[Listed] | None:
    """Those that answer a prompt; it also lists what makes pictures and embeddings."""
    rows = tree(decode(data)).get("models")
    if not isinstance(rows, list):
        return None
    names: set[str] = set()
    for row in trees(rows):
        name = text(row.get("name")).removeprefix("models/")
        methods = row.get("supportedGenerationMethods")
        if 0 < len(name) <= 200 and (not isinstance(methods, list) or "generateContent" in methods):
            names.add(name)
    return [Listed(id=name) for name in sorted(names)]


def _settings(asked: Mapping[str, Any], model: str) -> Json:
    told = read.renamed(asked, _SETTINGS)
    if (most := read.longest(asked)) is not None:
        told["maxOutputTokens"] = most
    if stops := read.stops(asked):
        told["stopSequences"] = stops
    kind, schema = read.schema(asked)
    if kind:
        told["responseMimeType"] = "application/json"
    if schema:
        told["responseJsonSchema"] = schema
    if effort := text(asked.get("reasoning_effort")):
        thinks: Json = {"includeThoughts": effort != "none"}
        if "gemini-2" in model:
            thinks["thinkingBudget"] = _BUDGETS.get(effort, 8192)
        else:
            thinks["thinkingLevel"] = effort
        told["thinkingConfig"] = thinks
    return told


def _contents(messages: list[Json]) -> list[Json]:
    contents: list[Json] = []
    names: dict[str, str] = {}
    for message in messages:
        names |= {call.id: call.name for call in read.tool_calls(message)}
        role = "model" if message.get("role") == "assistant" else "user"
        parts = _parts(message, names)
        if not parts:
            continue
        if contents and contents[-1]["role"] == role:
            contents[-1]["parts"] += parts
        else:
            contents.append({"role": role, "parts": parts})
    return contents


def _parts(message: Json, names: dict[str, str]) -> list[Json]:
    content = message.get("content")
    if message.get("role") == "tool":
        id = text(message.get("tool_call_id"))
        name = text(message.get("name")) or names.get(id, id)
        answer = {"result": read.words(content)}
        return [{"functionResponse": {"name": name, "response": answer}}]
    parts: list[Json] = [_part(part) for part in read.parts(content)]
    for call in read.tool_calls(message):
        parts.append({"functionCall": {"name": call.name, "args": call.given}})
    return parts


def _part(part: read.Part) -> Json:
    if not isinstance(part, Image):
        return {"text": part}
    if part.data:
        return {"inlineData": {"mimeType": part.kind, "data": part.data}}
    return {"fileData": {"fileUri": part.url}}


class Reader(_Reader):
    language = "Gemini"
    hint = "Check the address; it usually ends in /v1beta."

    def __init__(self, *, streamed: bool = True) -> None:
        super().__init__(streamed=streamed)
        self._called = False

    def _told(self, found: Json) -> Iterator[Event]:
        """A chunk; without `alt=sse` the whole answer is a list of them."""
        blocked = text(tree(found.get("promptFeedback")).get("blockReason"))
        if "candidates" in found or "usageMetadata" in found or blocked:
            self._understood = True
        yield from _usage(tree(found.get("usageMetadata")))
        if blocked:
            why = blocked.replace("_", " ").lower()[:60]
            yield self._fail(
                f"It does not answer this prompt ({why}). Change the text or use another model."
            )
            return
        for candidate in trees(found.get("candidates"))[:1]:
            for part in trees(tree(candidate.get("content")).get("parts")):
                yield from self._part(part)
            yield from self._stopped(text(candidate.get("finishReason")))

    def _part(self, part: Json) -> Iterator[Event]:
        if said := text(part.get("text")):
            yield Delta("", said) if part.get("thought") is True else Delta(said)
        if isinstance(part.get("functionCall"), dict):
            call = tree(part["functionCall"])
            self._called = True
            given = read.given_text(call.get("args"))
            yield Called(text(call.get("name")), given, text(call.get("id")))

    def _stopped(self, reason: str) -> Iterator[Event]:
        if not reason or reason == "FINISH_REASON_UNSPECIFIED" or self._finished:
            return
        if reason in _BROKEN:
            why = reason.replace("_", " ").lower()
            yield self._fail(f"The model could not finish its answer ({why}). Run it again.")
            return
        self._finished = True
        plain = "content_filter" if reason in _BLOCKED else _REASONS.get(reason, reason.lower())
        yield Finish("tool_calls" if plain == "stop" and self._called else plain[:40])


def _usage(told: Json) -> Iterator[Event]:
    """On every chunk, the last one counts; thoughts are billed as output, so they belong to it."""
    came = total(count(told.get("promptTokenCount")), count(told.get("toolUsePromptTokenCount")))
    thought = count(told.get("thoughtsTokenCount"))
    went = total(count(told.get("candidatesTokenCount")), thought)
    if came is not None or went is not None:
        cached = count(told.get("cachedContentTokenCount"))
        yield Usage(came, went, cached=cached, reasoning=thought)
