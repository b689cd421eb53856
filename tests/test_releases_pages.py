"""Releasing several, looking back, scheduling, taking back: the pages, as plain forms."""

from __future__ import annotations

import re
from html import unescape

import httpx
import pytest

from tests.cast import Browser, title
from tests.test_writing import editor, make

NAMES = ("support/triage", "support/mood", "legal/clause")
TRIAGE = "/clinic/prompts/support/triage"


@pytest.fixture
async def shelf(ana: Browser) -> None:
    """Three prompts; the first has two versions."""
    for name in NAMES:
        await make(ana, name)
    page = await ana.get(TRIAGE)
    form = editor(page.text, "Be calm and brief.", action="save", message="Callers hung up")
    assert (await ana.post_form(TRIAGE, form)).status_code == 303


def fields(page: httpx.Response, form: str) -> dict[str, str]:
    """What a browser would send of that form, unless something is typed."""
    body = page.text.split(f'id="{form}"')[1].split("</form>")[0]
    found: dict[str, str] = {}
    for tag in re.findall(r"<input[^>]*>", body):
        given = dict(re.findall(r'([\w-]+)="([^"]*)"', tag))
        ticked = given.get("type") != "checkbox" or re.search(r"\schecked", tag)
        if "name" in given and ticked and given["name"] != "_csrf_token":
            found[unescape(given["name"])] = unescape(given.get("value", ""))
    areas = re.findall(r'<textarea[^>]*name="([^"]+)"[^>]*>\n?(.*?)</textarea>', body, re.S)
    for name, text in areas:
        found[name] = unescape(text)
    return found


async def release_all(ben: Browser, **more: str) -> httpx.Response:
    """Pick all that there are, look, and go."""
    picked = await ben.get("/clinic/release-several?only=all&all=1")
    look = await ben.post_form("/clinic/release-several/look", fields(picked, "several"))
    assert look.status_code == 200
    form = fields(look, "release") | {"reason": "The autumn round"} | more
    return await ben.post_form("/clinic/release-several", form)


async def live(browser: Browser, name: str = "support/triage") -> str:
    page = await browser.get(f"/clinic/prompts/{name}")
    found = re.search(r"Live v(\d+)", page.text)
    return found[1] if found else ""


async def test_a_sheet_for_what_is_there_already_offers_nothing_to_press(
    shelf: None, ben: Browser
) -> None:
    sheet = "/clinic/release/production/support/triage?version=1"
    offered = await ben.get(sheet)
    assert "Put v1 into production" in offered.text
    form = fields(offered, "sheet-form") | {"reason": "Goes live"}
    assert (await ben.post_form(sheet.partition("?")[0], form)).status_code == 303

    page = (await ben.get(sheet)).text.partition("<main")[2]
    assert "It is there already." in page
    assert "Put v1 into production" not in page
    assert 'name="reason"' not in page
    assert 'href="/clinic/history/support/triage"' in page
    assert "Put v2 into production" in (await ben.get(sheet.replace("=1", "=2"))).text


# ── several ─────────────────────────────────────────────────────────────────────────────────────


async def test_ben_releases_three_prompts_and_takes_all_back_in_one_press(shelf, ben: Browser):
    picked = await ben.get("/clinic/release-several?only=all&all=1")
    form = fields(picked, "several")
    assert [key for key in form if key.startswith("pick.")] == [
        "pick.legal/clause", "pick.support/mood", "pick.support/triage",
    ]  # fmt: skip
    assert form["version.support/triage"] == "2"
    look = await ben.post_form("/clinic/release-several/look", form)
    assert title(look) == "Put clause v1, mood v1 and triage v2 into production"
    assert 'class="button button-danger"' in look.text
    assert "Nothing is live under" in look.text
    assert await live(ben) == ""  # looking moves nothing
    done = await ben.post_form(
        "/clinic/release-several", fields(look, "release") | {"reason": "The autumn round"}
    )
    assert done.status_code == 303
    page = await ben.get(done.headers["location"])
    assert title(page) == "3 prompts released into production"
    assert "The autumn round" in page.text
    assert [await live(ben, name) for name in NAMES] == ["2", "1", "1"]
    undo = re.search(r'action="(/clinic/put-back/[^"]+)"', page.text)
    assert undo
    back = await ben.post_form(undo[1])
    assert "All of it is back" in (await ben.get(back.headers["location"])).text
    assert [await live(ben, name) for name in NAMES] == ["", "", ""]


async def test_the_page_shows_each_change_in_words(shelf, ben: Browser):
    await ben.post_form(
        "/clinic/release/production/support/triage",
        {"version": "1", "expected": "", "reason": "First"},
    )
    differs = await ben.get("/clinic/release-several")
    assert "support/triage" in differs.text
    assert "support/mood" not in differs.text  # it is not live: nothing newer than what is
    form = {"to.production": "yes", "pick.support/triage": "yes", "version.support/triage": "2"}
    look = await ben.post_form("/clinic/release-several/look", form)
    assert "and brief" in look.text
    assert "Live v1" in look.text
    assert fields(look, "release")["expected.production.support/triage"] == "1"


async def test_one_that_moved_meanwhile_stops_all_and_the_reason_is_kept(shelf, ben, maria):
    picked = await ben.get("/clinic/release-several?only=all&all=1")
    look = await ben.post_form("/clinic/release-several/look", fields(picked, "several"))
    await maria.post_form(
        "/clinic/release/production/support/mood",
        {"version": "1", "expected": "", "reason": "Mine first"},
    )
    form = fields(look, "release") | {"reason": "The autumn round"}
    refused = await ben.post_form("/clinic/release-several", form)
    assert refused.status_code == 409
    assert "production of support/mood is at version 1 now" in refused.text
    assert "The autumn round" in refused.text
    assert [await live(ben, name) for name in NAMES] == ["", "1", ""]
    again = fields(refused, "release")
    assert (await ben.post_form("/clinic/release-several", again)).status_code == 303
    assert [await live(ben, name) for name in NAMES] == ["2", "1", "1"]


