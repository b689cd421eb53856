"""A module of types for the prompts of a lock file: editors complete names and variables, and a
type checker finds a variable that is missing."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable, Mapping
from typing import Any

from sdk.prompt import Prompt
from sdk.table import Table, prompt_of

_TYPES = {
    "number": "int | float",
    "integer": "int",
    "boolean": "bool",
    "list": "list[Any] | tuple[Any, ...]",
    "array": "list[Any] | tuple[Any, ...]",
    "object": "dict[str, Any]",
    "text": "str | int | float",
    "long text": "str | int | float",
    "string": "str | int | float",
    "image": "bytes | str",
}
_HEAD = '''"""Types of this program's prompts. Written by `prompthub types`; do not edit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, Protocol, overload

import sdk

Messages = list[dict[str, Any]]

if TYPE_CHECKING:

    class _Prompt(Protocol):
        @property
        def name(self) -> str: ...
        @property
        def version(self) -> int: ...
        @property
        def hash(self) -> str: ...
        @property
        def label(self) -> str | None: ...
        @property
        def source(self) -> str: ...
        @property
        def stale(self) -> bool: ...
        @property
        def model(self) -> str | None: ...
        @property
        def parameters(self) -> dict[str, Any]: ...
        @property
        def messages(self) -> tuple[Mapping[str, Any], ...]: ...
        @property
        def variables(self) -> tuple[str, ...]: ...
        def age(self) -> float: ...
        def meta(self) -> dict[str, Any]: ...
'''
_TAIL = '''

def get_prompt(
    name: str, label: str = "production", version: int | None = None, default: Any = None,
    *, key: object = None,
) -> Any:
    """`sdk.get_prompt`, typed."""
    return sdk.get_prompt(name, label, version, default, key=key)


{overloads_async}
async def aget_prompt(
    name: str, label: str = "production", version: int | None = None, default: Any = None,
    *, key: object = None,
) -> Any:
    """`sdk.aget_prompt`, typed."""
    return await sdk.aget_prompt(name, label, version, default, key=key)
'''


def module(table: Table, label: str) -> str:
    """The text of the module for what `label` points at."""
    prompts = [
        prompt_of(table, pointer, "bundled")
        for (one, _), pointer in sorted(table.pointers.items())
        if one == label
    ]
    names = _class_names([one.name for one in prompts])
    classes = "".join(_class(names[one.name], one) for one in prompts)
    union = " | ".join(f'Literal["{one.name}"]' for one in prompts) or "str"
    overloads = "\n".join(_overload(one.name, names[one.name], "") for one in prompts)
    later = "\n".join(_overload(one.name, names[one.name], "async ") for one in prompts)
    # `overload` wants two; there is no prompt without a name, so the second one is never met.
    never = "" if len(prompts) != 1 else _NEVER
    tail = _TAIL.replace("{overloads_async}", later + never.replace("{a}", "async ").replace(
        "{name}", "aget_prompt"))  # fmt: skip
    first = overloads + never.replace("{a}", "").replace("{name}", "get_prompt")
    return f"{_HEAD}{classes}\nName = {union}\n\n\n{first}{tail}"


_NEVER = """
@overload
{a}def {name}(name: Literal[""]) -> None: ...
"""


def _overload(name: str, class_name: str, kind: str) -> str:
    get = "aget_prompt" if kind else "get_prompt"
    return (
        f"@overload\n{kind}def {get}(\n"
        f'    name: Literal["{name}"], label: str = ..., version: int | None = ..., '
        f"default: Any = ...,\n    *, key: object = ...,\n"
        f") -> {class_name}: ..."
    )


def _class(class_name: str, prompt: Prompt) -> str:
    given = _parameters(prompt)
    lines = [f"\n    class {class_name}(_Prompt, Protocol):", f'        """{prompt.name}"""\n']
    for method, result in (("render", "Messages"), ("text", "str"), ("request", "dict[str, Any]")):
        lines.append(f"        def {method}(self{given}) -> {result}: ...")
    return "\n".join(lines) + "\n"


def _parameters(prompt: Prompt) -> str:
    declared: Mapping[str, Mapping[str, Any]] = prompt.declared
    required, made, odd = set(prompt.required), list[str](), False
    turns = {one.get("name") for one in prompt.messages if one["role"] == "placeholder"}
    for name in prompt.variables:
        if not name.isidentifier() or keyword.iskeyword(name):
            odd = True
            continue
        kind = _TYPES.get(str(declared.get(name, {}).get("type", "text")), "Any")
        if name not in declared:
            kind = "Any"
        if name in turns:
            kind = "list[Any] | tuple[Any, ...]"
        if name in required:
            made.append(f"{name}: {kind}")
        else:
            optional = "" if kind == "Any" else " | None"
            made.append(f"{name}: {kind}{optional} = ...")
    if odd:
        made.append("**others: Any")
    star = ["*"] if any(":" in one and not one.startswith("**") for one in made) else []
    return "".join(f", {one}" for one in [*star, *made])


def _class_names(names: Iterable[str]) -> dict[str, str]:
    """`support/triage` → `SupportTriage`, never the same for two."""
    found: dict[str, str] = {}
    for name in names:
        words = re.split(r"[^a-z0-9]+", name)
        made = "".join(word[:1].upper() + word[1:] for word in words)
        made = made if made[:1].isalpha() else f"Prompt{made}"
        while made in found.values():
            made += "_"
        found[name] = made
    return found
