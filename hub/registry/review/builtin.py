"""The checks that the hub makes itself, before anybody reads: pure, one result per check.

Each looks at the texts that would land and, where it says so, at what is live now. A machine's
verdict is `pass`, `warn` (worth a look, blocks nothing) or `fail` (blocks where a rule asks).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import msgspec

from hub.registry.prompt.document import Document, Variable
from hub.registry.prompt.hidden import find_hidden
from hub.registry.prompt.lint import Finding, lint
from hub.registry.prompt.tokens import estimate
from sdk.errors import TemplateError
from sdk.template import compile_text

State = Literal["pass", "warn", "fail"]

WINDOWS: tuple[tuple[str, int], ...] = (
    ("prompthub/", 2_048),
    ("gpt-3.5", 16_385),
    ("gpt-4o", 128_000),
    ("gpt-4.1", 1_047_576),
    ("gpt-4", 8_192),
    ("gpt-5", 400_000),
    ("claude", 200_000),
    ("gemini", 1_048_576),
    ("llama-3", 131_072),
    ("mistral", 32_768),
)
"""Tokens a model reads at most, by the beginning of its name (makers' own pages, 2026-11)."""
USUAL_WINDOW = 32_768
FULL_FROM = 0.75
"""A prompt that fills so much of the window leaves little for its variables and the answer."""


class Result(msgspec.Struct, frozen=True):
    """What one check found; the summary is a sentence."""

    name: str
    state: State
    summary: str


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """One prompt of a proposal: what was edited, what would land, what apps are served now."""

    name: str
    old: Document | None
    new: Document
    live: tuple[tuple[str, Document], ...] = ()
    """Label and document, of every label that points at the prompt."""
    snippets: Mapping[str, str] = {}
    """Texts that its messages include."""
    users: tuple[str, ...] = ()
    """Prompts that include this one."""


def run(subjects: Sequence[Subject]) -> list[Result]:
    """Every check of ours, in the order people read them."""
    return [check(subjects) for check in _CHECKS.values()]


def _template(subjects: Sequence[Subject]) -> Result:
    wrong = [
        _at(subjects, one, finding.sentence)
        for one in subjects
        for finding in lint(one.new, one.snippets)
        if finding.level == "error" and not _is_secret(finding)
    ]
    return _result("Template", "fail", wrong, "Every text can be rendered")


def _variables(subjects: Sequence[Subject]) -> Result:
    odd = [
        _at(subjects, one, finding.sentence)
        for one in subjects
        for finding in lint(one.new, one.snippets)
        if finding.level == "warning" and ("declared" in finding.sentence)
    ]
    return _result("Variables", "warn", odd, "Every variable is declared, and used")


def _callers(subjects: Sequence[Subject]) -> Result:
    """What an app that calls with the live prompt's variables would meet."""
    breaks = [
        _at(subjects, one, sentence)
        for one in subjects
        for label, live in one.live
        for sentence in _broken(label, live, one.new)
    ]
    live = sum(1 for one in subjects if one.live)
    sound = "Apps can go on calling as they do" if live else "Nothing of it is live yet"
    return _result("Live callers", "fail", breaks, sound)


def _broken(label: str, live: Document, new: Document) -> list[str]:
    had, has = _wanted(live), _wanted(new)
    found: list[str] = []
    for name, variable in has.items():
        before = had.get(name)
        if before is None:
            if _must(variable):
                found.append(
                    f"`{name}` must now be given, and apps that use {label} do not send it. "
                    "Give it a default."
                )
        elif _must(variable) and not _must(before):
            found.append(f"`{name}` may no longer be left out, as apps that use {label} may do.")
        elif not _fits(before, variable):
            found.append(
                f"`{name}` was {_kind(before)} in {label} and is {_kind(variable)} now; "
                "apps send the old kind."
            )
    return found


def _wanted(document: Document) -> dict[str, Variable]:
    """Declared variables, and those that a text uses without saying so."""
    found = {one.name: one for one in document.variables}
    for message in document.messages:
        if message.role == "placeholder":
            found.setdefault(message.name or "", Variable(name=message.name or "", required=False))
            continue
        try:
            text = compile_text(message.content, document.template)
        except TemplateError:
            continue
        for name in text.variables:
            found.setdefault(name, Variable(name=name, type=""))
    return found


def _must(variable: Variable) -> bool:
    return variable.required and variable.default is None


_SAME_KIND = ({"", "text", "long text", "string"}, {"list", "array"}, {"number", "integer"})


def _fits(before: Variable, now: Variable) -> bool:
    """Whether a value of the old kind will do; whole numbers are numbers, not the reverse."""
    if before.type == now.type or now.type in ("", "text", "long text", "string"):
        return before.type not in ("list", "array", "object", "boolean") or before.type == now.type
    if (before.type, now.type) == ("number", "integer"):
        return False
    return any(before.type in kinds and now.type in kinds for kinds in _SAME_KIND)


def _kind(variable: Variable) -> str:
    return variable.type or "text"


def _secrets(subjects: Sequence[Subject]) -> Result:
    found = [
        _at(subjects, one, finding.sentence)
        for one in subjects
        for finding in lint(one.new, one.snippets)
        if _is_secret(finding)
    ]
    return _result("Secrets", "fail", found, "No key or password was found in the texts")


def _is_secret(finding: Finding) -> bool:
    return "renew the key" in finding.sentence


def _hidden(subjects: Sequence[Subject]) -> Result:
    found: list[str] = []
    for one in subjects:
        added = [hidden for hidden in find_hidden(one.old, one.new) if hidden.added]
        if added:
            codes = ", ".join(dict.fromkeys(hidden.unseen.code for hidden in added))
            found.append(
                _at(subjects, one, f"{len(added)} added that readers cannot see ({codes[:80]}).")
            )
    return _result("Hidden characters", "warn", found, "No hidden characters were added")


def _size(subjects: Sequence[Subject]) -> Result:
    large: list[str] = []
    state: State = "warn"
    most = 0.0
    for one in subjects:
        tokens = sum(estimate(message.content) for message in one.new.messages)
        window, model = window_of(one.new.model)
        most = max(most, tokens / window)
        if tokens > FULL_FROM * window:
            state = "fail" if tokens > window else state
            large.append(
                _at(subjects, one, f"about {tokens:,} tokens; {model} reads {window:,} at most.")
            )
    sound = f"It fills {max(1, round(100 * most))} % of what its model reads"
    return _result("Size", state, large, sound)


def window_of(model: str | None) -> tuple[int, str]:
    """Tokens the model reads, and how a sentence names it; an unknown one counts as usual."""
    name = (model or "").lower().rpartition("/")[2]
    for start, tokens in WINDOWS:
        if (model or "").lower().startswith(start) or name.startswith(start):
            return tokens, model or ""
    return USUAL_WINDOW, model or "a usual model"


def _users(subjects: Sequence[Subject]) -> Result:
    used = [(one.name, one.users) for one in subjects if one.users]
    said = [
        f"{name} is included by {len(users)} prompt{'s' if len(users) > 1 else ''} "
        f"({', '.join(users[:5])}{', …' if len(users) > 5 else ''}); each keeps the version it "
        "names until it is changed itself."
        for name, users in used
    ]
    return Result("Snippet users", "pass", " ".join(said) or "No other prompt includes it.")


_CHECKS: dict[str, Callable[[Sequence[Subject]], Result]] = {
    "Template": _template,
    "Variables": _variables,
    "Live callers": _callers,
    "Secrets": _secrets,
    "Hidden characters": _hidden,
    "Size": _size,
    "Snippet users": _users,
}
NAMES: tuple[str, ...] = tuple(_CHECKS)
"""Checks that a rule may ask for without anybody's having to post them."""


def _at(subjects: Sequence[Subject], one: Subject, sentence: str) -> str:
    """Say of which prompt, when there are several."""
    return sentence if len(subjects) == 1 else f"{one.name}: {sentence}"


def _result(name: str, worst: State, found: Sequence[str], sound: str) -> Result:
    if not found:
        return Result(name, "pass", f"{sound}.")
    more = f" And {len(found) - 3} more." if len(found) > 3 else ""
    return Result(name, worst, " ".join(found[:3]) + more)
