"""Over https, with a certificate that an authority of one's own made."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from hub.cli import read_settings
from hub.db import Database
from hub.errors import HubError
from tests.authority import authority
from tests.forge import Linked, clinic, prompt, room_for
from tests.http_backend import http_backend


async def test_both_ways_and_only_with_that_authority(database: Database, tmp_path: Path):
    shelf = await clinic(database, tmp_path)
    ca, context = authority(tmp_path)
    (tmp_path / "other").mkdir()
    other, _ = authority(tmp_path / "other")
    with http_backend(tmp_path / "forge", context) as (forge, _tokens):
        assert forge.url.startswith("https://")
        host = forge.url.removeprefix("https://").partition("/")[0]
        for file in ("", str(other)):
            room = room_for(database, shelf.publisher, tmp_path, host, file)
            with pytest.raises(HubError, match="is not one that the hub trusts"):
                await Linked(shelf, forge, room).link(token="ghp_first")
        room = room_for(database, shelf.publisher, tmp_path, host, str(ca))
        linked = Linked(shelf, forge, room)
        await shelf.save("support/triage", "Be kind.")
        await linked.link(token="ghp_first")
        await linked.in_step()
        forge.pull()
        forge.commit({"tutor/maths.prompt.yml": prompt("Explain sums.")})
        await linked.in_step()
        assert "Explain sums." in linked.text("tutor/maths")
        url = forge.url.partition("/acme")[0]
        assert (await room.outbound.client().get(url)).status_code == 401  # as for a webhook
        await room.outbound.close()


def test_a_file_without_certificates_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "no.pem").write_text("nothing")
    for name in ("no.pem", "missing.pem"):
        monkeypatch.setenv("PROMPTHUB_CA_FILE", str(tmp_path / name))
        with pytest.raises(
            click.ClickException, match=r"PROMPTHUB_CA_FILE names .*, which is no file"
        ):
            read_settings()
