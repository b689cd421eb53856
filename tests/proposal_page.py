"""What a test reads off the pages of a proposal."""

from __future__ import annotations

import html
import re

import httpx

from hub.registry.review import record
from hub.registry.review.views import View
from tests.clinic_story import Story

HERE = "/clinic/proposals/1"
PART = {"HX-Request": "true", "HX-Request-Type": "partial"}


async def seen(story: Story, number: int = 1) -> View:
    async with story.database.read() as db:
        return await record.get(db, story.cast.workspace.id, number)


def words(page: httpx.Response) -> str:
    """What a reader of the page reads."""
    text = re.sub(r"<(script|style|svg)\b.*?</\1>", " ", page.text, flags=re.S)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", "", text)).split())


def digest_of(page: httpx.Response) -> str:
    found = re.search(r'name="digest" value="([0-9a-f]{64})"', page.text)
    assert found
    return found[1]
