"""LangSmith and LangChain Hub manifests, and what LangChain's `save` wrote, read as data.

A manifest names classes to load. None is ever looked up: the names below are words that say what
a group of keys means, and a group with any other name is refused or left out.
"""

from __future__ import annotations

from typing import Any, cast

from hub.registry.prompt.document import Document, Message, Variable
from hub.sync.formats import fewshot
from hub.sync.formats.ours import make, message, plain_word, settings, take_ours
from hub.sync.formats.report import Notes, Read, Refused
from hub.sync.formats.trees import Keys, Tree, json_of, yaml_of

_ROLES = {
    "SystemMessagePromptTemplate": "system",
    "SystemMessage": "system",
    "HumanMessagePromptTemplate": "user",
    "HumanMessage": "user",
    "AIMessagePromptTemplate": "assistant",
    "AIMessage": "assistant",
    "ChatMessagePromptTemplate": "",
    "ChatMessage": "",
}
_PROMPTS = ("ChatPromptTemplate", "StructuredPrompt", "PromptTemplate", "FewShotPromptTemplate")
_SAVED = {"prompt": "PromptTemplate", "few_shot": "FewShotPromptTemplate"}
"""`_type` of a file that LangChain's own `save` wrote, whose keys are those of the class."""
_MODELS = frozenset(
    """ChatOpenAI AzureChatOpenAI ChatAnthropic ChatGoogleGenerativeAI ChatVertexAI ChatMistralAI
    ChatGroq ChatFireworks ChatBedrock ChatBedrockConverse ChatOllama ChatXAI
    ChatDeepSeek""".split()
)
_THEIRS = """owner commit_hash parent_commit examples created_at prompt_name prompt_id
    created_by"""
_CONNECTS = "where to connect is set in the hub, never by a prompt"
_MADE = "it says what the texts say themselves"


def sniff(value: Any) -> bool:
    """Whether a JSON value is a manifest, or an answer that holds one."""
    if not isinstance(value, dict):
        return False
    if (saved := cast("Tree", value).get("_type")) and isinstance(saved, str):
        return saved in _SAVED and "lc" not in value
    inner = cast("Tree", value).get("manifest", value)
    if not isinstance(inner, dict) or "lc" not in inner:
        return False
    return "kwargs" in inner or cast("Tree", inner).get("type") == "not_implemented"


def read(text: str, stem: str) -> list[Read]:
    """The one prompt of a manifest."""
    notes = Notes()
    keys = Keys(json_of(text) if text.lstrip().startswith("{") else yaml_of(text), notes)
    manifest = keys.peek("manifest") if "manifest" in keys else keys.rest()
    keys.take("manifest")
    name = keys.text("repo") if "repo" in keys else ""
    for key in _THEIRS.split():
        keys.lose(key, "it belongs to the other installation")
    keys.done()
    given: Tree = {"extra": {}}
    prompt = _chain(manifest, given, notes)
    messages, syntax, ours = _prompt(prompt, given, notes)
    document = Document(messages=tuple(messages), **given)
    return [make(document, syntax, ours, notes, name=name)]


def _named(value: Any, path: str, notes: Notes) -> tuple[str, Keys]:
    """The last word of the class that a group names, and its `kwargs`."""
    keys = Keys(value, notes, path)
    if (saved := keys.take("_type")) is not None:
        if not isinstance(saved, str) or saved not in _SAVED:
            raise Refused(f"`{keys.where('_type')}` must be {' or '.join(_SAVED)}.")
        return _SAVED[saved], keys
    ids = keys.items("id")
    keys.take("lc")
    type_ = keys.text("type")
    if type_ == "not_implemented" and (last := _last(value)[:60]):
        raise Refused(fewshot.unsaved(last))
    if type_ != "constructor" or not ids or not all(isinstance(one, str) for one in ids):
        raise Refused(f"`{keys.where('type')}`: a manifest holds constructors with an id alone.")
    if str(ids[0]).split("_")[0] != "langchain":
        raise Refused(f"`{keys.where('id')}`: {'.'.join(ids)[:80]} is not a part of LangChain.")
    kwargs = keys.group("kwargs")
    keys.lose("name", "a label of the drawing")
    keys.lose("graph", "a drawing of the parts")
    keys.done()
    return str(ids[-1]), kwargs


