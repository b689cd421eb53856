"""Filling in a prompt: values go in, bombs cost themselves and nobody else."""

import asyncio
import os

import pytest

from hub.playground.render import NotRendered, Renderer, is_simple
from tests.contract.running import Turn

BOMB = (
    "{% for a in rows %}{% for b in rows %}{% for c in rows %}x{% endfor %}{% endfor %}{% endfor %}"
)
DEEP = "{% if a %}" * 2000 + "{% endif %}" * 2000


def prompt(*texts: str, **more) -> dict:
    return {"template": "jinja", "messages": [{"role": "user", "content": t} for t in texts]} | more


@pytest.fixture
async def renderer():
    renderer = Renderer()
    yield renderer
    await renderer.stop()


async def test_names_are_filled_in_without_a_worker(renderer):
    document = prompt("Hello {{ name }}", model="m", modelParameters={"temperature": 0.2})
    request = await renderer.request(document, {}, {"name": "{{ x }} <b>"})
    assert request == {
        "messages": [{"role": "user", "content": "Hello {{ x }} <b>"}],
        "model": "m",
        "temperature": 0.2,
    }
    assert is_simple(document)


async def test_conditions_loops_and_snippets_are_rendered_in_the_worker(renderer):
    text = '{% if urgent %}Now{% else %}Later{% endif %}{% include "snippets/tone@3" %}'
    request = await renderer.request(
        prompt(text), {"snippets/tone@3": ", be {{ tone }}."}, {"urgent": False, "tone": "kind"}
    )
    assert request["messages"][0]["content"] == "Later, be kind."


async def test_the_conversation_so_far_tools_and_answer_shape_go_along(renderer):
    document = prompt(
        "And {{ now }}",
        tools=[{"type": "function", "function": {"name": "look_up"}}],
        responseFormat="json_schema",
        jsonSchema='{"name": "s", "schema": {"type": "object"}}',
    )
    document["messages"].insert(0, {"role": "placeholder", "name": "history"})
    turns = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yes?"}]
    request = await renderer.request(document, {}, {"history": turns, "now": "?"})
    assert [m["content"] for m in request["messages"]] == ["Hi", "Yes?", "And ?"]
    assert request["tools"][0]["function"]["name"] == "look_up"
    assert request["response_format"]["json_schema"]["name"] == "s"


@pytest.mark.parametrize(
    ("document", "values", "sentence"),
    [
        (prompt("{{ a }} {{ b }}"), {"a": "1"}, "no value yet: b"),
        (prompt("{{ n }}", variables=[{"name": "n", "type": "number"}]), {"n": "x"}, "a number"),
        (prompt("{{ ''.__class__ }}"), {}, "Message 1"),
        (prompt("{% for x in rows %}{{ x }}"), {"rows": []}, "Message 1"),
        (prompt("x", responseFormat="json_schema", jsonSchema="no json"), {}, "answer shape"),
        (prompt("{{ self }}"), {"self": "x"}, ""),
    ],
)
async def test_what_cannot_be_filled_in_is_a_sentence(renderer, document, values, sentence):
    with pytest.raises(NotRendered) as refusal:
        await renderer.request(document, {}, values)
    assert sentence in refusal.value.sentence
    assert "v0" not in refusal.value.sentence


async def test_sixty_bombs_leave_the_hub_answering(renderer, monkeypatch):
    """The worst gap between two beats of the loop stays small while bombs go off."""
    await renderer.request(prompt("{% if a %}{% endif %}"), {}, {"a": 1})
    monkeypatch.setattr("hub.playground.render.DEADLINE", 2)
    gaps, going = [], True

    async def beat():
        turn = Turn()
        while going:
            await asyncio.sleep(0.005)
            gaps.append(sum(turn.took()))

    heart = asyncio.create_task(beat())
    rows = list(range(500))
    bombs = [prompt(BOMB), prompt(DEEP), prompt("{{ 'a' * 1000000000 }}")] * 20
    refused = await asyncio.gather(
        *(renderer.request(bomb, {}, {"rows": rows, "a": True}) for bomb in bombs),
        return_exceptions=True,
    )
    going = False
    await heart
    assert all(isinstance(one, NotRendered) for one in refused)
    assert sorted(gaps)[int(len(gaps) * 0.99)] < 500
    monkeypatch.setattr("hub.playground.render.DEADLINE", 60)
    request = await renderer.request(prompt("{% if a %}fine{% endif %}"), {}, {"a": True})
    assert request["messages"][0]["content"] == "fine"


async def test_a_worker_that_hangs_is_killed_and_replaced(renderer, monkeypatch):
    await renderer.request(prompt("{% if a %}{% endif %}"), {}, {"a": 1})
    worker = renderer._idle.get_nowait()
    monkeypatch.setattr("hub.playground.render.DEADLINE", 0.3)
    os.kill(worker.pid, 19)  # SIGSTOP: it neither answers nor ends
    renderer._idle.put_nowait(worker)
    with pytest.raises(NotRendered, match="took too long"):
        await renderer.request(prompt("{% if a %}{% endif %}"), {}, {"a": 1})
    assert worker.returncode is not None
    monkeypatch.setattr("hub.playground.render.DEADLINE", 60)
    request = await renderer.request(prompt("{% if a %}again{% endif %}"), {}, {"a": 1})
    assert request["messages"][0]["content"] == "again"


async def test_a_worker_holds_no_secret_and_opens_no_file(renderer):
    await renderer.request(prompt("{% if a %}{% endif %}"), {}, {"a": 1})
    worker = renderer._idle.get_nowait()
    renderer._idle.put_nowait(worker)
    with open(f"/proc/{worker.pid}/environ") as environ:
        assert environ.read() == ""
    with open(f"/proc/{worker.pid}/limits") as limits:
        rows = {line[:26].strip(): line[26:].split()[0] for line in limits}
    assert rows["Max open files"] == "3"
    assert rows["Max address space"] == str(512 * 1024 * 1024)


async def test_checking_answers_leaves_a_worker_for_filling_in(renderer):
    """Hundreds of answers held against a pattern that takes for ever, and somebody else's loop."""
    endless = {"type": "string", "pattern": "^(a+)+$"}
    checks = [
        asyncio.create_task(renderer.misfit(endless, '"' + "a" * 60 + '!"')) for _ in range(8)
    ]
    await asyncio.sleep(0.1)
    looped = await renderer.request(prompt("{% for n in names %}{{ n }}{% endfor %}"), {},
                                    {"names": ["a", "b"]})  # fmt: skip
    assert looped["messages"][0]["content"] == "ab"
    assert not any(check.done() for check in checks[1:]), "it did not wait for them"
    for check in checks:
        check.cancel()
    await asyncio.gather(*checks, return_exceptions=True)
