"""The people of the tests, by name, and what they sign in with.

Maria runs the workspace `clinic`, Ana edits, Ben reviews, Carla reads. Mallory runs another
workspace, `rival`, and must never see anything of theirs.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from hub.db import Database
from hub.people import accounts, keys, passwords, sign_ins, workspaces
from hub.people.policy import WorkspaceRef
from hub.settings import Secret, Settings

PASSWORD = "three calm otters"
ROLES = {"maria": "admin", "ana": "editor", "ben": "reviewer", "carla": "viewer"}
NAMES = {
    "maria": "Maria Santos", "ana": "Ana Oliveira", "ben": "Ben Carter", "carla": "Carla Rossi",
    "mallory": "Mallory Stone",
}  # fmt: skip
BASE = "https://hub.test"

on_both_engines = pytest.mark.parametrize(
    "engine", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True
)
"""Run a test that uses `hub`, `settings` or `database` on SQLite and on a real Postgres."""


@dataclass
class Cast:
    """What was made before the test began."""

    workspace: WorkspaceRef
    rival: WorkspaceRef
    cookies: dict[str, str]
    """Session cookie by person."""
    account_ids: dict[str, int]
    read_key: str
    write_key: str
    check_key: str
    rival_key: str


def settings_for(data: Path, **more: Any) -> Settings:
    given = {"data": data, "public_url": BASE, "secret_key": Secret("0" * 64)} | more
    return Settings(**given)


async def make_cast(database: Database, password_hash: str | None = None) -> Cast:
    """Write the cast down; passwords only where a test signs in by the front door."""
    async with database.write() as db:
        people = {who: await accounts.create(db, f"{who}@example.org", NAMES[who]) for who in NAMES}
        for account in people.values():
            account.password_hash = password_hash or "unset"
        maria, mallory = people["maria"], people["mallory"]
        clinic = await workspaces.create(
            db, "clinic", "Clinic", actor=accounts.person(maria), account_id=maria.id
        )
        rival = await workspaces.create(
            db, "rival", "Rival", actor=accounts.person(mallory), account_id=mallory.id
        )
        for who in ("ana", "ben", "carla"):
            await workspaces.add(
                db, clinic, f"{who}@example.org", "", ROLES[who], actor=accounts.person(maria)
            )
        by = accounts.person(maria)
        made = {
            name: (await keys.create(db, place, name, scope, actor=by)).token
            for name, place, scope in (
                ("reader", clinic, "read"), ("writer", clinic, "write"),
                ("checker", clinic, "checks"), ("spy", rival, "write"),
            )
        }  # fmt: skip
        cookies = {who: await sign_ins.start(db, one.id, "tests") for who, one in people.items()}
    return Cast(
        clinic, rival, cookies, {who: one.id for who, one in people.items()},
        made["reader"], made["writer"], made["checker"], made["spy"],
    )  # fmt: skip


async def known_password() -> str:
    """The hash of PASSWORD; costs 50 ms, so make it once."""
    return await passwords.hash_password(PASSWORD)


class Browser(httpx.AsyncClient):
    """A person's browser: keeps cookies, fills in the form's token as a page would."""

    async def token(self) -> str:
        """The value that forms carry; it comes with the first page."""
        if not (found := self.cookies.get("__Host-csrf")):
            await self.get("/sign-in")
            found = self.cookies["__Host-csrf"]
        return found

    async def post_form(
        self, url: str, data: dict[str, Any] | None = None, **more: Any
    ) -> httpx.Response:
        """Send a form as a browser does."""
        return await self.send_form("POST", url, data, **more)

    async def send_form(
        self, method: str, url: str, data: dict[str, Any] | None = None, **more: Any
    ) -> httpx.Response:
        """POST, or what HTMX sends: PUT and DELETE with the token in a header."""
        token = await self.token()
        headers = {"Origin": BASE, "Sec-Fetch-Site": "same-origin"} | more.pop("headers", {})
        if method == "POST":
            form = {"_csrf_token": token, **(data or {})}
            return await self.request(method, url, data=form, headers=headers, **more)
        headers |= {"x-csrftoken": token, "HX-Request": "true"}
        return await self.request(method, url, data=data, headers=headers, **more)


def title(page: httpx.Response) -> str:
    """The page's heading, to say in a test where somebody landed."""
    found = re.search(r"<h1[^>]*>(.*?)</h1>", page.text, re.S)
    return re.sub(r"<[^>]+>", "", found[1]).strip() if found else ""


def copy_template(template: Path, data: Path) -> None:
    """A migrated, empty database, copied: faster than migrating for every test."""
    data.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(template, data / "hub.db")
