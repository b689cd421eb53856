"""A release that running programs could not fill in is refused, at every door, and says which."""

import subprocess

import httpx

from tests.delivering import ana, page_says, put, report, team, used

__all__ = ["ana", "team"]


def test_a_version_that_needs_more_is_refused_and_says_who_lacks_what(team, ana):
    name = "guard/more"
    team.put_live(name, "Sort: {{ text }}")
    used(team, name)
    used(team, name, "two", app="letters", environment="")
    page_says(ana, name, "letters 1 process")
    team.save(name, "Sort: {{ text }} for {{ ward }}")
    answer = put(team, name, 2)
    assert answer.status_code == 409
    said = answer.json()
    assert "needs `ward`, which letters and triage-bot (eu) do not pass" in said["detail"]
    assert said["programs"] == [
        {"app": "letters", "environment": "", "missing": ["ward"]},
        {"app": "triage-bot", "environment": "eu", "missing": ["ward"]},
    ]
    assert said["title"] == "BreaksPrograms"
    assert team.table().versions()[name] == 1
    several = {"moves": [{"label": "production", "name": name, "version": 2}], "reason": "All"}
    assert team.http.put("/api/v1/releases", json=several).status_code == 409
    # Another label has other programs; an optional variable needs no program.
    team.release(name, 2, "staging")
    team.save(
        name, "Sort: {{ text }} for {{ ward }}",
        variables=[{"name": "ward", "required": False}, {"name": "text"}],
    )  # fmt: skip
    assert put(team, name, 3).status_code == 200


def test_with_a_reason_it_goes_and_the_reason_is_kept(team, ana, server):
    name = "guard/reason"
    team.put_live(name, "Sort: {{ text }}")
    used(team, name)
    page_says(ana, name)
    team.save(name, "Sort: {{ text }} {{ other }}")
    assert put(team, name, 2, despite_programs="  ").status_code == 409
    assert put(team, name, 2, despite_programs="The bot is being replaced").status_code == 200
    repository = server.settings.repositories / "clinic.git"
    told = subprocess.run(
        ["git", "log", "-1", "--format=%B", "deploy"],
        cwd=repository, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert "Despite-Programs: The bot is being replaced" in told


def test_one_that_served_it_before_may_go_back_to_it(team, ana):
    name = "guard/back"
    team.put_live(name, "Sort: {{ text }} {{ ward }}")
    used(team, name, variables=["text", "ward"])
    page_says(ana, name)
    team.put_live(name, "Sort: {{ text }}")
    report(team, name, {2: 5}, instance="guard.back-new", variables=["text"])
    report(team, name, {2: 5}, instance="guard.back-one", variables=["text"])
    page_says(ana, name, "2 processes")
    refused = put(team, name, 1)
    assert refused.status_code == 409  # the new process has never filled in `ward`
    report(team, name, {2: 5}, instance="guard.back-new", variables=["text"], state="closed")
    page_says(ana, name, "1 process")
    assert put(team, name, 1).status_code == 200


def test_a_program_that_never_rendered_stops_nothing(team, ana):
    name = "guard/silent"
    team.put_live(name, "Sort: {{ text }}")
    used(team, name, variables=None)
    page_says(ana, name)
    team.save(name, "Sort: {{ text }} {{ more }}")
    assert put(team, name, 2).status_code == 200


def test_merging_and_releasing_a_proposal_asks_the_same(team, ana, server):
    name = "guard/merge"
    first = team.put_live(name, "Sort: {{ text }}")
    used(team, name)
    page_says(ana, name)
    base = team.http.get(f"/api/v1/prompts/{name}").json()
    document = base["document"] | {
        "messages": [{"role": "user", "content": "Sort: {{ text }} {{ urgency }}"}]
    }
    made = team.http.post("/api/v1/proposals", json={
        "title": "More", "why": "Urgency counts", "target": "production",
        "items": [{"kind": "change", "name": name, "document": document, "base": base["hash"]}],
    })  # fmt: skip
    assert made.status_code == 201, made.text
    number, digest = made.json()["number"], made.json()["digest"]
    cookies = {"__Host-session": server.cast.cookies["ben"]}
    with httpx.Client(base_url=server.url, cookies=cookies) as ben:
        sheet = ben.get(f"/clinic/proposals/{number}/merge")
    assert "Apps that get it: triage-bot (eu)." in sheet.text
    merge = {"digest": digest, "release": True, "reason": "Go"}
    answer = team.http.post(f"/api/v1/proposals/{number}/merge", json=merge)
    assert answer.status_code == 409, answer.text
    assert "`urgency`" in answer.json()["detail"]
    assert team.table().versions()[name] == first
    only = team.http.post(f"/api/v1/proposals/{number}/merge", json=merge | {"release": False})
    assert only.status_code == 200, only.text
    assert put(team, name, 2).status_code == 409


def test_the_release_sheet_says_it_and_takes_a_reason(team, server, ana):
    name = "guard/sheet"
    team.put_live(name, "Sort: {{ text }}")
    used(team, name)
    page_says(ana, name)
    team.save(name, "Sort: {{ text }} {{ ward }}")
    cookies = {"__Host-session": server.cast.cookies["ben"]}
    with httpx.Client(base_url=server.url, cookies=cookies) as ben:
        page = ben.get(f"/clinic/release/production/{name}")
        assert "triage-bot (eu)" in page.text, "who will get it"
        assert "triage-bot" not in ben.get(f"/clinic/release/staging/{name}").text
        assert "Why they shall not stop it" not in page.text
        token = page.headers["set-cookie"].partition("__Host-csrf=")[2].partition(";")[0]
        ben.cookies.set("__Host-csrf", token)
        form = {"_csrf_token": token, "version": "2", "expected": "1", "reason": "Better"}
        path = f"/clinic/release/production/{name}"
        refused = ben.post(path, data=form)
        assert refused.status_code == 409
        assert 'needs <code class="typed">ward</code>' in refused.text
        assert "Why they shall not stop it" in refused.text
        assert ben.post(path, data=form | {"despite": "It is tested"}).status_code == 303
    assert team.table().versions()[name] == 2
