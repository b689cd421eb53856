"""The whole way: a program that has been running all along sees what is released in a real hub."""

import httpx
import pytest

import sdk
from tests.stand_in import until

REFRESH = 0.2


@pytest.fixture(scope="module")
def api(server):
    with httpx.Client(base_url=server.url, headers=server.headers("write")) as client:
        yield client


@pytest.fixture
def program(server):
    """A program with a key that may read."""
    hub = sdk.Hub(server.url, server.cast.read_key, refresh=REFRESH, boot_wait=60, snapshot=None)
    yield hub
    hub.close(5)


def save(api, name, text, base=None, **more):
    document = {"template": "jinja", "messages": [{"role": "user", "content": text}]} | more
    body = {"document": document, "base": base, "message": "Because"}
    answer = api.post(f"/api/v1/versions/{name}", json=body)
    assert answer.status_code in (200, 201), answer.text
    return answer.json()


def release(api, name, version):
    body = {"version": version, "reason": "It is better"}
    answer = api.put(f"/api/v1/labels/production/{name}", json=body)
    assert answer.status_code == 200, answer.text


def test_a_release_reaches_a_program_that_is_running(api, program):
    first = save(api, "support/triage", "Sort: {{ text }}")
    release(api, "support/triage", 1)
    prompt = program.get_prompt("support/triage")
    assert prompt.request(text="a fall")["messages"] == [
        {"role": "user", "content": "Sort: a fall"}
    ]
    assert (prompt.version, prompt.label, prompt.hash) == (1, "production", first["hash"])
    assert len(prompt.commit) == 40

    save(api, "support/triage", "Sort, ignoring case: {{ text }}", first["hash"])
    release(api, "support/triage", 2)
    until(lambda: program.get_prompt("support/triage").version == 2)
    assert program.get_prompt("support/triage").text(text="x") == "Sort, ignoring case: x"
    assert program.get_prompt("support/triage", version=1).text(text="x") == "Sort: x"

    release(api, "support/triage", 1)
    until(lambda: program.get_prompt("support/triage").version == 1)


def test_what_is_not_there_is_said_by_the_hub(api, program, server):
    save(api, "care/draft", "Not released")
    for name, more in [("no/such", {}), ("care/draft", {}), ("care/draft", {"version": 9})]:
        with pytest.raises(sdk.PromptNotFound) as caught:
            program.get_prompt(name, **more)
        assert name.rpartition("/")[2] in str(caught.value) or "9" in str(caught.value)
    assert program.get_prompt("care/draft", label="latest").version == 1
    with pytest.raises(sdk.PromptUnavailable, match="401"):
        sdk.Hub(server.url, "ph_wrong", boot_wait=60).get_prompt("care/draft")


def test_a_deleted_prompt_leaves_and_another_workspace_sees_nothing(api, program, server):
    save(api, "care/gone", "Here")
    release(api, "care/gone", 1)
    assert program.get_prompt("care/gone").text() == "Here"
    rival = sdk.Hub(server.url, server.cast.rival_key, boot_wait=60, snapshot=None)
    with pytest.raises(sdk.PromptNotFound):
        rival.get_prompt("care/gone")
    rival.close(5)
    assert api.delete("/api/v1/prompts/care/gone").status_code == 204
    until(lambda: program.get_prompt("care/gone", default="Mine").text() == "Mine")


def test_a_snippet_comes_along_by_its_pinned_version(api, program):
    save(api, "snippets/tone", "Be {{ how }}.")
    save(api, "care/letter", '{% include "snippets/tone@1" %} Write.')
    release(api, "care/letter", 1)
    assert program.get_prompt("care/letter").text(how="kind") == "Be kind. Write."
