"""What the tests of webhooks share: Maria adds one, Ana saves something."""

import re
from typing import Any

from hub.front import Front
from tests.cast import Browser
from tests.hook_receiver import Receiver

ROOT = "/clinic/settings/webhooks"
TEXT = {"messages": [{"role": "system", "content": "Greet {{ name }}."}]}


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
    from sqlalchemy import update

    from hub.sync.webhooks.models import Webhook

    async with hub.state.database.write() as db:
        await db.execute(update(Webhook).values(next_at=None))
    hub.state.webhooks.poke()
