"""Forms, addresses and headers that no browser sends: a sentence, and nothing typed is lost."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hub.front import Front
from tests.cast import Browser, on_both_engines

BEYOND = "99999999999999999999"
DRAFT = "/clinic/draft/support/triage"
FORM: dict[str, Any] = {"title": "Triage", "role": "system", "content": "Sort the call."}


@pytest.fixture
async def triage(client: Browser, write_key: dict[str, str]) -> None:
    document = {"name": "Triage", "messages": [{"role": "system", "content": "Sort."}]}
    body = {"document": document, "base": None, "message": "First"}
    made = await client.post("/api/v1/versions/support/triage", headers=write_key, json=body)
    assert made.status_code == 201


@on_both_engines
async def test_numbers_beyond_any_database_are_answered(
    hub: Front, maria: Browser, client: Browser, read_key: dict[str, str], triage: None
):
    prompt = "support/triage"
    for address in (
        f"/clinic/version/{BEYOND}/{prompt}", f"/clinic/grid/{BEYOND}", f"/clinic/models/{BEYOND}",
        f"/clinic/release/production/{prompt}?version={BEYOND}",
        f"/clinic/playground?before={BEYOND}", f"/clinic/settings/audit?before={BEYOND}",
        f"/clinic/diff/{BEYOND}/²/{prompt}", f"/clinic/diff/1/{'9' * 5000}/{prompt}",
    ):  # fmt: skip
        answer = await maria.get(address)
        assert 400 <= answer.status_code < 500 or address.endswith(f"before={BEYOND}"), address
        assert answer.status_code < 500, address
    for address in (
        f"/clinic/restore/{BEYOND}/{prompt}", f"/clinic/settings/people/{BEYOND}/remove",
        f"/clinic/models/{BEYOND}/remove", f"/clinic/grid/{BEYOND}/again",
    ):  # fmt: skip
        assert (await maria.post_form(address)).status_code == 404, address
    for moment in ("0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"):
        page = await maria.get(f"/clinic/labels/production/{prompt}", params={"at": moment})
        assert "Write the moment" in page.text
        api = f"/api/v1/labels/production/{prompt}"
        assert (await client.get(api, params={"at": moment}, headers=read_key)).status_code == 422
    assert (await client.get(f"/api/v1/grids/{BEYOND}", headers=read_key)).status_code == 404


@on_both_engines
async def test_a_draft_survives_odd_numbers_in_its_form(ana: Browser, triage: None):
    for odd in ("²", BEYOND, "9" * 5000, "-1", "NaN"):
        for field in ("base_version", "revision", "origin", "maxTokens", "seed"):
            kept = await ana.send_form("PUT", DRAFT, FORM | {field: odd})
            assert kept.status_code == 200, f"{field} {odd[:9]}"
    page = await ana.get("/clinic/prompts/support/triage")
    assert page.status_code == 200
    assert "Sort the call." in page.text


ODD_JSON = {
    "very deep": "[" * 20_000,
    "deep but whole": "[" * 600 + "]" * 600,
    "half a character": '{"a": "\\ud800"}',
    "a NUL": '{"a": "\\u0000"}',
    "not a number": '{"a": NaN, "b": 1e999}',
    "an endless number": "[" + "9" * 5000 + "]",
}


@on_both_engines
async def test_odd_json_in_the_editor_stays_as_typed(ana: Browser, triage: None):
    for what, text in ODD_JSON.items():
        form = FORM | {"tools": text, "json_schema": text}
        form |= {"var_name": "who", "var_type": "list", "var_default": text}
        assert (await ana.send_form("PUT", DRAFT, form)).status_code == 200, what
        page = await ana.get("/clinic/prompts/support/triage")
        assert page.status_code == 200, what
        assert "Sort the call." in page.text
        save = form | {"action": "save", "message": "Try"}
        refused = await ana.post_form("/clinic/prompts/support/triage", save)
        assert refused.status_code == 422, what


@on_both_engines
async def test_a_nul_in_a_form_breaks_no_page(ana: Browser, triage: None):
    form = {key: value + "\0" for key, value in FORM.items() if key != "role"} | {"role": "system"}
    assert (await ana.send_form("PUT", DRAFT, form)).status_code < 500
    for address in ("/clinic/prompts/support/triage", "/clinic/prompts?q=%01", "/clinic/new"):
        assert (await ana.get(address)).status_code == 200
    made = await ana.post_form("/clinic/new", {"name": "a/b", "text": "Hi\0", "message": "\0"})
    assert made.status_code in (303, 422)
    assert (await ana.post_form("/account/name", {"name": "Ana\0"})).status_code in (303, 422)


async def test_what_is_no_form_does_not_wipe_a_draft(ana: Browser, triage: None):
    assert (await ana.send_form("PUT", DRAFT, FORM)).status_code == 200
    headers = {"x-csrftoken": await ana.token(), "Content-Type": "application/json"}
    refused = await ana.put(DRAFT, content=json.dumps({"content": "gone"}), headers=headers)
    assert refused.status_code == 422
    assert "Sort the call." in (await ana.get("/clinic/prompts/support/triage")).text


@pytest.mark.parametrize("theme", ["\u202e<b>", "dark; Path=/evil", "dark\r\nSet-Cookie: a=b"])
async def test_a_look_that_does_not_exist_reaches_no_cookie(ana: Browser, theme: str):
    answer = await ana.post_form("/theme", {"theme": theme})
    assert answer.status_code == 303
    assert [one for one in answer.headers.get_list("set-cookie") if "theme=" in one] == [
        "theme=auto; Max-Age=31536000; Path=/; SameSite=lax; Secure"
    ]


async def test_two_host_names_are_one_too_many(client: Browser):
    """A proxy may judge by the first and we by the second."""
    for hosts in (["evil.example", "hub.test"], ["hub.test", "evil.example"]):
        answer = await client.get("/healthz", headers=[("Host", host) for host in hosts])
        assert answer.status_code == 400, hosts


async def test_the_data_folder_is_the_hubs_alone(tmp_path):
    from hub.lock import hold

    with hold(tmp_path / "data"):
        assert (tmp_path / "data").stat().st_mode & 0o077 == 0