def _chain(value: Any, given: Tree, notes: Notes) -> Any:
    """The prompt of a sequence of prompt and model; the model's settings are taken."""
    if not isinstance(value, dict) or _last(value) != "RunnableSequence":
        return value
    _, kwargs = _named(value, "manifest", notes)
    first, rest = kwargs.take("first"), [*kwargs.items("middle"), kwargs.take("last")]
    kwargs.done()
    for at, one in enumerate(rest):
        _model(one, given, f"manifest.steps[{at + 1}]", notes)
    return first


def _last(value: Any) -> str:
    ids = cast("Tree", value).get("id") if isinstance(value, dict) else None
    return str(cast("list[Any]", ids)[-1]) if isinstance(ids, list) and ids else ""


def _model(value: Any, given: Tree, path: str, notes: Notes) -> None:
    """A model's name, settings and tools; its address, keys and everything else stay out."""
    name = _last(value)
    if name == "RunnableBinding":
        _, kwargs = _named(value, path, notes)
        bound = kwargs.group("kwargs")
        if isinstance(bound.peek("tools"), list):
            given["tools"] = bound.take("tools")
        _model(kwargs.take("bound"), given, path, notes)
        given.setdefault("parameters", {}).update(_kept(bound))
        kwargs.lose("config", "how to run it is the application's")
        kwargs.done()
    elif name in _MODELS:
        _, kwargs = _named(value, path, notes)
        named = [kwargs.take(key) for key in ("model", "model_name")]
        given["model"] = next((one for one in named if isinstance(one, str) and one), None)
        given.setdefault("parameters", {}).update(_kept(kwargs))
    elif value is not None:
        notes.lose(path, f"{name[:60] or 'it'} is not a model that is known here")


def _kept(keys: Keys) -> Tree:
    """Plain settings; `make` keeps those known. Groups that name a class go at once."""
    extra = keys.peek("model_kwargs")
    more = settings(keys.group("model_kwargs")) if isinstance(extra, dict) else {}
    for key in keys.rest_names():
        value = keys.peek(key)
        if value is None or (isinstance(value, dict) and "lc" in value):
            keys.lose(key, _CONNECTS)
    return {**settings(keys), **more}


def _prompt(value: Any, given: Tree, notes: Notes) -> tuple[list[Message], str, Tree]:
    path = "" if isinstance(value, dict) and "_type" in value else "manifest"
    name, kwargs = _named(value, path, notes)
    if name not in _PROMPTS:
        raise Refused(f"`manifest.id`: {name[:60]} is not a kind of prompt that is known here.")
    about = kwargs.group("metadata")
    ours = take_ours(about)
    for key in [key for key in about.rest_names() if key.startswith("lc_hub_")]:
        about.lose(key, "it belongs to the other installation")
    if left := about.rest():
        given["extra"]["metadata"] = left
    given["tags"] = kwargs.words("tags")
    if (schema := kwargs.take("schema_") or kwargs.take("schema")) is not None:
        given["response_format"], given["json_schema"] = "json_schema", schema
    kwargs.lose("structured_output_kwargs", "how the answer is asked for is the hub's")
    given["variables"] = tuple(_partials(kwargs))
    formats: set[str] = set()
    if name == "PromptTemplate":
        found = [Message(role="user", content=_template(kwargs, formats))]
    elif name == "FewShotPromptTemplate":
        formats.add(kwargs.text("template_format") or "f-string")
        found = [Message(role="user", content=fewshot.written(kwargs, *_each(kwargs, notes)))]
    else:
        formats |= {kwargs.text("template_format")} - {""} if "template_format" in kwargs else set()
        inner: set[str] = set()
        found = [
            turn
            for at, one in enumerate(kwargs.items("messages"))
            for turn in _turns(one, f"manifest.messages[{at}]", inner, notes)
        ]
        formats = inner or formats
    for key in ("input_variables", "optional_variables", "input_types", "validate_template"):
        kwargs.take(key)
    kwargs.lose("output_parser", "code may not come in with a prompt")
    kwargs.lose("name", "the file's place is its name")
    kwargs.done()
    return found, _syntax(formats), ours


