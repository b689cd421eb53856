"""Programs say what they use; people see who serves what, and how a release arrives."""

import gzip
import json
import re

import httpx
import pytest

from tests.delivering import ana, page_says, report, seen, team
from tests.listening import Team

__all__ = ["ana", "team"]


def test_a_program_is_seen_with_its_version_and_rate(team, ana):
    team.put_live("support/triage", "Sort: {{ text }}")
    page = ana.get("/clinic/use/support/triage")
    assert "No program has used this prompt in the last seven days" in page.text
    assert "sdk.get_prompt" in page.text
    assert "prompt.render(text=…)" in page.text, "what is copied runs"
    report(team, "support/triage", {1: 120}, errors=3)
    page_says(ana, "support/triage", "triage-bot eu 1 process, prompthub-python/0.1")
    words = seen(ana.get("/clinic/use/support/triage"))
    assert "Live v1" in words
    assert "yes 120 3 of 120" in words
    assert "The one process that runs serves it." in words


def test_a_release_is_seen_arriving(team, ana):
    team.put_live("care/plan", "Plan: {{ text }}")
    for process in ("a", "b", "c"):
        report(team, "care/plan", {1: 10}, instance=process)
    page_says(ana, "care/plan", "All 3 processes that run serve it.")
    team.put_live("care/plan", "Plan well: {{ text }}")
    page_says(ana, "care/plan", "0 of 3 processes serve it.")
    assert 'hx-trigger="every 1s"' in ana.get("/clinic/use-now/care/plan").text
    report(team, "care/plan", {1: 4, 2: 6}, instance="a")
    page_says(ana, "care/plan", "1 of 3 processes serves it.")
    assert "Live v2 in 1 of 3 v1 in 2 of 3" in seen(ana.get("/clinic/use-now/care/plan"))
    for process in ("b", "c"):
        report(team, "care/plan", {2: 10}, instance=process)
    page_says(ana, "care/plan", "All 3 processes that run serve it.")
    # What a process served before its last report is over, though the calls are counted.
    assert "Live v2 yes" in seen(ana.get("/clinic/use-now/care/plan"))
    report(team, "care/plan", {2: 1}, instance="c", state="closed")
    page_says(ana, "care/plan", "All 2 processes that run serve it.")


def test_a_first_report_tells_of_two_sources_in_one_time(team, ana):
    """A program reads from its copy on disk for a moment, and from the stream ever after."""
    name = "care/began"
    team.put_live(name, "Plan: {{ text }}")
    uses = [
        {"name": name, "label": "production", "version": 1, "source": source, "calls": calls}
        for source, calls in (("stream", 58), ("snapshot", 2))
    ]
    report(team, name, {}, prompts=uses)
    page_says(ana, name, "yes 60 0")
    assert "copy on disk" not in seen(ana.get(f"/clinic/use-now/{name}"))


def test_the_head_of_an_open_page_follows_a_release(team, ana):
    name = "care/open"
    team.save(name, "Ask {{ old }}", variables=[{"name": "old"}])
    team.release(name, 1)
    page = ana.get(f"/clinic/use/{name}").text
    asks = re.search(r'hx-get="(/clinic/use-now/care/open\?at=[^"]+)"', page)[1]
    assert 'id="stands"' not in ana.get(asks).text
    team.save(name, "Ask {{ new }}", variables=[{"name": "new"}])
    assert "render(old=" in ana.get(f"/clinic/use/{name}").text  # what is live, not what is latest
    team.release(name, 2)
    moved = ana.get(asks).text
    assert 'id="stands" hx-swap-oob="true"' in moved
    assert "Live v2" in seen(ana.get(asks))
    assert "Roll back to v1" not in moved  # Ana edits and does not release
    again = re.search(r'hx-get="([^"]+)"', moved)[1]
    assert 'id="stands"' not in ana.get(again).text


def test_one_that_is_out_of_step_says_for_how_long_and_from_where(team, ana):
    team.put_live("care/stale", "Old: {{ text }}")
    report(team, "care/stale", {1: 3}, instance="s", state="stale", age=7200, source="snapshot")
    page_says(ana, "care/stale", "2 hours behind")
    assert "from its own copy on disk" in seen(ana.get("/clinic/use-now/care/stale"))


def test_a_program_may_be_a_rename_or_a_version_number_behind(team, ana, server):
    team.put_live("care/pinned", "Text")
    report(team, "care/pinned", {1: 60}, label="", instance="p", source="cache")
    page_says(ana, "care/pinned", "1 process")
    page = seen(ana.get("/clinic/use-now/care/pinned"))
    assert "v1" in page
    assert "from cache" not in page  # it never changes: kept is as good as fetched
    report(team, "no/such", {1: 60}, instance="q")  # said to nobody, and no harm done


@pytest.mark.parametrize(
    "wrong",
    [
        b"", b"{", b"[]", b"null", b"\xff", b'{"app":""}', b'{"app":"\xff","instance":"i"}',
        b'{"app":"a","instance":"i","x":' + b"[" * 90_000 + b"]" * 90_000 + b"}",
        b'{"app":"a","instance":"../x","prompts":[]}',
        b'{"app":"a","instance":"i","prompts":[{"name":"a"}]}',
        b'{"app":"a","instance":"i","prompts":[{"name":"a","version":-1}]}',
        b'{"app":"a","instance":"i","state":"happy"}',
        b'{"app":"a\\u0000","instance":"i"}',
        b'{"app":"a","instance":"i","seconds":1e99}',
        b'{"app":"a","instance":"i","prompts":[{"name":"a","version":1,"calls":1e30}]}',
        b'{"app":"' + b"a" * 81 + b'","instance":"i"}',
    ],
)  # fmt: skip
def test_what_is_not_a_report_is_refused_with_a_sentence(team, wrong):
    answer = team.http.post("/api/v1/usage", content=wrong)
    assert answer.status_code == 422
    assert answer.json()["detail"]


def test_a_report_has_a_largest_size_also_unpacked(team):
    good = json.dumps({"app": "a", "instance": "packed"}).encode()
    packed = {"Content-Encoding": "gzip"}
    send = team.http.post
    assert send("/api/v1/usage", content=gzip.compress(good), headers=packed).status_code == 202
    bomb = gzip.compress(b" " * 10_000_000)
    assert send("/api/v1/usage", content=bomb, headers=packed).status_code == 413
    assert send("/api/v1/usage", content=b" " * 262_145).status_code == 413
    assert send("/api/v1/usage", content=b"junk", headers=packed).status_code == 422
    many = [{"name": "a", "version": 1}] * 2001
    body = {"app": "a", "instance": "i", "prompts": many}
    assert send("/api/v1/usage", json=body).status_code == 422


def test_another_workspace_neither_reports_here_nor_looks(team, ana, server):
    team.put_live("care/ours", "Ours")
    with Team(server.url, server.cast.rival_key) as rival:
        report(rival, "care/ours", {1: 5}, app="spy", instance="one")
    report(team, "care/ours", {1: 5}, app="ours", instance="ours")
    page_says(ana, "care/ours", "ours")
    assert "spy" not in seen(ana.get("/clinic/use-now/care/ours"))
    cookies = {"__Host-session": server.cast.cookies["mallory"]}
    with httpx.Client(base_url=server.url, cookies=cookies) as mallory:
        assert mallory.get("/clinic/use-now/care/ours").status_code == 404
