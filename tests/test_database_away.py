"""A Postgres that goes away and comes back, below a hub that goes on running."""

from __future__ import annotations

import time
from pathlib import Path

import httpx
import pytest

from hub.outbox import Watch
from tests.commands import prompthub, serving
from tests.postgres import sql
from tests.stand_in import until

AWAY = "The hub's database does not answer just now. Try again in a moment."
UNREAD = "the outbox could not be read; trying again: "
"""And why. Whoever was reading at the moment that it went says so as well, with a traceback."""


@pytest.mark.postgres
def test_while_postgres_is_away_it_is_said_and_nothing_has_to_be_done(
    tmp_path: Path, postgres_server: str, postgres_url: str
):
    name = postgres_url.partition("?")[0].rpartition("/")[2]

    def let_in(allowed: bool) -> None:
        sql(postgres_server, f"ALTER DATABASE {name} ALLOW_CONNECTIONS {allowed}")
        if not allowed:
            sql(
                postgres_server,
                f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'",
            )

    data = tmp_path / "data"
    said = tmp_path / "data-said.txt"
    with serving(data, "--demo", PROMPTHUB_DATABASE_URL=postgres_url) as hub:
        where = ("--data", str(data), "--workspace", "demo", "--scope", "read")
        forgotten = prompthub("key", "create", *where)
        assert "set PROMPTHUB_DATABASE_URL as it was then" in forgotten.stderr
        key = prompthub("key", "create", *where, PROMPTHUB_DATABASE_URL=postgres_url).stdout.strip()
        headers = {"Authorization": f"Bearer {key}"}
        with httpx.Client(base_url=hub.url, headers=headers, timeout=60) as app:

            def found() -> int:
                return app.get("/api/v1/prompts?q=triage").status_code

            assert found() == 200
            let_in(False)
            while found() == 200:  # answered from memory, or by a connection that is ending
                pass
            refused = app.get("/api/v1/prompts?q=triage")
            assert (refused.status_code, refused.json()["detail"]) == (503, AWAY)
            page = app.get("/demo/prompts", headers={"Cookie": "__Host-session=hers"})
            assert (page.status_code, "Just a moment" in page.text) == (503, True)
            doctor = prompthub("doctor", "--data", str(data), PROMPTHUB_DATABASE_URL=postgres_url)
            assert f"The database {name} at " in doctor.stderr
            until(lambda: UNREAD in said.read_text())
            time.sleep(3 * Watch.EVERY)  # it goes on looking, and does not go on saying
            let_in(True)
            assert found() == 200
    lines = [line for line in said.read_text().splitlines() if line.startswith(UNREAD)]
    assert len(lines) == len({*lines})
    assert "unexpected error" not in said.read_text()
