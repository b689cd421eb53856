"""40–42: what the hub is told, what nobody is, and what an import costs."""

import json
import logging
import threading
import time

import pytest

import sdk
from tests.contract.fake_hub import KEY
from tests.contract.faults import answer, hang
from tests.contract.running import QUICK, run, until


def test_40_every_read_of_eight_threads_is_counted_once(far, make):
    far.release("a/t", "Hello {{ name }}")
    hub = make()
    hub.get_prompt("a/b")
    hub.wait_ready(60)

    def read():
        for _ in range(5000):
            hub.get_prompt("a/b")
            hub.get_prompt("a/t").text(name="Ada")

    threads = [threading.Thread(target=read) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    hub.get_prompt("a/t").render(name="Bo")
    with pytest.raises(sdk.MissingVariables):
        hub.get_prompt("a/t").text()

    def counted(name, what="calls"):
        rows = [row for report in far.reports for row in report["prompts"] if row["name"] == name]
        return sum(row[what] for row in rows)

    until(lambda: counted("a/b") == 40_001 and counted("a/t") == 40_002)
    assert counted("a/t", "errors") == 1
    rows = [row for report in far.reports for row in report["prompts"] if row["name"] == "a/t"]
    assert {tuple(row["variables"]) for row in rows if "variables" in row} == {("name",)}
    until(lambda: far.reports[-1]["state"] == "live")
    report = far.reports[-1]
    assert report["sdk"].startswith("prompthub-python/")
    assert {"schema", "app", "instance", "epoch", "revision", "age", "seconds"} <= set(report)


def test_40_it_is_bounded_never_blocks_and_can_be_off(far, make):
    from sdk.usage import LARGEST, MOST_PROMPTS

    far.faults["usage"] = hang
    hub, silent = make(), make(telemetry=False)
    hub.get_prompt("a/b")
    silent.get_prompt("a/b")
    until(lambda: far.asked["usage"] >= 1)
    far.release("a/b", "Two", 2)
    until(lambda: hub.get_prompt("a/b").version == 2)
    for number in range(3000):
        hub.get_prompt(f"none/{number}", default="x")
    body = hub._upkeep._usage.report(hub.status())
    assert len(body) <= LARGEST
    assert len(json.loads(body)["prompts"]) <= MOST_PROMPTS
    instances = {headers.get("x-prompthub-instance") for path, headers in far.requests
                 if "usage" in path}  # fmt: skip
    assert len(instances) == 1


def test_40_a_handle_and_a_default_are_told_of(far, make):
    hub = make(app="triage-bot", environment="staging")
    handle = hub.prompt("a/b")
    assert handle.current.version == 1
    hub.get_prompt("no/such", default="Mine")
    hub.wait_ready(60)
    found = lambda: {(r["name"], r["source"]) for one in far.reports for r in one["prompts"]}  # noqa: E731
    until(lambda: {("a/b", "stream"), ("no/such", "default")} <= found())
    assert (far.reports[-1]["app"], far.reports[-1]["environment"]) == ("triage-bot", "staging")


def test_40_one_that_is_out_of_step_says_so_while_it_can(far, make):
    hub = make()
    hub.get_prompt("a/b")
    hub.wait_ready()
    far.faults["snapshot"] = far.faults["stream"] = answer(500)
    far.cut()
    until(lambda: far.reports and far.reports[-1]["state"] == "stale")
    first = far.reports[-1]["age"]
    until(lambda: far.reports[-1]["age"] > first > 0)
    far.faults.clear()
    until(lambda: far.reports[-1]["state"] == "live")


def test_40_what_is_left_is_told_at_the_end(far, make):
    hub = make(timing=QUICK._replace(report=60, report_soon=60))
    for _ in range(7):
        hub.get_prompt("a/b")
    assert not far.reports
    hub.close(60)
    assert sum(one["calls"] for one in far.reports[-1]["prompts"]) == 7


@pytest.mark.parametrize("trouble", ["none", "refused", "garble"])
def test_41_the_key_is_nowhere(far, make, wire, tmp_path, caplog, trouble):
    caplog.set_level(logging.DEBUG)
    seen = []
    hub = make(wire.url, snapshot=str(tmp_path), on_change=lambda event: seen.append(repr(event)))
    hub.get_prompt("a/b")
    until(lambda: list(tmp_path.iterdir()))
    if trouble == "refused":
        far.keys = set()
    elif trouble == "garble":
        wire.mood = "garble"
    wire.cut()
    time.sleep(0.5)
    with pytest.raises(sdk.PromptHubError) as caught:
        hub.get_prompt("no/such", version=3)
    seen += [str(caught.value), repr(caught.value), repr(hub), repr(hub.status()), caplog.text]
    seen += [repr(vars(one)) for one in (hub, hub.feed, hub.keeper, hub._finding, hub._upkeep)]
    seen += [path for path, _ in far.requests]
    for path in tmp_path.iterdir():
        seen += [path.name, path.read_text()]
    assert not [one for one in seen if KEY in one]
    assert "httpx" not in {r.name for r in caplog.records if r.levelno >= logging.INFO}


def test_42_importing_it_loads_nothing_heavy():
    code = (
        "import sys\nbefore = set(sys.modules)\nimport sdk\n"
        "heavy = 'httpx jinja2 asyncio logging ssl email concurrent urllib http random'.split()\n"
        "print(sorted(set(heavy) & (set(sys.modules) - before)))\n"
        "sdk.Hub('http://127.0.0.1:9', snapshot=None)\n"
        "print(sorted(set(heavy) & (set(sys.modules) - before)))\n"
    )
    assert run(code).split() == ["[]", "[]"]