def _each(kwargs: Keys, notes: Notes) -> tuple[str, Tree]:
    """What every example is filled into, and what is given beforehand."""
    value = kwargs.take("example_prompt")
    if isinstance(value, dict) and "lc" not in value:  # `save` leaves its kind out
        value = {"_type": "prompt"} | cast("Tree", value)
    name, inner = _named(value, kwargs.where("example_prompt"), notes)
    formats: set[str] = set()
    text = _template(inner, formats) if name == "PromptTemplate" else ""
    if formats != {"f-string"}:
        raise Refused(f"`{inner.path}` must be a PromptTemplate that is an f-string.")
    return text, {one.name: one.default for one in _partials(inner)}


def _turns(value: Any, path: str, formats: set[str], notes: Notes) -> list[Message]:
    """One turn, or those of examples."""
    if _last(value) != "FewShotChatMessagePromptTemplate":
        return [_turn(value, path, formats, notes)]
    _, kwargs = _named(value, path, notes)
    name, shape = _named(kwargs.take("example_prompt"), kwargs.where("example_prompt"), notes)
    rows, theirs = shape.items("messages"), set[str]()
    inner = [_turn(one, f"{shape.path}[{at}]", theirs, notes) for at, one in enumerate(rows)]
    alike = name == "ChatPromptTemplate" and theirs <= {"f-string"}
    if not alike or not inner or any(one.role == "placeholder" for one in inner):
        raise Refused(f"`{shape.path}` must be a ChatPromptTemplate of texts that are f-strings.")
    formats.add("f-string")
    for key in ("input_variables", "optional_variables", "input_types", "partial_variables"):
        kwargs.take(key)
        shape.take(key)
    shape.done()
    found = fewshot.turns(kwargs, inner)
    kwargs.done()
    return found


def _partials(kwargs: Keys) -> list[Variable]:
    """Values given beforehand are defaults of their variables."""
    found: list[Variable] = []
    group = kwargs.group("partial_variables")
    for key in group.rest_names():
        value = group.peek(key)
        if isinstance(value, str | int | float | bool) and plain_word(key):
            found.append(Variable(name=key, required=False, default=group.take(key)))
    group.done("only plain values can be given beforehand")
    return found


def _syntax(formats: set[str]) -> str:
    if len(formats) > 1:
        raise Refused(f"`template_format`: {' and '.join(sorted(formats))} cannot be mixed.")
    known = {"f-string": "f-string", "mustache": "mustache", "jinja2": "jinja"}
    word = next(iter(formats), "f-string")
    if word not in known:
        raise Refused(f"`template_format` must be f-string, mustache or jinja2, not `{word[:40]}`.")
    return known[word]


def _template(kwargs: Keys, formats: set[str]) -> str:
    formats.add(kwargs.text("template_format") or "f-string")
    if kwargs.peek("template_path"):
        raise Refused(
            f"`{kwargs.where('template_path')}` names another file. Put its text here, as "
            "`template`."
        )
    if not isinstance(kwargs.peek("template"), str):
        raise Refused(f"`{kwargs.where('template')}` must be text.")
    return kwargs.text("template")


def _turn(value: Any, path: str, formats: set[str], notes: Notes) -> Message:
    name, kwargs = _named(value, path, notes)
    if name == "MessagesPlaceholder":
        kwargs.lose("optional", "turns given at run time may always be none here")
        kwargs.lose("n_messages", "how many turns are given is the application's")
        found = Message(role="placeholder", name=kwargs.text("variable_name") or None)
        kwargs.done()
        return found
    if name not in _ROLES:
        raise Refused(f"`{path}.id`: {name[:60]} is not a kind of turn that is known here.")
    role = _ROLES[name] or kwargs.text("role")
    if "prompt" in kwargs:
        if _last(kwargs.peek("prompt")) != "PromptTemplate":
            raise Refused(f"`{path}.prompt`: only texts come in, no pictures or lists.")
        _, inner = _named(kwargs.take("prompt"), f"{path}.prompt", notes)
        text = _template(inner, formats)
        _partials(inner)
        for key in ("input_variables", "input_types", "validate_template", "optional_variables"):
            inner.take(key)
        inner.done()
    else:
        text = kwargs.text("content")
        if "{" in text or "}" in text:  # a finished turn: its braces are just braces
            text = text.replace("{", "{{").replace("}", "}}")
            formats.add("f-string")
    for key in ("additional_kwargs", "response_metadata", "type", "id", "input_variables"):
        kwargs.take(key) if kwargs.peek(key) in ({}, [], role) else kwargs.lose(key, _MADE)
    kwargs.done()
    return message(role, text, path)
