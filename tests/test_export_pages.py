"""Prompts as files of other programs: by the page and over REST, the command's bytes."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path
from typing import Any

import httpx
import pytest

from hub.front import Front
from hub.sync.export import export
from hub.sync.formats.known import FORMATS
from tests.cast import Browser, Cast, title
from tests.hook_people import save
from tests.serving import Server

NAME = "support/triage"
HERE, FILE, API = f"/clinic/export/{NAME}", f"/clinic/export-file/{NAME}", f"/api/v1/export/{NAME}"
DOCUMENT: dict[str, Any] = {
    "name": "Sort the <tickets>",
    "tags": ["front-desk"],
    "model": "gpt-4o",
    "messages": [
        {"role": "system", "content": "You sort tickets."},
        {"role": "user", "content": "{{ ticket }}"},
    ],
    "variables": [{"name": "ticket", "description": "What came in."}],
    "testData": [{"name": "one", "variables": {"ticket": "It burns."}}],
}


@pytest.fixture
async def triage(cast: Cast, client: Browser, write_key: dict[str, str]) -> None:
    """Two versions; the first is live."""
    base = None
    for text in ("You sort tickets.", "You sort tickets kindly."):
        DOCUMENT["messages"][0]["content"] = text
        sent = {"document": DOCUMENT, "base": base, "message": "Better"}
        made = await client.post(f"/api/v1/versions/{NAME}", json=sent, headers=write_key)
        base = made.json()["hash"]
    moved = await client.put(
        f"/api/v1/labels/production/{NAME}", headers=write_key,
        json={"version": 1, "reason": "Go live"},
    )  # fmt: skip
    assert moved.is_success, moved.text


def link_of(page: httpx.Response) -> str:
    """Where the page's Download leads."""
    (found,) = re.findall(r'href="(/clinic/export-file[^"]+)"', page.text)
    return found.replace("&amp;", "&")


async def test_a_viewer_sees_what_would_be_lost_and_takes_the_file_along(
    triage: None, carla: Browser
):
    assert f'href="{HERE}">Export…' in (await carla.get(f"/clinic/prompts/{NAME}")).text
    page = await carla.get(HERE)
    assert title(page) == "Export Sort the &lt;tickets&gt;"
    assert "Nothing is lost, nothing is changed." in page.text
    assert '<option value="1" selected>v1 (live)' in page.text
    assert all(one.readers in page.text for one in FORMATS.values())
    page = await carla.get(HERE, params={"format": "markdown", "version": 2})
    assert "Lost" in page.text
    assert '<span class="mono">tags</span>: Markdown has no place for it' in page.text
    pack = await carla.get(link_of(page))
    assert pack.headers["content-disposition"] == 'attachment; filename="triage.markdown.zip"'
    assert pack.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(pack.content)) as files:
        assert files.read(f"{NAME}/system.md") == b"You sort tickets kindly."
    part = await carla.get(HERE, params={"format": "csv"}, headers={"HX-Request": "true"})
    assert "<html" not in part.text
    assert "Download triage.csv" in part.text


async def test_page_and_rest_give_what_the_command_writes(
    triage: None, hub: Front, cast: Cast, carla: Browser, client: Browser,
    read_key: dict[str, str], tmp_path: Path,
):  # fmt: skip
    for name in FORMATS:
        out = tmp_path / name
        said = await export(hub.state.database, cast.workspace, name, "", out)
        wanted = {
            one.relative_to(out).as_posix(): one.read_bytes()
            for one in out.rglob("*") if one.is_file()
        }  # fmt: skip
        answer = await client.get(API, params={"format": name}, headers=read_key)
        told = answer.json()
        assert {one["path"]: one["text"].encode() for one in told["files"]} == wanted
        assert (told["name"], told["version"], told["format"]) == (NAME, 2, name)
        assert all(f"{one['what'].title()}: {one['key']}" in said.lines[0]
                   for one in told["report"])  # fmt: skip
        assert bool(told["report"]) == ("whole." not in said.lines[0])
        file = await carla.get(FILE, params={"format": name, "version": 2})
        assert file.headers["x-content-type-options"] == "nosniff"
        assert re.fullmatch(
            r'attachment; filename="triage\.[\w.]+"', file.headers["content-disposition"]
        )
        if len(wanted) == 1:
            assert [file.content] == [*wanted.values()]
        else:
            assert file.headers["content-type"] == "application/zip"


async def test_a_folder_goes_out_in_one_file(
    triage: None, carla: Browser, client: Browser, write_key: dict[str, str]
):
    await save(client, write_key, "support/letter")
    await save(client, write_key, "ward/other")
    listed = await carla.get("/clinic/prompts", params={"folder": "support"})
    assert '"/clinic/export?folder=support">Export this folder…' in listed.text
    page = await carla.get("/clinic/export", params={"folder": "support", "format": "csv"})
    assert "<strong>1</strong> cannot be written like this" in page.text
    assert "Left out" in page.text  # the letter has no examples
    page = await carla.get("/clinic/export", params={"folder": "support", "format": "prompty"})
    pack = await carla.get(link_of(page))
    assert 'filename="support.prompty.zip"' in pack.headers["content-disposition"]
    with zipfile.ZipFile(io.BytesIO(pack.content)) as files:
        assert files.namelist() == ["support/letter.prompty", "support/triage.prompty"]
    page = await carla.get("/clinic/export")
    assert "All 3 prompts go out whole" in page.text
    assert (
        'filename="clinic.prompt.yml.zip"'
        in (await carla.get(link_of(page))).headers["content-disposition"]
    )
    assert (await carla.get("/clinic/export?folder=no/such")).status_code == 422


