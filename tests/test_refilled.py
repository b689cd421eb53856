"""The form refilled from an old run names what that ran with, also where it is gone."""

from __future__ import annotations

import re
from typing import Any

from hub.people.accounts import OPERATOR
from hub.playground import sources
from hub.registry import versions
from hub.registry.prompt.document import from_json
from tests.test_grid import DOCUMENT, TRY, acme, fake, form, settings, triage
from tests.test_playground import over, run

__all__ = ["acme", "fake", "settings", "triage"]


def chosen(page: str) -> list[str]:
    """What the menus of versions and models show."""
    menus = re.findall(r'<select[^>]*name="(?:source|model)".*?</select>', page, re.S)
    return [found[1] if (found := re.search(r" selected>([^<]*)", one)) else "" for one in menus]


async def refilled(who: Any, address: str) -> str:
    number = address.rsplit("/", 1)[1]
    return (await who.get(f"{TRY}?again={number}")).text


async def test_a_model_that_is_gone_is_not_swapped_for_the_first_of_the_list(
    maria: Any, ana: Any, acme: Any, triage: Any
):
    address = await run(ana, form(acme, "shout", "echo"))
    await over(ana, address)
    assert chosen(await refilled(ana, address))[1::2] == ["shout", "echo"]
    await maria.post_form(f"/clinic/models/{acme.id}/remove")
    page = await refilled(ana, address)
    assert chosen(page)[1::2] == ["shout · not there any more", "echo · not there any more"]
    assert page.count("Choose another model.</p>") == 2
    refused = await ana.post_form(TRY, form(acme, "shout"))
    assert refused.status_code == 422
    assert "Column 1: choose a model; this one is not there any more." in refused.text
    assert chosen(refused.text)[1] == "shout · not there any more"


async def test_a_version_that_is_not_offered_any_more_is_still_the_one_that_is_chosen(
    ana: Any, hub: Any, cast: Any, acme: Any, triage: Any, monkeypatch: Any
):
    address = await run(ana, form(acme, "echo"))
    await over(ana, address)
    await versions.save(
        hub.state.publisher, cast.workspace, "support/triage",
        from_json(DOCUMENT | {"name": "Sorting", "id": triage.id}), base=triage.hash,
        actor=OPERATOR, message="Rename",
    )  # fmt: skip
    monkeypatch.setattr(sources, "OFFERED", 1)
    assert chosen(await refilled(ana, address))[0] == "v1 · live"


async def test_a_draft_of_somebody_else_is_not_swapped_for_the_latest_version(
    ana: Any, ben: Any, acme: Any, triage: Any
):
    saved = {"base": "1", "text.0": "Be brief. {{ complaint }}", "role.0": "user"}
    kept = await ana.send_form("PUT", "/clinic/draft/support/triage", saved)
    address = await run(ana, form(acme, "echo") | {"source": ["draft"]})
    assert address, kept.text
    await over(ana, address)
    assert chosen(await refilled(ana, address))[0] == "Your draft"
    assert chosen(await refilled(ben, address))[0] == "Draft · not there any more"
