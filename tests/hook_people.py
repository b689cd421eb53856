"""What the tests of webhooks share: Maria adds one, Ana saves something."""

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import update

from hub.front import Front
from hub.people import own_keys
from hub.people.accounts import OPERATOR
from hub.people.models import Account
from hub.sync.webhooks.models import Webhook
from tests.cast import Browser, Cast
from tests.hook_receiver import Receiver, receiving

ROOT = "/clinic/settings/webhooks"
TEXT = {"messages": [{"role": "system", "content": "Greet {{ name }}."}]}


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as one:
        yield one


async def admin_key(hub: Front, cast: Cast) -> dict[str, str]:
    """Maria's own, for administering."""
    async with hub.state.database.write() as db:
        account = await db.get_one(Account, cast.account_ids["maria"])
        made = await own_keys.create(
            db, cast.workspace, "laptop", "admin", account=account, actor=OPERATOR
        )
    return {"Authorization": f"Bearer {made.token}"}


async def add_hook(maria: Browser, receiver: Receiver, **more: Any) -> tuple[int, str]:
    """Its number and its secret, from the page that shows it once."""
    typed = {"name": "bot", "form": "standard", "address": receiver.url, "which": "all"} | more
    made = await maria.post_form(ROOT, typed)
    assert made.status_code in (200, 303), made.text
    secret = re.search(r"whsec_[\w+/=]+", made.text)
    listed = (await maria.get(ROOT)).text
    number = re.findall(rf'{ROOT}/(\d+)"><strong>{typed["name"]}<', listed)
    return int(number[0]), secret[0] if secret else ""


async def save(client: Browser, key: dict[str, str], name: str, text: str = "") -> None:
    """A first version of a prompt, by an app."""
    document = {"messages": [{"role": "system", "content": text or f"This is {name}."}]}
    body = {"document": document, "message": "Shorter greeting"}
    answer = await client.post(f"/api/v1/versions/{name}", json=body, headers=key)
    assert answer.is_success, answer.text


async def hurry(hub: Front) -> None:
    """What would be tried later is tried now."""
    async with hub.state.database.write() as db:
        await db.execute(update(Webhook).values(next_at=None))
    hub.state.webhooks.poke()
