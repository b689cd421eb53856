"""What is too much for the settings over REST is said at once, before anybody has to wait."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import event

from hub.front import Front
from hub.people import own_keys
from hub.people.accounts import OPERATOR
from hub.people.models import Account
from tests.cast import Browser, Cast, on_both_engines


@pytest.fixture
async def admin(hub: Front, cast: Cast) -> dict[str, str]:
    async with hub.state.database.write() as db:
        account = await db.get_one(Account, cast.account_ids["maria"])
        made = await own_keys.create(
            db, cast.workspace, "script", "admin", account=account, actor=OPERATOR
        )
    return {"Authorization": f"Bearer {made.token}"}


ANA = "ana@example.org"
RULE = {"kind": "change", "who": [ANA]}


@pytest.mark.parametrize(
    ("method", "path", "body", "said"),
    [
        ("POST", "groups", {"name": "All", "members": [ANA] * 501}, "at most 500 people"),
        ("PUT", "policy", {"base": None, "rules": [RULE] * 101}, "at most 100 rules"),
        (
            "PUT", "policy", {"base": None, "rules": [], "owners": [{"who": [ANA]}] * 101},
            "At most 100 folders",
        ),
        ("PUT", "policy/owners", {"who": [ANA] * 51}, "at most 50 of a kind"),
        (
            "POST", "policy/rules", {"rule": {"kind": "change", "who": [ANA] * 51}},
            "at most 50 of a kind",
        ),
    ],
)  # fmt: skip
async def test_long_lists_are_not_looked_up_while_others_wait(
    hub: Front, client: Browser, admin: Any, method: str, path: str, body: Any, said: str
):
    asked: list[str] = []
    writer = hub.state.database.engine.sync_engine

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        asked.append(statement)

    event.listen(writer, "before_cursor_execute", note)
    answer = await client.request(method, f"/api/v1/{path}", json=body, headers=admin)
    event.remove(writer, "before_cursor_execute", note)
    assert (answer.status_code, said in answer.text) == (422, True)
    assert not [one for one in asked if "lower(accounts.email)" in one]


@on_both_engines
async def test_the_last_day_that_there_is_ends_the_log(client: Browser, maria: Browser, admin: Any):
    for path in ("audit", "audit.jsonl"):
        for span in ("end=9999-12-31", "start=0001-01-01&end=9999-12-31"):
            answer = await client.get(f"/api/v1/{path}?{span}", headers=admin)
            assert (answer.status_code, "key.created" in answer.text) == (200, True)
    assert (await maria.get("/clinic/settings/audit?end=9999-12-31")).status_code == 200
