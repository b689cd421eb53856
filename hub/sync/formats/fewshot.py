"""Examples inside a LangChain prompt, written out as LangChain would: text of the prompt itself.

LangChain fills each example into a small prompt of its own (`example_prompt`) when the whole is
filled in. Those values are known beforehand, so here the result stands in the text.
"""

from __future__ import annotations

from typing import Any, cast

from hub.registry.prompt.document import Message
from hub.registry.prompt.yaml_read import LARGEST_FILE
from hub.sync.formats.placeholders import of_format
from hub.sync.formats.report import Refused
from hub.sync.formats.trees import Keys, Tree

_WAYS = {
    "FewShotPromptTemplate": "Save it with `prompt.save('name.json')` and import that.",
    "FewShotChatMessagePromptTemplate":
        "Put the turns that it makes (`few_shot.format_messages()`) in its place.",
}  # fmt: skip


def unsaved(name: str) -> str:
    """What to do about a part that LangChain left out when it wrote the manifest."""
    way = _WAYS.get(name, "Put the text that it makes in its place.")
    return f"LangChain writes no {name} into a manifest (`not_implemented`). {way}"


def examples(kwargs: Keys) -> list[Tree]:
    """The examples themselves; the report says where they went."""
    if kwargs.peek("example_selector") is not None:
        raise Refused(
            f"`{kwargs.where('example_selector')}` chooses examples by code at run time. Save it "
            "with the `examples` themselves."
        )
    kwargs.take("example_selector")
    if isinstance(kwargs.peek("examples"), str):
        raise Refused(
            f"`{kwargs.where('examples')}` names another file. Put the examples themselves here."
        )
    where, rows = kwargs.where("examples"), kwargs.items("examples")
    if not rows or not all(isinstance(one, dict) for one in rows):
        raise Refused(f"`{where}` must be a list of groups, a group for each example.")
    kwargs.notes.change(where, "they stand in the text itself now")
    return cast("list[Tree]", rows)


def written(kwargs: Keys, inner: str, given: Tree) -> str:
    """The whole text, still a template: `inner` is what each example is filled into."""
    between = kwargs.take("example_separator")
    between = between if isinstance(between, str) else "\n\n"
    texts = _each(kwargs, [inner], given, len(between))
    parts = [kwargs.text("prefix"), *texts, kwargs.text("suffix")]
    return between.join(part for part in parts if part)


def turns(kwargs: Keys, inner: list[Message]) -> list[Message]:
    """The turns of every example; nothing of theirs is filled in later."""
    texts = _each(kwargs, [one.content for one in inner], {})
    roles = [one.role for one in inner]
    return [
        Message(role=roles[at % len(roles)], content=_literal(text))
        for at, text in enumerate(texts)
    ]


def _each(kwargs: Keys, inner: list[str], given: Tree, between: int = 0) -> list[str]:
    """Every text filled in with every example, in order; no more than a prompt may hold."""
    found, size = list[str](), 0
    for at, row in enumerate(examples(kwargs)):
        for text in inner:
            found.append(filled(text, given | row, f"examples[{at}]"))
            size += len(found[-1]) + between
            if size > LARGEST_FILE:
                raise Refused("With its examples written out it is longer than 1 MiB.")
    return found


def filled(text: str, values: Tree, path: str) -> str:
    """An f-string with its values in it.

    Raises:
        Refused: one of them is missing, or more than a name or a plain value.
    """
    pieces = of_format(text)
    for at in range(1, len(pieces), 2):
        name = pieces[at].strip()
        value: Any = values.get(name)
        if not isinstance(value, str | int | float):
            raise Refused(f"`{path}.{name}` must be a text or a number: `example_prompt` uses it.")
        pieces[at] = str(value)
    return "".join(pieces)


def _literal(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")
