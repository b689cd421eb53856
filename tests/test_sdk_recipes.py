"""The code in docs/sdk.md: all of it compiles, and what needs no foreign package runs."""

import importlib.util
import re
import sys
import types
from pathlib import Path

import pytest

import sdk
from sdk.testing import serving

TEXT = (Path(__file__).resolve().parent.parent / "docs" / "sdk.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, re.S)
FOREIGN = ("openai", "anthropic", "langchain", "fastapi", "django", "celery", "myapp")


def title(code: str) -> str:
    return next(line for line in code.split("\n") if line and not line.startswith("import sdk"))[
        :40
    ]


def imported(code: str) -> set[str]:
    return set(re.findall(r"^(?:from|import) (\w+)", code, re.M))


def test_the_recipes_are_there():
    spoken = "".join(BLOCKS)
    for name in (*FOREIGN[:6], "litestar", "lambda", "sdk.testing", "pytest_plugins"):
        assert name in spoken, name
    assert len(BLOCKS) >= 14


@pytest.mark.parametrize("code", BLOCKS, ids=title)
def test_it_compiles(code):
    compile(code, "docs/sdk.md", "exec", flags=0x2000)  # await may stand at the top


def stand_in(code: str) -> dict[str, object]:
    class Client:
        class chat:
            class completions:
                create = staticmethod(lambda **body: body)

    return {"ticket": "a fall", "client": Client, "user_id": "u1",
            "load_from_my_package": lambda: "Mine"}  # fmt: skip


RUN = [
    one for one in BLOCKS
    if "await sdk.aget_prompt(\"support/triage\")  #" not in one
    and not any(importlib.util.find_spec(name) is None for name in imported(one))
    and not imported(one) & {"openai", "anthropic", "langchain"}
]  # fmt: skip


@pytest.mark.parametrize("code", RUN, ids=title)
def test_it_runs(code, monkeypatch):
    with serving({"support/triage": "Sort: {{ text }}"}) as hub:
        hub._versions["support/triage"][7] = hub._versions["support/triage"][1]._replace(version=7)
        monkeypatch.setattr(sdk, "configure", lambda *_, **__: hub)
        module = types.ModuleType("a_recipe")
        monkeypatch.setitem(sys.modules, "a_recipe", module)
        made = module.__dict__
        made.update(sdk=sdk, **stand_in(code))
        exec(compile(code, "docs/sdk.md", "exec"), made)
        if "handler" in made:
            said = made["handler"]({"text": "a fall"}, None)
            assert said == [{"role": "user", "content": "Sort: a fall"}]


def test_most_of_them_run():
    assert len(RUN) >= 7


def test_the_options_are_those_of_the_hub():
    import inspect

    named = re.search(r"## Configure(.*?)## Get", TEXT, re.S)
    assert named is not None
    told = set(re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (.*?) \|", named[1], re.M))))
    there = set(inspect.signature(sdk.Hub.__init__).parameters)
    assert there - told == {"self", "url", "key", "timing"}
    assert told - there == {"option"} - {"option"}
