"""A prompt as a value, and the `.prompt.yml` file it is kept in.

The file is the public GitHub Models format with our keys added, in one fixed order, and keys we
do not know are kept. Any text survives `parse(serialise(document))` byte for byte: a prompt is
somebody's wording, and a hub that trims a trailing space has changed it.

    Document  <-- from_json --  dict with the file's keys  -- to_json -->
    Document  <---- parse ----  bytes of the file          -- serialise -->
"""

from typing import Literal, cast

import msgspec

from hub.errors import Invalid
from hub.registry.prompt import fields, yaml_read, yaml_write
from hub.registry.prompt.guess import guess_template

Template = Literal["jinja", "plain"]


class InvalidDocument(Invalid):
    """The file or JSON is not a prompt; `line` and `key` name the place where known."""

    def __init__(self, sentence: str, line: int | None = None, key: str | None = None) -> None:
        super().__init__(sentence, line=line, key=key)
        self.line = line
        self.key = key


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One turn. Role `placeholder` stands for a list of turns given at run time as `name`."""

    role: str
    content: str = ""
    name: str | None = None
    extra: dict[str, object] = {}


class Variable(msgspec.Struct, frozen=True, kw_only=True):
    """What an application fills in; `type` is a word for people and forms (`long text`)."""

    name: str
    type: str = "text"
    required: bool = True
    default: object = None
    description: str = ""
    example: object = None
    extra: dict[str, object] = {}


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """Everything one prompt file says. `title` is the file's `name`."""

    id: str | None = None
    title: str = ""
    description: str = ""
    template: Template = "jinja"
    tags: tuple[str, ...] = ()
    model: str | None = None
    parameters: dict[str, object] = {}
    messages: tuple[Message, ...] = ()
    variables: tuple[Variable, ...] = ()
    tools: list[object] | None = None
    response_format: str | None = None
    json_schema: object = None
    extra: dict[str, object] = {}


def parse(data: bytes) -> Document:
    """The document in the file, or `InvalidDocument` naming line and key."""
    text = ""
    try:
        text = yaml_read.decode(data)
        return _document(yaml_read.load(text))
    except yaml_read.Problem as problem:
        raise _refusal(problem, text) from None


def serialise(document: Document) -> bytes:
    """The file, UTF-8 with LF line ends; the same document always gives the same bytes."""
    data = yaml_write.dump(to_json(document)).encode("utf-8")
    if len(data) > yaml_read.LARGEST_FILE:
        raise InvalidDocument(
            f"This prompt takes {len(data):,} bytes; 1 MiB is the most. Shorten it."
        )
    return data


def from_json(obj: object) -> Document:
    """The document in a JSON object with the file's keys, or `InvalidDocument`."""
    try:
        return _document(fields.checked_tree(obj))
    except yaml_read.Problem as problem:
        raise _refusal(problem, "") from None


def to_json(document: Document) -> dict[str, object]:
    """The file's keys and values, in the file's order; what is empty is left out."""
    tree: dict[str, object] = {}
    if document.title:
        tree["name"] = document.title
    if document.description:
        tree["description"] = document.description
    if document.id is not None:
        tree["id"] = document.id
    if document.tags:
        tree["tags"] = list(document.tags)
    tree["template"] = document.template
    if document.model is not None:
        tree["model"] = document.model
    if document.parameters:
        tree["modelParameters"] = dict(document.parameters)
    tree["messages"] = [_message_tree(message) for message in document.messages]
    if document.variables:
        tree["variables"] = [_variable_tree(variable) for variable in document.variables]
    if document.tools is not None:
        tree["tools"] = document.tools
    if document.response_format is not None:
        tree["responseFormat"] = document.response_format
    if document.json_schema is not None:
        tree["jsonSchema"] = document.json_schema
    tree.update(document.extra)
    return tree


