"""The page Audit: narrowed down, in pages, exported."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from html import unescape

from hub.front import Front
from hub.people import audit
from hub.people.accounts import OPERATOR
from hub.people.models import AuditEntry
from tests.cast import Browser, Cast

AUDIT = "/clinic/settings/audit"


def told(page: str) -> list[str]:
    """The sentences of the page."""
    found = re.search(r'<ol class="rows log".*?</ol>', page, re.S)
    items = re.findall(r"<li>\s*<p[^>]*>(.*?)</p>", found[0], re.S) if found else []
    return [unescape(re.sub(r"<[^>]+>", "", one)).strip() for one in items]


async def test_the_log_is_narrowed_down(hub: Front, maria: Browser, cast: Cast) -> None:
    people = "/clinic/settings/people"
    await maria.post_form(f"{people}/{cast.account_ids['ben']}/role", {"role": "editor"})
    await maria.post_form("/clinic/settings/groups", {"name": "Leads"})
    async with hub.state.database.write() as db:
        audit.record(db, OPERATOR, "member.changed", "100%_x", cast.workspace.id)
        old = AuditEntry(
            workspace_id=cast.workspace.id, actor="nobody@example.org", action="label.moved",
            subject="clinical/note", detail={}, at=datetime(2026, 2, 3, 23, 59, tzinfo=UTC),
        )  # fmt: skip
        db.add(old)

    async def found(**filters: str) -> list[str]:
        return told((await maria.get(AUDIT, params=filters)).text)

    everything = await found()
    assert any("made the group Leads" in one for one in everything)
    assert any("changed the role of Ben Carter" in one for one in everything)
    assert await found(who="nobody@") == ["nobody@example.org moved the label clinical/note"]
    assert all(one.startswith("Maria Santos") for one in await found(who="maria san"))
    assert len(await found(action="group.")) == 1
    assert await found(about="0%_x") == ["operator changed the role of 100%_x"]
    assert await found(about="0%x") == []
    assert len(await found(start="2026-02-03", end="2026-02-03")) == 1
    assert await found(end="2026-02-02") == []
    today = (datetime.now(UTC) + timedelta(days=1)).date().isoformat()
    assert await found(start="2026-02-04", end=today) == [
        one for one in everything if "clinical/note" not in one
    ]
    wrong = await maria.get(AUDIT, params={"start": "yesterday"})
    assert "A day is written like 2026-03-01." in wrong.text
    assert 'value="yesterday"' in wrong.text
    nothing = await maria.get(AUDIT, params={"who": "<script>"})
    assert "Nothing fits" in nothing.text
    assert "<script>" not in nothing.text


async def test_pages_keep_the_filters(hub: Front, maria: Browser, cast: Cast) -> None:
    async with hub.state.database.write() as db:
        for number in range(230):
            audit.record(db, OPERATOR, "test.deed", f"deed {number}", cast.workspace.id)
    address, seen = f"{AUDIT}?about=deed+", list[str]()
    while address:
        page = (await maria.get(address)).text
        seen += told(page)
        more = re.search(r'href="([^"]+)"[^>]*rel="next"', page)
        address = unescape(more[1]) if more else ""
    assert [one.split()[-1] for one in seen] == [str(number) for number in reversed(range(230))]
    assert f'href="{AUDIT}?about=deed' in page


async def test_the_export_is_what_the_filters_leave(
    hub: Front, maria: Browser, ben: Browser, mallory: Browser, cast: Cast
) -> None:
    await maria.post_form("/clinic/settings/groups", {"name": "Leads"})
    answer = await maria.get(f"{AUDIT}.jsonl")
    assert answer.headers["content-disposition"] == 'attachment; filename="audit-clinic.jsonl"'
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert [one["id"] for one in lines] == sorted(one["id"] for one in lines)
    assert {one["workspace_id"] for one in lines} == {cast.workspace.id}
    assert all(len(one["hash"]) == 64 for one in lines)
    narrowed = await maria.get(f"{AUDIT}.jsonl", params={"action": "group."})
    assert [json.loads(line)["subject"] for line in narrowed.text.splitlines()] == ["Leads"]
    assert (await ben.get(f"{AUDIT}.jsonl")).status_code == 403
    assert (await ben.get(AUDIT)).status_code == 403
    assert (await mallory.get(f"{AUDIT}.jsonl")).status_code == 404
