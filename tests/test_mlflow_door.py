"""MLflow's own client, pointed at the hub, loads prompts."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.clients import in_python
from tests.serving import Server
from tests.test_mcp_door import move, save

CLIENT = """
import mlflow
from mlflow.entities.model_registry import PromptModelConfig
load = mlflow.genai.load_prompt
import logging, threading
heard = []
class Ear(logging.Handler):
    def emit(self, record):
        heard.append(record.getMessage())
logging.getLogger("mlflow.tracking.client").addHandler(Ear())
def warned():
    for one in threading.enumerate():
        if one.name.startswith("link_prompt"):
            one.join(60)
    return heard
def tried(doing):
    try:
        doing()
    except Exception as error:
        return [type(error).__name__, str(error)]
"""


@pytest.fixture(scope="module")
def filled(server: Server) -> Server:
    chat = {
        "model": "gpt-5", "modelParameters": {"temperature": 0.2, "seed": 7},
        "messages": [{"role": "system", "content": "Sort for {{ team }}."},
                     {"role": "user", "content": "{{ticket}}"}],
    }  # fmt: skip
    first = save(server, "support/triage", chat)
    save(server, "support/triage", {"messages": [{"role": "user", "content": "B"}]}, first["hash"])
    move(server, "support/triage", 1)
    save(server, "hello", {"messages": [{"role": "user", "content": "Hello {{name}}"}]})
    turns = [{"role": "placeholder", "name": "history"}, {"role": "user", "content": "Hi"}]
    save(server, "turns", {"messages": turns})
    save(server, "looped", {"messages": [{"role": "user", "content": "{% if a %}b{% endif %}"}]})
    return server


def run(server: Server, script: str, key: str = "read") -> Any:
    return in_python(
        CLIENT + script, None, MLFLOW_TRACKING_URI=f"{server.url}/api/mlflow",
        MLFLOW_TRACKING_TOKEN=getattr(server.cast, f"{key}_key"), DO_NOT_TRACK="true",
        MLFLOW_HTTP_REQUEST_MAX_RETRIES="0",
    )  # fmt: skip


def test_prompts_are_loaded_and_filled_in(filled: Server):
    script = """
live = load("prompts:/support~triage@production")
say({
    "live": [live.name, live.version, list(live.aliases),
             live.format(team="the ward", ticket="Ow")],
    "config": live.model_config,
    "more": PromptModelConfig.from_dict(live.model_config).extra_params,
    "latest": load("prompts:/support~triage@latest").template,
    "first": load("support~triage", version=1).version,
    "text": load("prompts:/hello/1").format(name="Ada"),
    "warned": warned(),
})
"""
    found = run(filled, script)
    assert found["live"] == [
        "support~triage", 1, ["production"],
        [{"role": "system", "content": "Sort for the ward."}, {"role": "user", "content": "Ow"}],
    ]  # fmt: skip
    assert found["config"] == {"model_name": "gpt-5", "temperature": 0.2, "seed": 7}
    assert found["more"] == {"seed": 7}  # as MLflow itself reads it
    assert (found["latest"], found["first"], found["text"]) == ("B", 1, "Hello Ada")
    assert found["warned"] == []


def test_what_cannot_be_loaded_is_refused_with_a_sentence(filled: Server):
    script = """
say({one: tried(lambda: load("prompts:/" + one)) for one in (
    "gone/1", "hello/9", "hello@staging", "turns/1", "looped/1")}
    | {"missing": load("prompts:/gone/1", allow_missing=True),
       "new": tried(lambda: mlflow.genai.register_prompt(name="new", template="x"))})
"""
    found = run(filled, script)
    assert "Save, propose and release them in the hub" in found.pop("new")[1]
    assert found.pop("missing") is None
    said = {name: one[1] for name, one in found.items()}
    assert "no prompt called gone" in said["gone/1"]
    assert "its newest is 1" in said["hello/9"]
    assert "no label staging" in said["hello@staging"]
    assert "turns given at run time" in said["turns/1"]
    assert "conditions, loops or filters" in said["looped/1"]
    stranger = run(filled, "say(tried(lambda: load('prompts:/hello/1')))", "rival")
    assert "no prompt called hello" in stranger[1]


def test_errors_have_the_shape_that_the_client_reads(filled: Server):
    url = f"{filled.url}/api/mlflow/api/2.0/mlflow/model-versions/get"
    for headers, query, status, code in (
        ({}, "name=hello&version=1", 401, "UNAUTHENTICATED"),
        (filled.headers(), "name=hello&version=x", 400, "INVALID_PARAMETER_VALUE"),
        (filled.headers(), "name=hello", 400, "INVALID_PARAMETER_VALUE"),
        (filled.headers(), "name=Odd%20Name&version=1", 404, "RESOURCE_DOES_NOT_EXIST"),
        (filled.headers(), "name=gone&version=1", 404, "RESOURCE_DOES_NOT_EXIST"),
    ):
        answer = httpx.get(f"{url}?{query}", headers=headers)
        assert (answer.status_code, answer.json()["error_code"]) == (status, code), query
