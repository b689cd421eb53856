"""One version of a prompt, as your program received it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import count
from time import monotonic
from typing import Any, cast

from sdk.errors import MissingVariables, PromptHubError, TemplateError
from sdk.flat import BETWEEN, Flat, flatten
from sdk.frozen import flat, frozen, thawed
from sdk.notes import Life, Notes
from sdk.pictures import told, with_album
from sdk.request import body_of, parameters
from sdk.template import Text, texts_of
from sdk.variables import by_name, check_kind, needed, pictures, required, turns, warn_of_unknown

Record = Mapping[str, Any]
_NEW = Life()
"""Of prompts that belong to no hub."""


class Prompt:
    """An immutable version; `source` says where it came from, so a stale answer is no secret.

    `source` is `stream`, `poll` (asked for again and again), `snapshot` (kept on disk), `bundled`
    (came with your program), `default` (yours), or, of what is asked for singly, `hub` (fetched),
    `cache` (kept, looked after in the background) or `stale` (kept, nobody answers).

    >>> triage = Prompt.from_record({"name": "support/triage", "version": 7, "document": {
    ...     "messages": [{"role": "user", "content": "Hello {{ name }}"}]}})
    >>> triage.text(name="Ada")
    'Hello Ada'
    >>> triage.text()
    Traceback (most recent call last):
    sdk.errors.MissingVariables: support/triage v7 needs: name
    """

    __slots__ = (
        "_declared", "_document", "_flat", "_needed", "_pictures", "_plan", "_record", "_shares",
        "_texts", "commit", "hash", "id", "label", "labels", "life", "message", "name", "notes",
        "source", "tally", "version",
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
    notes: Notes
    life: Life
    tally: count[int]
    """Taken from once for each read."""

    def __init__(self, record: Record, source: str, texts: tuple[Text | None, ...]) -> None:
        """Use `from_record`."""
        document = cast("Record", record["document"])
        declared = by_name(frozen(document.get("variables")))
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
        put(self, "_plan", tuple(zip(map(flat, document["messages"]), texts, strict=True)))
        put(self, "_declared", declared)
        put(self, "_needed", needed(texts, declared))
        put(self, "_pictures", pictures(declared) if declared else ())
        put(self, "_flat", flatten(texts, declared))
        put(self, "_shares", ())
        put(self, "life", _NEW)
        put(self, "notes", Notes(self._flat.names if self._flat else ()))
        put(self, "tally", self.notes.reads)

    @classmethod
    def from_record(cls, record: Record, source: str = "hub") -> Prompt:
        """The prompt in an answer of `GET /api/v1/prompts/{name}`; raises as `owning`."""
        return cls.owning(thawed(record), source)

    @classmethod
    def owning(cls, record: Record, source: str = "hub") -> Prompt:
        """Of a record that nobody else holds: it is made read-only only where it is handed out.

        Raises:
            TemplateError: a text is not a template this SDK renders.
            KeyError, TypeError, ValueError: the record is not one of a prompt.
        """
        document = cast("Record", record["document"])
        snippets = cast("Mapping[str, str]", record.get("snippets") or {})
        try:
            texts = texts_of(document, snippets)
        except TemplateError as error:
            said = f"{record['name']} v{record['version']}, {error.sentence}"
            raise TemplateError(said, error.line) from None
        return cls(record, source, texts)

    def with_source(self, source: str, life: Life | None = None) -> Prompt:
        """The same prompt, saying that it came from `source`; nothing is parsed again."""
        copy = self._copy()
        put = object.__setattr__
        put(copy, "source", source)
        put(copy, "life", life or self.life)
        put(copy, "notes", Notes(self.notes.names))
        put(copy, "tally", copy.notes.reads)
        if self._shares:
            shares = [
                (upto, copy if one is self else one.with_source(source, life))
                for upto, one in self._shares
            ]
            put(copy, "_shares", tuple(shares))
        return copy

    def with_shares(self, shares: tuple[tuple[int, Prompt], ...]) -> Prompt:
        """The same prompt during a gradual release: bucket bounds, each with its version."""
        copy = self._copy()
        mine = tuple((upto, copy if one is self else one) for upto, one in shares)
        object.__setattr__(copy, "_shares", mine)
        return copy

    def belonging_to(self, life: Life) -> Prompt:
        """Itself, told whose it is; for one that nobody has been given yet."""
        object.__setattr__(self, "life", life)
        for _, one in self._shares:
            object.__setattr__(one, "life", life)
        return self

    def _copy(self) -> Prompt:
        copy = object.__new__(Prompt)
        for slot in Prompt.__slots__:
            object.__setattr__(copy, slot, getattr(self, slot))
        return copy

    def for_key(self, key: object) -> Prompt:
        """The version that `key` (a user's id, say) gets while a release is gradual."""
        if not self._shares or key in (None, ""):
            return self
        from sdk.table import bucket

        place = bucket(self.label or "", self.id, str(key))
        return next(one for upto, one in self._shares if place < upto)

    @property
    def shares(self) -> tuple[Prompt, ...]:
        """The versions that answer now: this one, or those of a gradual release."""
        return tuple([one for _, one in self._shares]) if self._shares else (self,)

    @property
    def stale(self) -> bool:
        """Whether its source has been silent for too long to believe that this is still live."""
        return self.life.stale or self.source == "stale"

    def age(self) -> float:
        """Seconds since it was last known to be what the hub serves."""
        return max(0.0, monotonic() - self.life.heard)

    def meta(self) -> dict[str, Any]:
        """What to note beside an answer, in a log or as attributes of an OpenTelemetry span."""
        return {
            "prompthub.prompt.name": self.name, "prompthub.prompt.version": self.version,
            "prompthub.prompt.label": self.label or "", "prompthub.prompt.hash": self.hash,
            "prompthub.prompt.source": self.source, "prompthub.prompt.stale": self.stale,
        }  # fmt: skip

    def prepare(self) -> None:
        """Do now what the first `render` would do, up to some milliseconds."""
        for text in self._texts:
            if text is not None and not text.plain_path:
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
        return frozen(self._document["messages"])

    @property
    def variables(self) -> tuple[str, ...]:
        """Every variable that is used or declared, those used first."""
        return tuple(dict.fromkeys((*self._used(), *self._declared)))

    @property
    def declared(self) -> Mapping[str, Record]:
        """What the prompt says about its variables, by name."""
        return self._declared

    @property
    def required(self) -> tuple[str, ...]:
        """Variables without which it cannot be rendered."""
        return required(self._texts, self._declared)

    @property
    def model(self) -> str | None:
        """The model the prompt was written for, if it names one."""
        return self._document.get("model")

    @property
    def parameters(self) -> dict[str, Any]:
        """The settings (temperature, …) under an OpenAI-style client's names; a copy."""
        return parameters(self._document)

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
        try:
            made = self._fill(variables)
        except PromptHubError:
            next(self.notes.errors)
            raise
        if new := self.notes.rendered(variables):
            warn_of_unknown(f"{self.name} v{self.version}", new, self.variables)
        return made

    def _fill(self, variables: Mapping[str, object]) -> list[dict[str, Any]]:
        values, album = with_album(self._values(variables), self._pictures)
        out: list[dict[str, Any]] = []
        try:
            for message, text in self._plan:
                if text is None:
                    out += turns(message["name"], values.get(message["name"]))
                    continue
                filled = message.copy() if type(message) is dict else thawed(message)
                content = text.render(values)
                filled["content"] = album.placed(message["role"], content) if album else content
                out.append(filled)
        except MissingVariables as error:
            raise MissingVariables(f"{self.name} v{self.version}", error.names) from None
        return out

    def text(self, **variables: object) -> str:
        """The finished text of all messages, a blank line between two."""
        flat: Flat | None = self._flat
        if flat is not None and (made := flat.text(variables)) is not None:
            notes: Notes = self.notes
            next(notes.renders)
            notes.whole = True
            return made
        return BETWEEN.join([told(message.get("content")) for message in self.fill(variables)])

    def request(self, **variables: object) -> dict[str, Any]:
        """The body of an OpenAI-style call, `client.chat.completions.create(**body)`."""
        return body_of(self.name, self.version, self._document, self.fill(variables))

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
