"""What a reviewer should not have to find alone: mistakes in a prompt, each in one sentence."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Literal

import msgspec

from hub.registry.prompt.document import Document, InvalidDocument, serialise
from hub.registry.prompt.hidden import find_hidden, texts_of
from hub.registry.prompt.tokens import estimate
from sdk import template
from sdk.errors import TemplateError

_LONG = 100_000  # tokens; more than many models take
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)

# Shapes that only keys have; what could be an ordinary word is left out on purpose.
_SECRETS = (
    ("an AWS access key", re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b")),
    ("a GitHub token", re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_\w{40,})\b")),
    ("a GitLab token", re.compile(r"\bglpat-[\w-]{20,}")),
    ("an Anthropic key", re.compile(r"\bsk-ant-[\w-]{20,}")),
    ("an OpenAI key", re.compile(r"\bsk-(?!ant-)(?:proj-|svcacct-)?[A-Za-z0-9_-]{20,}")),
    ("a Google key", re.compile(r"\bAIza[\w-]{35}\b")),
    ("a Slack token", re.compile(r"\bxox[abposr]-[A-Za-z0-9-]{10,}")),
    ("a Stripe key", re.compile(r"\b[rs]k_live_[A-Za-z0-9]{20,}\b")),
    ("a Hugging Face token", re.compile(r"\bhf_[A-Za-z0-9]{30,}\b")),
    ("a Prompt Hub key", re.compile(r"\bph_[A-Za-z0-9]{4,}_[A-Za-z0-9]{20,}\b")),
    ("a private key", re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")),
    ("a signed token (JWT)", re.compile(r"\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}")),
)


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """An `error` stops a save, a `warning` wants a look, a `note` is good to know."""

    level: Literal["error", "warning", "note"]
    sentence: str
    where: str = ""
    line: int | None = None


def lint(document: Document, snippets: Mapping[str, str] | None = None) -> list[Finding]:
    """Everything found, errors first."""
    found = [
        *_size(document),
        *_messages(document),
        *_variables(document, snippets),
        *_secrets(document),
        *_hidden(document),
    ]
    order = ("error", "warning", "note")
    return sorted(found, key=lambda one: order.index(one.level))


def _size(document: Document) -> Iterator[Finding]:
    try:
        serialise(document)
    except InvalidDocument as refused:
        yield Finding(level="error", sentence=refused.sentence)
    tokens = sum(estimate(message.content) for message in document.messages)
    if tokens > _LONG:
        yield Finding(
            level="warning",
            sentence=f"The messages take about {tokens:,} tokens; many models accept fewer.",
        )


def _messages(document: Document) -> Iterator[Finding]:
    if not document.messages:
        yield Finding(level="error", sentence="The prompt has no messages. Add one.")
    elif not says_something(document):
        yield Finding(
            level="error", sentence="Every message is empty. Write something in one of them."
        )
        return
    for at, message in enumerate(document.messages, 1):
        where = f"message {at} ({message.role})"
        if message.role == "placeholder" or "tool_calls" in message.extra:
            continue
        if not message.content.strip():
            yield Finding(
                level="warning", sentence=f"Message {at} is empty. Fill it or remove it.",
                where=where,
            )  # fmt: skip
    if document.messages and all(message.role == "system" for message in document.messages):
        yield Finding(
            level="note",
            sentence="There is no user message; some models answer only when there is one.",
        )


def says_something(document: Document) -> bool:
    """Whether a model would be given anything at all."""
    return any(
        message.content.strip() or message.role == "placeholder" or message.extra
        for message in document.messages
    )


def _variables(document: Document, snippets: Mapping[str, str] | None) -> Iterator[Finding]:
    """Template errors, and how the variables in the texts agree with the declared ones."""
    used: dict[str, str] = {}
    broken = False
    for at, message in enumerate(document.messages, 1):
        where = f"message {at} ({message.role})"
        if message.role == "placeholder":
            used.setdefault(message.name or "", where)
            continue
        try:
            text = template.compile_text(message.content, document.template, snippets)
        except TemplateError as error:
            broken = True
            yield _template_error(at, where, error)
            continue
        for name in text.variables:
            used.setdefault(name, where)
    declared = {variable.name for variable in document.variables}
    for name, where in used.items():
        if name not in declared:
            yield Finding(
                level="warning",
                sentence=f"`{name}` is used in {where} but not declared as a variable.",
                where=where,
            )
    for variable in document.variables:
        yield from _declared(variable.name, unused=variable.name not in used and not broken)


def _declared(name: str, *, unused: bool) -> Iterator[Finding]:
    where = f"variable {name}"
    if not _NAME.fullmatch(name):
        sentence = f"`{name}` cannot be used in a text: a variable's name is letters, digits and _."
        yield Finding(level="error", sentence=sentence, where=where)
    elif unused:
        sentence = f"The variable `{name}` is declared but no message uses it."
        yield Finding(level="warning", sentence=sentence, where=where)


def _template_error(at: int, where: str, error: TemplateError) -> Finding:
    line: int | None = error.line
    place = f"Message {at}, line {line}: " if line else f"Message {at}: "
    return Finding(level="error", sentence=place + error.sentence, where=where, line=line)


def _secrets(document: Document) -> Iterator[Finding]:
    """Never quotes the secret: the sentence goes into logs and mails."""
    for where, text in texts_of(document):
        for what, pattern in _SECRETS:
            if found := pattern.search(text):
                line = text.count("\n", 0, found.start()) + 1
                yield Finding(
                    level="error",
                    sentence=f"Line {line} of {where} looks like {what}. Remove it and renew"
                    " the key: everyone who can read this prompt could use it.",
                    where=where,
                    line=line,
                )


def _hidden(document: Document) -> Iterator[Finding]:
    """One finding per place and kind of character, with how often it occurs."""
    counts: Counter[tuple[str, str, str, str]] = Counter()
    for where, one in ((hidden.where, hidden.unseen) for hidden in find_hidden(None, document)):
        counts[where, one.code, one.name, one.says] += 1 if one.says else one.length
    for (where, code, name, says), times in counts.items():
        often = "" if times == 1 else f" {times} times"
        spelt = f", which spells “{says}” to a model" if says else ""
        yield Finding(
            level="warning",
            sentence=f"There is a character in {where}{often} that readers cannot see or would"
            f" mistake: {code} {name}{spelt}.",
            where=where,
        )
