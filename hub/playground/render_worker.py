"""The process that renders users' templates: no secrets, no files, little memory, killable.

Started by `hub.playground.render` as `python -m hub.playground.render_worker`. One JSON line in
(`{"record", "values"}`), one JSON line out (`{"request"}` or `{"error"}`); it ends when its
standard input does. The template language is allow-listed already; this is the third wall.
"""

from __future__ import annotations

import json
import sys
from typing import Any

MEMORY = 512 * 1024 * 1024
SECONDS = 2


def render(record: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    """The request of that prompt with those values, or the sentence that refuses it."""
    from sdk.errors import PromptHubError
    from sdk.prompt import Prompt

    try:
        return {"request": Prompt.from_record(record, "hub").request(**values)}
    except PromptHubError as error:
        return {"error": str(error)}
    except TypeError as error:
        if "keyword" in str(error) or "argument" in str(error):
            return {"error": "One of the variables has a name that cannot be used."}
        return {"error": "A value does not fit where the prompt uses it. Check the variables."}
    except MemoryError:
        return {"error": "The prompt grows too large with these values. Shorten it."}
    except RecursionError:
        return {"error": "The prompt is nested too deeply. Make it simpler."}


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
    """Import everything once, before files can no longer be opened."""
    document = {
        "template": "jinja",
        "messages": [{"role": "user", "content": "{% if a %}b{% endif %}"}],
    }
    render({"name": "warm", "version": 1, "document": document, "snippets": {}}, {"a": True})
    render({"name": "warm", "version": 1, "document": document, "snippets": {}}, {})


def main() -> None:
    _warm()
    _confine()
    out = sys.stdout
    out.write('{"ready": true}\n')
    out.flush()
    for line in sys.stdin:
        _allow_seconds()
        asked = json.loads(line)
        out.write(json.dumps(render(asked["record"], asked["values"])) + "\n")
        out.flush()


if __name__ == "__main__":
    main()