async def test_several_labels_at_once(shelf, ben: Browser):
    form = {
        "to.production": "yes", "to.staging": "yes", "pick.support/triage": "yes",
        "version.support/triage": "2",
    }  # fmt: skip
    look = await ben.post_form("/clinic/release-several/look", form)
    assert title(look) == "Put triage v2 into production and staging"
    form = fields(look, "release") | {"reason": "Both"}
    assert (await ben.post_form("/clinic/release-several", form)).status_code == 303
    page = await ben.get(TRIAGE)
    assert "Live v2" in page.text
    assert "Staging v2" in page.text


@pytest.mark.parametrize(
    ("form", "says"),
    [
        ({"to.production": "yes"}, "Tick at least one prompt"),
        ({"pick.support/triage": "yes"}, "at least one label"),
        ({"to.production": "yes", "pick.support/triage": "y", "version.support/triage": "x"},
         "by their numbers"),
        ({"to.production": "yes", "pick.support/triage": "y", "version.support/triage": "9"},
         "no version 9"),
        ({"to.production": "yes", "pick.a/b": "y", "version.a/b": "1"}, "no prompt called a/b"),
    ],
)  # fmt: skip
async def test_what_cannot_be_looked_at_is_said_where_it_was_picked(shelf, ben, form, says):
    answer = await ben.post_form("/clinic/release-several/look", form | {"only": "all"})
    assert answer.status_code in (404, 422)
    assert says in answer.text
    assert "Release several together" in answer.text


async def test_a_release_of_several_needs_a_reason(shelf, ben: Browser):
    answer = await release_all(ben, reason=" ")
    assert answer.status_code == 422
    assert "Say why" in answer.text


async def test_only_who_may_release_sees_the_page(shelf, ana, carla, mallory):
    for browser, status in ((ana, 403), (carla, 403), (mallory, 404)):
        assert (await browser.get("/clinic/release-several")).status_code == status
        form = {"to.production": "yes", "pick.support/triage": "y", "version.support/triage": "1"}
        for url in ("release-several", "release-several/look"):
            answer = await browser.post_form(f"/clinic/{url}", form | {"reason": "Mine"})
            assert answer.status_code == status
    assert await live(ana) == ""


# ── taking back ─────────────────────────────────────────────────────────────────────────────────


async def put(browser: Browser, version: int, expected: str, **more: str) -> httpx.Response:
    form = {"version": str(version), "expected": expected, "reason": f"Agreed on v{version}"}
    return await browser.post_form("/clinic/release/production/support/triage", form | more)


def roll_back(page: httpx.Response) -> str | None:
    found = re.search(r'action="(/clinic/put-back/[^"]+/support/triage)"', page.text)
    return found[1] if found else None


async def test_roll_back_in_one_press_until_something_newer_is_live(shelf, ana, ben, carla):
    await put(ben, 1, "")
    await put(ben, 2, "1")
    await ben.get(TRIAGE)  # the flash goes
    page = await ben.get(TRIAGE)
    assert "Roll back to v1" in page.text
    assert "Roll back" not in (await carla.get(TRIAGE)).text
    history = await ben.get("/clinic/labels/production/support/triage")
    assert roll_back(page) == roll_back(history)
    url = roll_back(page)
    assert url
    assert (await carla.post_form(url)).status_code == 403
    assert (await ana.post_form(url)).status_code == 403
    assert (await ben.post_form(url)).status_code == 303
    assert await live(ben) == "1"
    await ben.get(TRIAGE)
    assert "Roll back" not in (await ben.get(TRIAGE)).text  # nothing to take back any more
    again = await ben.post_form(url)
    assert again.status_code == 409  # pressed twice: the second finds it moved
    assert await live(ben) == "1"


async def test_an_old_undo_does_not_take_away_what_is_newer(shelf, ben: Browser, maria: Browser):
    await put(ben, 1, "")
    undo = roll_back(await ben.get(TRIAGE))
    await put(maria, 2, "1")
    assert undo
    assert (await ben.post_form(undo)).status_code == 409
    assert await live(ben) == "2"


async def test_a_past_state_is_put_back_in_one_press_from_the_history(shelf, ben: Browser):
    await put(ben, 1, "")
    await put(ben, 2, "1")
    history = await ben.get("/clinic/labels/production/support/triage")
    assert "Put v1 back" in history.text
    assert "Put v2 back" not in history.text
    assert "view as of then" in history.text
    body = history.text.split('action="/clinic/release/production/support/triage"')[1]
    form = dict(re.findall(r'name="(\w+)" value="([^"]*)"', body.split("</form>")[0]))
    form.pop("_csrf_token")
    answer = await ben.post_form("/clinic/release/production/support/triage", form)
    assert answer.status_code == 303
    assert await live(ben) == "1"
    after = await ben.get("/clinic/labels/production/support/triage")
    assert "Put back version 1, live from" in after.text


# ── looking back ────────────────────────────────────────────────────────────────────────────────


async def test_the_page_of_a_release_is_for_everybody_here(shelf, ben, carla, mallory):
    done = await release_all(ben)
    url = done.headers["location"]
    assert "Take all of it back" not in (await carla.get(url)).text
    assert (await mallory.get(url)).status_code == 404
    assert (await carla.get("/clinic/released/" + "0" * 40)).status_code == 404


# ── scheduled ───────────────────────────────────────────────────────────────────────────────────
