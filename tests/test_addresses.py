"""What an address may say, and the answer when it says something else."""

from __future__ import annotations

import asyncio

import pytest

from hub.web import asset
from tests.cast import Browser, on_both_engines
from tests.serving import Server


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("prompts/a?version=abc", "`version` must be a whole number from 1 to 2147483647."),
        ("prompts/a?version=0", "`version` must be a whole number from 1 to 2147483647."),
        ("prompts/a?version=", "`version` must be a whole number from 1 to 2147483647."),
        ("prompts?limit=x", "`limit` must be a whole number."),
        ("versions/a?limit=9999", "`limit` must be a whole number from 1 to 500."),
        (
            "versions/a?cursor=x&limit=x",
            "`cursor` must be a whole number from 1 to 2147483647. "
            "`limit` must be a whole number from 1 to 500.",
        ),
    ],
)
async def test_a_wrong_parameter_is_named(
    client: Browser, read_key: dict[str, str], address: str, says: str
):
    answer = await client.get(f"/api/v1/{address}", headers=read_key)
    assert (answer.status_code, answer.json()["detail"]) == (400, says)


async def test_a_wrong_parameter_of_a_page_is_named(ben: Browser, maria: Browser):
    page = await ben.get("/clinic/release/production/a?version=abc")
    assert page.status_code == 400
    assert "version</code> must be a whole number." in page.text
    page = await maria.get("/clinic/settings/audit?before=%3Cb%3E")
    assert page.status_code == 400
    assert "before</code> must be a whole number." in page.text


