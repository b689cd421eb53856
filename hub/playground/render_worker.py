"""The process that renders users' templates: no secrets, no files, little memory, killable.

Started by `hub.playground.render` as `python -m hub.playground.render_worker`. One JSON line in
(`{"document", "snippets", "values"}`), one out (`{"request"}` or `{"error"}`); or `{"schema",
"answer"}` in, and `{"misfit"}` out: whether an answer has its shape is a question of users' regular
expressions, too. It ends when its standard input does. The template language is allow-listed
already; this is the third wall.
"""

from __future__ import annotations

import json
import re
import sys
from typing import Any

MEMORY = 512 * 1024 * 1024
SECONDS = 2
Json = dict[str, Any]
_NAME = "this prompt"


def render(document: Json, snippets: dict[str, str], values: Json) -> Json:
    """`{"request"}` of that prompt with those values, or `{"error"}` with a sentence."""
    from sdk.errors import MissingVariables, PromptHubError
    from sdk.prompt import Prompt

    record = {"name": _NAME, "version": 0, "document": document, "snippets": snippets}
    try:
        return {"request": Prompt.from_record(record, "hub").request(**values)}
    except MissingVariables as error:
        many = len(error.names) > 1
        return {
            "error": f"{'These have' if many else 'This has'} no value yet: "
            f"{', '.join(error.names)}. Fill {'them' if many else 'it'} in and run again."
        }
    except PromptHubError as error:
        return {"error": _sentence(str(error))}
    except MemoryError:
        return {"error": "The prompt grows too large with these values. Shorten it."}
    except RecursionError:
        return {"error": "The prompt is nested too deeply. Make it simpler."}
    except (TypeError, ValueError, AttributeError, LookupError):
        return {
            "error": "A variable's name, a value or the answer shape of this prompt cannot be "
            "used. Check them in Write."
        }


def misfit(schema: Json, answer: str) -> Json:
    """`{"misfit"}`: why the answer does not have that shape; empty: it has."""
    import jsonschema
    from referencing import Registry

    try:
        tree = json.loads(answer, parse_constant=_no_number)
    except ValueError:
        return {"misfit": "it is not JSON"}
    except RecursionError:
        return {"misfit": "it is nested too deeply"}
    try:
        # A registry of its own: what the schema points at is never fetched.
        held = jsonschema.Draft202012Validator(schema, registry=Registry())
        first = next(iter(sorted(held.iter_errors(tree), key=lambda one: one.path)), None)
    except Exception as error:  # a schema may be wrong in any way
        return {"misfit": f"the schema cannot be used ({type(error).__name__})"}
    if first is None:
        return {"misfit": ""}
    where = ".".join(map(str, first.absolute_path))
    return {"misfit": f"{where}: {first.message}"[:300] if where else first.message[:300]}


def _no_number(sign: str) -> Any:
    """NaN and Infinity are Python's own; no other reader of JSON takes them."""
    raise ValueError(sign)


def _sentence(text: str) -> str:
    """The SDK names prompt and version first; on the page of that prompt this is noise."""
    text = re.sub(rf"^(Line \d+): {_NAME} v0, (message \d+): ", r"\2, \1: ", text)
    text = re.sub(rf"^{_NAME} v0[:,] ", "", text)
    text = text.replace(", Line", ", line")
    return text[:1].upper() + text[1:]


def _confine() -> None:
    """Limits of this process; on systems without them the parent's deadline is left."""
    try:
        import resource
    except ImportError:  # pragma: no cover - Windows
        return
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    # Standard input, output and error are open already; nothing else can be.
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))


def _allow_seconds() -> None:
    """Processor time for one more request; it counts over the whole life of a process."""
    try:
        import resource
    except ImportError:  # pragma: no cover - Windows
        return
    used = resource.getrusage(resource.RUSAGE_SELF)
    so_far = int(used.ru_utime + used.ru_stime)
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (so_far + SECONDS + 1, hard))


def _warm() -> None:
    """Use every corner of the language once: Python imports some parts of itself only then."""
    rich = (
        "{# c #}{% if a and not b or a == 'x\\n' %}{{ c | join(', ') }}{% elif a > 1 %}{% else %}"
        "{% for k in d %}{{ loop.index }}{{ k.e[0] | upper | trim | default('é') }}{% endfor %}"
        '{% endif %}{% include "s/x@1" %}{% raw %}{{ }}{% endraw %}{{ a | length }}{{ a | round }}'
    )
    values: Json = {"a": 1.5, "b": False, "c": ["x", 2], "d": [{"e": ["f"]}]}
    for text in (
        rich,
        "{{ a | join }}",
        "{{ a.b() }}",
        "{% if",
        "{{ missing }}{% if a %}{% endif %}",
    ):
        document = {"template": "jinja", "messages": [{"role": "user", "content": text}]}
        for given in (values, values | {"a": ["1"]}, {}):
            json.dumps(render(document, {"s/x@1": "é {{ b }}"}, given))
    inner = {"a": {"pattern": "^x", "enum": ["x"]}}
    shape: Json = {"type": "object", "properties": inner, "required": ["b"]}
    for answer in ('{"a": "y"}', "{", '{"a": "x", "b": 1}'):
        misfit(shape | {"additionalProperties": False}, answer)


def main() -> None:
    _warm()
    _confine()
    out = sys.stdout
    out.write('{"ready": true}\n')
    out.flush()
    for line in sys.stdin:
        _allow_seconds()
        asked = json.loads(line)
        told = misfit(**asked) if "schema" in asked else render(**asked)
        out.write(json.dumps(told) + "\n")
        out.flush()


if __name__ == "__main__":
    main()
