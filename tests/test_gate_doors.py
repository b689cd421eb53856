"""The gate over every door of the web: a page's form and an app's request meet the same rules."""

from __future__ import annotations

from typing import Any

import pytest

from hub.front import Front
from hub.people import rules
from hub.people.policy import Actor
from hub.registry import versions
from hub.registry.labels import labels
from tests.cast import NAMES, ROLES, Browser, Cast
from tests.offered import set_rules, text
from tests.test_writing import editor

API = "/api/v1"
CLINICAL = rules.Rule(kind="change", folder="clinical")
LIVE = rules.Rule(kind="release", folder="clinical", label="production", approvals=2)
SAID = "Changes under clinical/ need review by reviewers. Propose it instead."


def actor_of(cast: Cast, who: str) -> Actor:
    return Actor(
        kind="person", name=NAMES[who], email=f"{who}@example.org",
        account_id=cast.account_ids[who], workspace_id=cast.workspace.id, role=ROLES[who],
    )  # fmt: skip


@pytest.fixture
async def ruled(hub: Front, cast: Cast) -> str:
    """Two versions of clinical/triage, an unruled prompt, and then the rules; the latest hash."""
    ana = actor_of(cast, "ana")
    place = (hub.state.publisher, cast.workspace)
    given: dict[str, Any] = {"actor": ana, "message": ""}
    first = await versions.save(*place, "clinical/triage", text("One"), base=None, **given)
    last = await versions.save(*place, "clinical/triage", text("Two"), base=first.hash, **given)
    gone = await versions.save(*place, "clinical/gone", text("One"), base=None, **given)
    await versions.delete(*place, gone.name, actor=ana)
    await versions.save(*place, "free/letter", text("One"), base=None, **given)
    ben = actor_of(cast, "ben")
    await labels.move(*place, "staging", "clinical/triage", 1, actor=ben, reason="")
    await set_rules(hub.state.database, cast.workspace.id, CLINICAL, LIVE)
    return last.hash


async def test_an_app_is_refused_with_what_is_missing(
    client: Browser, write_key: dict[str, str], ruled: str
):
    document = {"messages": [{"role": "system", "content": "Evil"}]}
    for name, base in (("clinical/triage", ruled), ("clinical/new", None)):
        answer = await client.post(
            f"{API}/versions/{name}", headers=write_key, json={"document": document, "base": base}
        )
        assert answer.status_code == 403
        assert answer.json()["detail"] == SAID
        assert answer.json()["missing"] == [SAID]
    answer = await client.delete(f"{API}/prompts/clinical/triage", headers=write_key)
    assert (answer.status_code, answer.json()["detail"]) == (403, SAID)
    answer = await client.put(
        f"{API}/labels/production/clinical/triage", headers=write_key, json={"version": 2}
    )
    assert answer.status_code == 403
    assert "two approvals" in answer.json()["detail"]
    answer = await client.post(
        f"{API}/versions/free/new", headers=write_key, json={"document": document, "base": None}
    )
    assert answer.status_code == 201


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("/clinic/new", {"name": "clinical/new", "title": "N", "text": "Evil"}),
        ("/clinic/rename/free/letter", {"name": "clinical/letter", "new_name": "clinical/letter"}),
        ("/clinic/rename/clinical/triage", {"name": "free/triage", "new_name": "free/triage"}),
        ("/clinic/duplicate/clinical/triage", {"name": "clinical/two", "new_name": "clinical/two"}),
        ("/clinic/delete/clinical/triage", {"reason": "Away", "name": "clinical/triage"}),
        ("/clinic/undelete/clinical/gone", {}),
        ("/clinic/restore/1/clinical/triage", {}),
        (
            "/clinic/release/production/clinical/triage",
            {"version": "2", "expected": "", "reason": "For all"},
        ),
    ],
)
async def test_no_form_gets_past_the_rules(
    hub: Front, maria: Browser, cast: Cast, ruled: str, path: str, form: dict[str, Any]
):
    before = tips(hub, cast)
    answer = await maria.post_form(path, form)
    assert tips(hub, cast) == before
    assert answer.status_code in (200, 303, 403, 422)
    if answer.status_code == 303:
        answer = await maria.get(answer.headers["location"])
    assert ("one more approval" if "/release/" in path else SAID) in answer.text


async def test_the_editor_keeps_the_text_when_it_may_not_be_saved(
    hub: Front, ana: Browser, cast: Cast, ruled: str
):
    page = await ana.get("/clinic/prompts/clinical/triage")
    before = tips(hub, cast)
    form = editor(page.text, "Evil words", action="save", message="Because")
    answer = await ana.post_form("/clinic/prompts/clinical/triage", form)
    assert tips(hub, cast) == before
    assert "Evil words" in (answer.text + (await ana.get("/clinic/prompts/clinical/triage")).text)


def tips(hub: Front, cast: Cast) -> dict[str, str]:
    """Where git stands."""
    return hub.state.publisher.repository(cast.workspace.slug).tips()
