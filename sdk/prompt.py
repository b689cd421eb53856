"""One version of a prompt, as your program received it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, cast

from sdk.errors import MissingVariables, PromptHubError, TemplateError
from sdk.frozen import frozen, thawed
from sdk.template import Kind, Text, compile_text
from sdk.variables import by_name, check_kind, needed, turns

Record = Mapping[str, Any]


SAMPLING = frozenset(
    "temperature top_p top_k min_p max_tokens max_completion_tokens stop seed n presence_penalty "
    "frequency_penalty repetition_penalty logit_bias logprobs top_logprobs tool_choice "
    "parallel_tool_calls reasoning_effort verbosity".split()
)
"""Settings that `request` hands on. A prompt is data: it must not bring an address, a key or a
header (`extra_headers`, `base_url`, …) into an application's call."""


class Prompt:
    """An immutable version; `source` says where it came from, so a stale answer is no secret.

    `source` is `hub` (just fetched), `cache` (kept, refreshed in the background), `stale` (kept,
    the hub does not answer now) or `default` (yours; the hub has never answered).

    >>> triage = Prompt.from_record({
    ...     "name": "support/triage", "version": 7,
    ...     "document": {"messages": [{"role": "user", "content": "Hello {{ name }}"}]},
    ... })
    >>> triage.text(name="Ada")
    'Hello Ada'
    >>> triage.text()
    Traceback (most recent call last):
    sdk.errors.MissingVariables: support/triage v7 needs: name
    """

    __slots__ = (
        "_declared", "_document", "_needed", "_plan", "_record", "_texts", "commit", "hash", "id",
        "label", "labels", "message", "name", "source", "version",
    )  # fmt: skip

    name: str
    id: str
    version: int
    commit: str
    hash: str
    label: str | None
    labels: tuple[str, ...]
    message: str
    source: str

    def __init__(self, record: Record, source: str, texts: tuple[Text | None, ...]) -> None:
        """Use `from_record`; `record` is frozen."""
        document = cast("Record", record["document"])
        declared = by_name(document.get("variables"))
        put = object.__setattr__
        put(self, "name", str(record["name"]))
        put(self, "id", str(record.get("id") or ""))
        put(self, "version", int(record["version"]))
        put(self, "commit", str(record.get("commit") or ""))
        put(self, "hash", str(record.get("hash") or ""))
        put(self, "label", record.get("label"))
        put(self, "labels", tuple(record.get("labels") or ()))
        put(self, "message", str(record.get("message") or ""))
        put(self, "source", source)
        put(self, "_record", record)
        put(self, "_document", document)
        put(self, "_texts", texts)
        put(self, "_plan", tuple(zip(map(_flat, document["messages"]), texts, strict=True)))
        put(self, "_declared", declared)
        put(self, "_needed", needed(texts, declared))

    @classmethod
    def from_record(cls, record: Record, source: str = "hub") -> Prompt:
        """The prompt in an answer of `GET /api/v1/prompts/{name}`.

        Raises:
            TemplateError: a text is not a template this SDK renders.
            KeyError, TypeError, ValueError: the record is not one of a prompt.
        """
        record = frozen(record)
        document = cast("Record", record["document"])
        kind: Kind = "plain" if document.get("template") == "plain" else "jinja"
        snippets = cast("Mapping[str, str]", record.get("snippets") or {})
        texts: list[Text | None] = []
        for number, message in enumerate(document["messages"], 1):
            if message["role"] == "placeholder" and message["name"]:
                texts.append(None)
                continue
            try:
                texts.append(compile_text(str(message.get("content") or ""), kind, snippets))
            except TemplateError as error:
                raise TemplateError(
                    f"{record['name']} v{record['version']}, message {number}: {error.sentence}",
                    error.line,
                ) from None
        return cls(record, source, tuple(texts))

    def with_source(self, source: str) -> Prompt:
        """The same prompt, saying that it came from `source`; nothing is parsed again."""
        copy = object.__new__(Prompt)
        for slot in Prompt.__slots__:
            object.__setattr__(copy, slot, getattr(self, slot))
        object.__setattr__(copy, "source", source)
        return copy

    def prepare(self) -> None:
        """Do now what the first `render` would do, up to some milliseconds."""
        for text in self._texts:
            if text is not None:
                text.prepare()

    def __copy__(self) -> Prompt:
        return self

    def __deepcopy__(self, memo: object) -> Prompt:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return Prompt.from_record, (thawed(self._record), self.source)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"A prompt is immutable; `{name}` cannot be set.")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"A prompt is immutable; `{name}` cannot be deleted.")

    def __repr__(self) -> str:
        return f"<Prompt {self.name} v{self.version} from {self.source}>"

    @property
    def messages(self) -> tuple[Mapping[str, Any], ...]:
        """The messages as written, before anything is filled in; read-only."""
        return self._document["messages"]

    @property
    def variables(self) -> tuple[str, ...]:
        """Every variable that is used or declared, those used first."""
        return tuple(dict.fromkeys((*self._used(), *self._declared)))

    @property
    def model(self) -> str | None:
        """The model the prompt was written for, if it names one."""
        return self._document.get("model")

    @property
    def parameters(self) -> dict[str, Any]:
        """The settings (temperature, …) under an OpenAI-style client's names; a copy."""
        given = cast("Record", self._document.get("modelParameters") or {})
        return {_snake(key): thawed(value) for key, value in given.items()}

    def render(self, **variables: object) -> list[dict[str, Any]]:
        """The messages with the variables filled in, ready for a chat client.

        Raises:
            MissingVariables: names every variable without a value.
            InvalidVariable: a value is not of the declared type.
            TemplateError: a loop or the text grew too large.
        """
        return self.fill(variables)

    def fill(self, variables: Mapping[str, object]) -> list[dict[str, Any]]:
        """`render` for variables in a mapping, whose names may be any text."""
        values = self._values(variables)
        out: list[dict[str, Any]] = []
        try:
            for message, text in self._plan:
                if text is None:
                    out += turns(message["name"], values.get(message["name"]))
                    continue
                filled = message.copy() if type(message) is dict else thawed(message)
                filled["content"] = text.render(values)
                out.append(filled)
        except MissingVariables as error:
            raise MissingVariables(f"{self.name} v{self.version}", error.names) from None
        return out

    def text(self, **variables: object) -> str:
        """The finished text of all messages, a blank line between two."""
        return "\n\n".join([str(message.get("content")) for message in self.fill(variables)])

    def request(self, **variables: object) -> dict[str, Any]:
        """The body of an OpenAI-style call, `client.chat.completions.create(**body)`."""
        body: dict[str, Any] = {"messages": self.fill(variables)}
        body |= {key: value for key, value in self.parameters.items() if key in SAMPLING}
        if self.model:
            body["model"] = self.model
        if self._document.get("tools"):
            body["tools"] = thawed(self._document["tools"])
        shape = self._document.get("responseFormat")
        if shape == "json_schema" and self._document.get("jsonSchema") is not None:
            body["response_format"] = {"type": shape, "json_schema": self._schema()}
        elif shape == "json_object":
            body["response_format"] = {"type": shape}
        return body

    def _schema(self) -> dict[str, Any]:
        schema: Any = self._document["jsonSchema"]
        if isinstance(schema, str):  # GitHub Models keeps it as JSON inside text
            from json import loads

            try:
                schema = loads(schema)
            except ValueError:
                schema = None
        if not isinstance(schema, Mapping):
            raise PromptHubError(
                f"{self.name} v{self.version}: the answer shape is not a JSON object. Correct "
                "it in the hub."
            )
        schema = cast("dict[str, Any]", thawed(schema))
        if "schema" not in schema:
            schema = {"name": re.sub(r"\W", "_", self.name), "schema": schema}
        return schema

    def _used(self) -> Iterator[str]:
        for message, text in zip(self._document["messages"], self._texts, strict=True):
            yield from (message["name"],) if text is None else text.variables

    def _values(self, given: Mapping[str, object]) -> Mapping[str, object]:
        """What the texts are rendered with: given values checked, defaults put in."""
        for name in self._needed:
            if name not in given:
                missing = tuple(name for name in self._needed if name not in given)
                raise MissingVariables(f"{self.name} v{self.version}", missing)
        if not self._declared:
            return given
        values = dict(given)
        for name, variable in self._declared.items():
            if name not in values:
                values[name] = thawed(variable.get("default"))
            else:
                check_kind(f"{self.name} v{self.version}", name, variable, values[name])
        return values


def _flat(message: Record) -> Record:
    """A message without lists and dictionaries as a plain one, which is quick to copy."""
    bare = not any(isinstance(value, (tuple, Mapping)) for value in message.values())
    return dict(message) if bare else message


def _snake(key: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", key).lower()