async def test_a_folder_goes_out_as_a_label_has_it(
    triage: None, hub: Front, cast: Cast, carla: Browser, client: Browser,
    write_key: dict[str, str], read_key: dict[str, str], tmp_path: Path,
):  # fmt: skip
    await save(client, write_key, "support/letter")
    page = await carla.get("/clinic/export", params={"folder": "support"})
    assert '<option value="" selected>latest' in page.text
    asked = {"folder": "support", "label": "production", "format": "markdown"}
    page = await carla.get("/clinic/export", params=asked)
    assert '<option value="production" selected>' in page.text
    assert "1 other prompt has no label production." in page.text
    with zipfile.ZipFile(io.BytesIO((await carla.get(link_of(page))).content)) as files:
        by_page = {name: files.read(name).decode() for name in files.namelist()}
    assert by_page[f"{NAME}/system.md"] == "You sort tickets."  # version 1, which is live
    told = (await client.get("/api/v1/export", params=asked, headers=read_key)).json()
    assert [(one["name"], one["version"]) for one in told["prompts"]] == [(NAME, 1)]
    (only,) = told["prompts"]
    assert {one["path"]: one["text"] for one in only["files"]} == by_page
    assert told["beside"] == "1 other prompt has no label production."
    said = await export(
        hub.state.database, cast.workspace, "markdown", "support", tmp_path / "out", "production"
    )
    assert said.lines[-1] == told["beside"]
    assert (tmp_path / "out" / NAME / "system.md").read_text() == "You sort tickets."
    asked = {"folder": "support", "format": "csv"}
    told = (await client.get("/api/v1/export", params=asked, headers=read_key)).json()
    assert [one["name"] for one in told["prompts"]] == [NAME]
    assert told["prompts"][0]["version"] == 2
    assert "no examples" in told["refused"][0]["why"]
    for label, sentence in (("staging", "No prompt below support has the label staging."),
                            ("NO", "label")):  # fmt: skip
        asked = {"folder": "support", "label": label}
        for door in (carla.get("/clinic/export", params=asked),
                     client.get("/api/v1/export", params=asked, headers=read_key)):  # fmt: skip
            answer = await door
            assert (answer.status_code, sentence in answer.text) == (422, True)


async def test_what_is_not_there_is_said(
    triage: None, carla: Browser, client: Browser, read_key: dict[str, str],
    write_key: dict[str, str],
):  # fmt: skip
    asked = [
        ({"format": "word"}, 422, "There is no format word. There are: prompt.yml, "),
        ({"version": 9}, 404, f"{NAME} has no version 9; its newest is 2."),
        ({"label": "staging"}, 404, f"{NAME} has no label staging: it has production."),
        ({"label": "production", "version": 1}, 422, "not for both"),
    ]
    for params, status, sentence in asked:
        answer = await client.get(API, params=params, headers=read_key)
        assert (answer.status_code, sentence in answer.json()["detail"]) == (status, True)
        for where in (HERE, FILE) if "label" not in params else ():
            answer = await carla.get(where, params=params)
            assert (answer.status_code, sentence in answer.text) == (status, True), where
    live = await client.get(API, params={"label": "production"}, headers=read_key)
    assert live.json()["version"] == 1
    assert (await carla.get("/clinic/export/no/such")).status_code == 404
    await save(client, write_key, "letter")
    page = await carla.get("/clinic/export/letter", params={"format": "csv"})
    assert "It has no examples in its file" in page.text
    assert "Download" not in page.text
    for door in (carla.get("/clinic/export-file/letter?format=csv"),
                 client.get("/api/v1/export/letter?format=csv", headers=read_key)):  # fmt: skip
        answer = await door
        assert (answer.status_code, "It has no examples" in answer.text) == (422, True)


async def test_outsiders_get_what_outsiders_get(
    triage: None, mallory: Browser, client: Browser, rival_key: dict[str, str]
):
    for where in (HERE, FILE, "/clinic/export", "/clinic/export-file"):
        answer = await mallory.get(where)
        assert (answer.status_code, "tickets" in answer.text) == (404, False)
    assert (await client.get(API, headers=rival_key)).status_code == 404
    assert (await client.get(API)).status_code == 401


@pytest.mark.browser
def test_the_report_follows_the_choice_and_the_keyboard_stays_where_it_is(
    server: Server, chromium: Any
):
    with httpx.Client(base_url=server.url, headers=server.headers("write")) as app:
        app.post(f"/api/v1/versions/{NAME}", json={"document": DOCUMENT, "message": "New"})
    page = chromium.new_context(base_url=server.url, accept_downloads=True).new_page()
    server.sign_in(page.context, "carla")
    page.goto(HERE)
    page.get_by_label("GitHub Models and this hub").focus()
    page.keyboard.press("ArrowDown")
    page.get_by_text("Download triage.prompty").wait_for()
    page.keyboard.press("ArrowUp")
    page.get_by_text("Download triage.prompt.yml").wait_for()
    page.get_by_label("Plain Markdown").check()
    page.get_by_text("Markdown has no place for it").first.wait_for()
    assert "format=markdown" in page.url
    with page.expect_download() as began:
        page.get_by_role("link", name="Download").click()
    assert began.value.suggested_filename == "triage.markdown.zip"
    page.context.close()
