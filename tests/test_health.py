"""The hub says whether it can do its work, and describes its interface."""

from __future__ import annotations

from hub.front import Front
from tests.cast import Browser, on_both_engines


@on_both_engines
async def test_a_healthy_hub_says_so(client: Browser):
    answer = await client.get("/healthz")
    assert (answer.status_code, answer.json()["status"]) == (200, "ok")


async def test_a_hub_without_repositories_is_not_healthy(hub: Front, client: Browser):
    hub.state.settings.repositories.rmdir()
    answer = await client.get("/healthz")
    assert answer.status_code == 503
    assert "repositories" in answer.json()["detail"]


async def test_somebody_with_a_workspace_lands_on_its_prompts(maria: Browser):
    answer = await maria.get("/")
    assert (answer.status_code, answer.headers["location"]) == (303, "/clinic")
