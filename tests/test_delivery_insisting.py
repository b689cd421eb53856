"""Going on although programs stand against it: from a terminal, and what people read of it."""

import pytest

from tests.commands import prompthub
from tests.delivering import ana, page_says, team, used

__all__ = ["ana", "team"]


@pytest.fixture
def told(server):
    """What a command says: to its reader if it ends well, else to whom it fails."""

    def run(*words, ends=0):
        done = prompthub(*words, PROMPTHUB_URL=server.url, PROMPTHUB_KEY=server.cast.write_key)
        assert done.returncode == ends, done.stdout + done.stderr
        return done.stdout + done.stderr

    return run


def needing_more(team, ana, name):
    """A live prompt that a program fills in, and its next version, which needs more of it."""
    team.put_live(name, "Sort: {{ text }}")
    used(team, name)
    page_says(ana, name)


def test_a_release_by_command_goes_on_with_a_reason_that_history_keeps(team, ana, told):
    name = "insist/release"
    needing_more(team, ana, name)
    team.save(name, "Sort: {{ text }} for {{ ward }}")
    asked = ("release", "production", f"{name}@2", "--reason", "It is better")
    refused = told(*asked, ends=1)
    assert "needs `ward`, which triage-bot (eu) does not pass" in refused
    assert team.table().versions()[name] == 1
    said = told(*asked, "--despite-programs", "The bot follows at noon")
    assert f"production of {name} is at version 2." in said
    assert team.table().versions()[name] == 2
    for page in (f"/clinic/history/{name}", f"/clinic/labels/production/{name}"):
        text = ana.get(page).text
        assert text.count("The bot follows at noon") == 1
        assert "Programs stood against it." in text


def test_a_merge_by_command_goes_on_with_a_reason(team, ana, told):
    name = "insist/merge"
    needing_more(team, ana, name)
    base = team.http.get(f"/api/v1/prompts/{name}").json()
    document = base["document"] | {
        "messages": [{"role": "user", "content": "Sort: {{ text }} {{ urgency }}"}]
    }
    made = team.http.post("/api/v1/proposals", json={
        "title": "More", "why": "Urgency counts", "target": "production",
        "items": [{"kind": "change", "name": name, "document": document, "base": base["hash"]}],
    })  # fmt: skip
    number, digest = str(made.json()["number"]), made.json()["digest"]
    asked = ("merge", number, "--digest", digest, "--release", "--reason", "Go")
    assert "`urgency`" in told(*asked, ends=1)
    told(*asked, "--despite-programs", "The bot is switched off")
    assert team.table().versions()[name] == 2
    assert "The bot is switched off" in ana.get(f"/clinic/history/{name}").text