def _message_tree(message: Message) -> dict[str, object]:
    tree: dict[str, object] = {"role": message.role}
    if message.content or message.role != "placeholder":
        tree["content"] = message.content
    if message.name is not None:
        tree["name"] = message.name
    tree.update(message.extra)
    return tree


def _variable_tree(variable: Variable) -> dict[str, object]:
    tree: dict[str, object] = {"name": variable.name, "type": variable.type}
    if not variable.required:
        tree["required"] = False
    if variable.default is not None:
        tree["default"] = variable.default
    if variable.description:
        tree["description"] = variable.description
    if variable.example is not None:
        tree["example"] = variable.example
    tree.update(variable.extra)
    return tree


def _document(tree: object) -> Document:
    """Take the known keys out of the tree, each checked; what is left is `extra`."""
    rest = dict(fields.group(tree, ()))
    take = fields.Taker(rest, ())
    title, description = take.text("name") or "", take.text("description") or ""
    template = take.choice("template", ("jinja", "plain"))
    messages = tuple(
        _message(one, ("messages", at)) for at, one in enumerate(take.items("messages"))
    )
    if template is None:
        template, _ = guess_template([message.content for message in messages])
    return Document(
        id=take.filled_text("id"),
        title=title,
        description=description,
        template=cast("Template", template),
        tags=take.texts("tags"),
        model=take.text("model"),
        parameters=take.parameters("modelParameters"),
        messages=messages,
        variables=_variables(take),
        tools=take.groups("tools"),
        response_format=take.text("responseFormat"),
        json_schema=take.anything("jsonSchema"),
        extra=take.rest(),
    )


def _message(tree: object, path: yaml_read.Path) -> Message:
    """One of `messages`, with a role we know."""
    take = fields.Taker(dict(fields.group(tree, path)), path)
    role = take.choice("role", fields.ROLES)
    if role is None:
        raise yaml_read.Problem(f"{fields.where(path)} has no `role`.", path=path, key="role")
    if role != "placeholder" and not take.has("content") and not take.has("tool_calls"):
        raise yaml_read.Problem(f"{fields.where(path)} has no `content`.", path=path, key="content")
    content, name = take.text("content") or "", take.filled_text("name")
    if role == "placeholder" and name is None:
        raise yaml_read.Problem(
            f"{fields.where(path)} is a placeholder and needs a `name`, such as history.",
            path=path,
            key="name",
        )
    return Message(role=role, content=content, name=name, extra=take.rest())


def _variables(take: fields.Taker) -> tuple[Variable, ...]:
    """`variables` as a list, or as a group of name and details."""
    seen: set[str] = set()
    variables: list[Variable] = []
    for path, tree in take.named_groups("variables"):
        one = fields.Taker(tree, path)
        name = one.filled_text("name")
        if name is None:
            raise yaml_read.Problem(f"{fields.where(path)} has no `name`.", path=path, key="name")
        if name in seen:
            raise yaml_read.Problem(
                f"The variable `{name}` is declared twice. Keep one of the two.",
                path=path,
                key=name,
            )
        seen.add(name)
        variables.append(_variable(name, one))
    return tuple(variables)


def _variable(name: str, take: fields.Taker) -> Variable:
    required = take.flag("required")
    return Variable(
        name=name,
        type=take.text("type") or "text",
        required=True if required is None else required,
        default=take.anything("default"),
        description=take.text("description") or "",
        example=take.anything("example"),
        extra=take.rest(),
    )


def _refusal(problem: yaml_read.Problem, text: str) -> InvalidDocument:
    """The sentence with its line, which is looked for only now that it is needed."""
    line, sentence = problem.line, problem.sentence
    if line is None and text and problem.path:
        line = yaml_read.line_of(text, problem.path)
    if line is not None:
        sentence = f"Line {line}: {sentence}"
    elif sentence[:1].islower():
        sentence = sentence[0].upper() + sentence[1:]
    return InvalidDocument(sentence, line, problem.key)
