"""The list as Langfuse's clients page it, on both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hub.people.policy import WorkspaceRef
from tests.cast import Browser, Cast, on_both_engines
from tests.git_people import basic

LIST = "/api/public/v2/prompts"


@on_both_engines
async def test_what_fits_is_listed_with_its_versions(
    client: Browser, cast: Cast, write_key: dict[str, str], workspace: WorkspaceRef
):
    for name, tags in (("b/two", ["desk", "é"]), ("a/one", ["desktop"])):
        base = None
        for text in ("One", "Two"):
            document = {"messages": [{"role": "user", "content": text}], "tags": tags}
            saved = await client.post(
                f"/api/v1/versions/{name}", json={"document": document, "base": base},
                headers=write_key,
            )  # fmt: skip
            base = saved.json()["hash"]
    moved = await client.put("/api/v1/labels/canary/b/two", json={"version": 1}, headers=write_key)
    assert moved.status_code == 200

    async def listed(**asked: object) -> list[tuple[str, list[int], list[str]]]:
        answer = await client.get(LIST, params=asked, headers=basic(cast.read_key))
        assert answer.status_code == 200, answer.text
        return [(one["name"], one["versions"], one["labels"]) for one in answer.json()["data"]]

    one, two = ("a/one", [1, 2], ["latest"]), ("b/two", [1, 2], ["canary", "latest"])
    assert await listed() == [one, two]
    assert await listed(limit=1, page=2) == [two]
    assert await listed(page=9) == []
    assert await listed(name="a/one") == [one]
    assert await listed(label="canary") == [("b/two", [1], ["canary"])]
    assert await listed(label="latest", tag="é") == [("b/two", [2], ["latest"])]
    assert await listed(tag="desk") == [two]
    assert await listed(tag="des%") == []
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    assert await listed(fromUpdatedAt=later) == []
    assert await listed(toUpdatedAt=later) == [one, two]
    for wrong in ({"limit": 101}, {"page": 0}, {"fromUpdatedAt": "soon"}, {"filter": "[{}]"}):
        answer = await client.get(LIST, params=wrong, headers=basic(cast.read_key))
        assert answer.status_code == 400, wrong
        assert answer.json()["error"] == "InvalidRequestError"
