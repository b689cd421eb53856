"""The body of an OpenAI-style call, made of a prompt's document and its filled-in messages."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast

from sdk.errors import PromptHubError
from sdk.frozen import thawed

Record = Mapping[str, Any]

SAMPLING = frozenset(
    "temperature top_p top_k min_p max_tokens max_completion_tokens stop seed n presence_penalty "
    "frequency_penalty repetition_penalty logit_bias logprobs top_logprobs tool_choice "
    "parallel_tool_calls reasoning_effort verbosity".split()
)
"""Settings that are handed on. A prompt is data: it must not bring an address, a key or a
header (`extra_headers`, `base_url`, …) into an application's call."""


def parameters(document: Record) -> dict[str, Any]:
    """The settings under an OpenAI-style client's names; a copy."""
    given = cast("Record", document.get("modelParameters") or {})
    return {_snake(key): thawed(value) for key, value in given.items()}


def body_of(
    name: str, version: int, document: Record, messages: list[dict[str, Any]]
) -> dict[str, Any]:
    """`client.chat.completions.create(**body)`.

    Raises:
        PromptHubError: the shape of the answer is not JSON.
    """
    body: dict[str, Any] = {"messages": messages}
    body |= {key: value for key, value in parameters(document).items() if key in SAMPLING}
    if document.get("model"):
        body["model"] = document["model"]
    if document.get("tools"):
        body["tools"] = thawed(document["tools"])
    shape = document.get("responseFormat")
    if shape == "json_schema" and document.get("jsonSchema") is not None:
        schema = _schema(name, version, document["jsonSchema"])
        body["response_format"] = {"type": shape, "json_schema": schema}
    elif shape == "json_object":
        body["response_format"] = {"type": shape}
    return body


def _schema(name: str, version: int, schema: Any) -> dict[str, Any]:
    if isinstance(schema, str):  # GitHub Models keeps it as JSON inside text
        from json import loads

        try:
            schema = loads(schema)
        except ValueError:
            schema = None
    if not isinstance(schema, Mapping):
        raise PromptHubError(
            f"{name} v{version}: the answer shape is not a JSON object. Correct it in the hub."
        )
    schema = cast("dict[str, Any]", thawed(schema))
    if "schema" not in schema:
        schema = {"name": re.sub(r"\W", "_", name), "schema": schema}
    return schema


def _snake(key: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", key).lower()