@on_both_engines
async def test_head_answers_as_get_without_the_body(
    client: Browser, ana: Browser, write_key: dict[str, str]
):
    body = {"document": {"messages": [{"role": "user", "content": "Hi"}]}, "base": None}
    made = await client.post("/api/v1/versions/ward/note", headers=write_key, json=body)
    assert made.status_code == 201
    for who, address, headers in (
        (client, "/healthz", {}),
        (client, "/sign-in", {}),
        (client, "/clinic/prompts", {}),
        (ana, "/clinic/prompts", {}),
        (ana, "/clinic/prompts/ward/note", {}),
        (ana, "/clinic/prompts/ward/nothing", {}),
        (client, "/api/v1/prompts", write_key),
        (client, "/api/v1/prompts", {}),
        (client, "/api/v1/prompts/ward/note", write_key),
        (client, "/api/v1/prompts/ward/note", write_key),  # from memory now
        (client, "/api/v1/prompts/ward/note", write_key | {"If-None-Match": "*"}),
        (client, "/api/v1/versions/ward/note?limit=x", write_key),
        (client, "/api/openapi.json", {}),
        (client, "/static/favicon.svg", {}),
        (client, "/static/nothing", {}),
    ):
        head = await who.head(address, headers=headers)
        whole = await who.get(address, headers=headers)
        assert head.content == b""
        assert head.status_code == whole.status_code, address
        shown = [
            {k: v for k, v in one.headers.items() if k != "set-cookie"} for one in (head, whole)
        ]
        shown = [one | {"content-length": ""} if whole.status_code == 404 else one for one in shown]
        assert shown[0] == shown[1], address
    assert (await ana.head("/clinic/new/elsewhere")).status_code == 404
    assert (await ana.head("/sign-out")).status_code == 303
    assert (await ana.head("/healthz", headers={"Host": "evil.test"})).content == b""


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        (asset("app.css"), "public, max-age=31536000, immutable"),
        (asset("app.js"), "public, max-age=31536000, immutable"),
        ("/static/fonts/inter-latin.woff2", "public, max-age=86400"),
        ("/static/fonts/inter.LICENSE.txt", "public, no-cache"),
        ("/static/dist/LICENSES.txt", "public, no-cache"),
        ("/static/favicon.svg", "public, no-cache"),
    ],
)
async def test_only_what_is_named_by_its_content_is_kept_for_ever(
    client: Browser, path: str, kept: str
):
    answer = await client.get(path)
    assert (answer.status_code, answer.headers["cache-control"]) == (200, kept)
    again = await client.get(path, headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_head_over_a_socket_leaves_the_connection_usable(server: Server):
    async def ask() -> list[bytes]:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.settings.port)
        for method in ("HEAD", "GET"):
            writer.write(f"{method} /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        found = [await reader.readuntil(b"\r\n\r\n") for _ in range(2)]
        writer.close()
        return found

    head, whole = (part.split(b"\r\n") for part in asyncio.run(ask()))
    assert head[0] == whole[0] == b"HTTP/1.1 200 OK"
    length = [
        [line for line in one if line.lower().startswith(b"content-length")]
        for one in (head, whole)
    ]
    assert length[0] == length[1] != []


FORMS_ALONE = {
    "/clinic/settings/people": "/clinic/settings",
    "/clinic/settings/people/7/role": "/clinic/settings",
    "/clinic/settings/webhooks/incoming/close": "/clinic/settings/webhooks",
    "/clinic/proposals/1/review": "/clinic/proposals/1",
    "/clinic/models/aliases": "/clinic/models",
    "/clinic/scheduled/7/cancel": "/clinic/scheduled",
    "/clinic/discard/ward/note": "/clinic/prompts/ward/note",
    "/clinic/restore/1/ward/note": "/clinic/prompts/ward/note",
    "/clinic/draft/ward/note": "/clinic/prompts/ward/note",
    "/clinic/put-back/0123abc/ward/note": "/clinic/released/0123abc",
    "/account/keys/7/revoke": "/account/keys",
    "/account/name": "/account",
    "/workspaces": "/",
    "/theme": "/",
}


async def test_an_address_that_only_takes_forms_leads_to_the_page_that_has_the_form(
    client: Browser, maria: Browser
):
    for address, page in FORMS_ALONE.items():
        answer = await maria.get(address, follow_redirects=False)
        assert (answer.status_code, answer.headers["location"]) == (303, page), address
    stranger = await client.get("/clinic/settings/people", follow_redirects=True)
    assert "/sign-in?next=/clinic/settings" in str(stranger.url)
    page = await maria.get("/clinic/settings/people", follow_redirects=True)
    assert page.status_code == 200
    assert "<h2" in page.text
    refused = await client.get("/api/v1/policy/owners")
    assert (refused.status_code, refused.headers["allow"]) == (405, "PUT, DELETE")


@pytest.mark.parametrize(
    ("address", "takes"),
    [
        ("/sign-in", "GET, POST, HEAD, OPTIONS"),
        ("/api/v1/prompts/support/mood", "GET, DELETE, HEAD, OPTIONS"),
        ("/api/v1/versions/support/mood", "GET, POST, HEAD, OPTIONS"),
        ("/clinic/settings/people", "POST, OPTIONS"),
    ],
)
async def test_an_address_says_all_that_it_takes(client: Browser, address: str, takes: str):
    answer = await client.options(address)
    assert (answer.status_code, answer.headers["allow"]) == (204, takes)
    assert "default-src 'none'" in answer.headers["content-security-policy"]


async def test_what_is_not_there_takes_nothing(client: Browser):
    assert (await client.options("/api/v1/nothing")).status_code == 404


async def test_an_address_that_nothing_may_meet_is_a_page_for_people_and_json_for_programs(
    client: Browser,
):
    seen = {"Accept": "text/html,application/xhtml+xml"}
    page = await client.get("/clinic//<b>prompts", headers=seen)
    assert page.status_code == 400
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "plain slashes" in page.text
    assert '<a href="/">' in page.text
    assert "prompts" not in page.text
    elsewhere = await client.get("/clinic", headers=seen | {"Host": "evil.example"})
    assert "does not answer to that host name" in elsewhere.text
    assert "evil" not in elsewhere.text
    told = await client.get("/clinic//prompts", headers={"Accept": "*/*"})
    assert told.headers["content-type"] == "application/problem+json"


async def test_the_history_gives_reasons_and_says_nothing_twice(
    client: Browser, maria: Browser, write_key: dict[str, str]
):
    document = {"messages": [{"role": "user", "content": "Be calm."}]}
    sent = {"document": document, "base": None, "message": "First"}
    for name in ("ward/a", "ward/b"):
        saved = await client.post(f"/api/v1/versions/{name}", json=sent, headers=write_key)
        assert saved.status_code == 201
    for old, why in (("a", ""), ("b", "Shorter")):
        form = {"new_name": f"ward/{old}{old}", "reason": why}
        assert (await maria.post_form(f"/clinic/rename/ward/{old}", form)).status_code == 303
        assert (await maria.post_form(f"/clinic/delete/ward/{old * 2}")).status_code == 303
    plain = (await maria.get("/clinic/history/ward/aa")).text
    assert "Renamed from" in plain
    assert "Deleted" in plain
    assert "Rename ward" not in plain
    assert "Delete ward" not in plain
    assert "Shorter" in (await maria.get("/clinic/history/ward/bb")).text
