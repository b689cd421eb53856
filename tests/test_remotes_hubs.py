"""Other hubs: linked, and at one repository with us."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hub.db import Database
from hub.errors import HubError
from hub.sync.remotes import linking
from hub.sync.remotes.view import view
from tests.forge import Forge, Linked, clinic, linked_to_daemon, room_for, wait_for
from tests.git_people import own_key, save
from tests.serving import Server, free_port
from tests.shelf import Shelf, make_shelf


@pytest.fixture
async def shelf(database: Database, tmp_path: Path) -> Shelf:
    return await clinic(database, tmp_path)


async def test_what_another_hub_has_comes_in_by_our_own_door(
    server: Server, shelf: Shelf, tmp_path: Path
):
    key = await asyncio.to_thread(own_key, server, "maria")
    await asyncio.to_thread(save, server, "support/triage", "Be kind.")
    room = room_for(shelf.database, shelf.publisher, tmp_path, server.url.removeprefix("http://"))
    linked = Linked(shelf, Forge(tmp_path, f"{server.url}/clinic.git"), room)
    with pytest.raises(HubError, match="does not accept the hub's token"):
        await linked.link(token="ph_wrong", deploy="")
    row = await linked.link(token=key, deploy="on", mirror="on")
    assert (row.one_way, row.deploy, row.mirror) == (True, "", False)
    assert row.sealed is not None
    assert key.encode() not in row.sealed
    row = await linked.sync()
    assert (row.trouble, row.stopped, row.ahead, row.behind) == ("", None, 0, 0)
    assert "Be kind." in linked.text("support/triage")
    await shelf.save("tutor/maths", "Explain sums.")  # a hub takes nothing in another hub's name
    row = await linked.sync()
    assert (row.trouble, row.stopped, row.ahead, row.behind) == ("", None, 1, 0)
    assert view(row).state == "in step"
    assert "no hub takes commits in the name of another" in view(row).sentence
    await asyncio.to_thread(save, server, "support/refunds", "Be quick.")
    for _ in range(2):
        row = await linked.sync()
        assert (row.trouble, row.stopped, row.behind) == ("", None, 0)
    assert "Be quick." in linked.text("support/refunds")
    assert "Explain sums." in linked.text("tutor/maths")
    await room.outbound.close()


async def test_two_hubs_at_one_repository(database: Database, shelf: Shelf, tmp_path: Path):
    """Each takes in what the other made, by a commit of its own; that comes to an end."""
    with linked_to_daemon(shelf, tmp_path) as one:
        theirs = await make_shelf(database, tmp_path / "other", "other")
        room = room_for(database, theirs.publisher, tmp_path / "other", "127.0.0.1")
        other = Linked(theirs, one.forge, room)
        await shelf.save("support/triage", "Be kind.")
        await one.link()
        await one.in_step()
        await other.link(deploy="")
        await other.sync()
        for turn in range(3):
            await one.shelf.save(f"one/p{turn}", "Here.")
            await other.shelf.save(f"other/p{turn}", "There.")
            for linked in (one, other, one, other):
                await linked.sync()
        before = one.forge.tip()
        for linked in (one, other, one, other):
            row = await linked.sync()
            assert (row.trouble, row.stopped, row.waiting) == ("", None, None)
            assert view(row).state == "in step"
        assert one.forge.tip() == before
        files = [linked.shelf.git("ls-tree", "-r", "main") for linked in (one, other)]
        assert files[0] == files[1] == one.forge.git("ls-tree", "-r", "main")
        assert len(files[0].splitlines()) == 7
        for linked in (one, other):
            await linked.shelf.assert_rebuilds()


async def test_two_hubs_that_are_linked_to_each_other(
    database: Database, shelf: Shelf, tmp_path: Path
):
    """Each fetches from the other and sends nothing; both come to hold the same, and stay there."""
    theirs = await make_shelf(database, tmp_path / "other", "other")
    await shelf.save("support/triage", "Be kind.")
    with serving(tmp_path) as url:
        one = await fetching(shelf, f"{url}/other/repositories/other.git", tmp_path)
        other = await fetching(theirs, f"{url}/repositories/clinic.git", tmp_path / "other")
        for linked in (other, one):
            await linked.sync()
        for turn in range(3):
            await shelf.save(f"one/p{turn}", "Here.")
            await theirs.save(f"other/p{turn}", "There.")
            await both(one, other)
        before = [linked.main() for linked in (one, other)]
        await both(one, other)
        assert [linked.main() for linked in (one, other)] == before
        files = [linked.shelf.git("ls-tree", "-r", "main") for linked in (one, other)]
        assert files[0] == files[1]
        assert len(files[0].splitlines()) == 7
        for linked in (one, other):
            assert view(await linked.row()).state == "in step"
            await linked.shelf.assert_rebuilds()


async def both(one: Linked, other: Linked) -> None:
    for linked in (one, other, one, other):
        row = await linked.sync()
        assert (row.trouble, row.stopped, row.waiting) == ("", None, None)


async def fetching(shelf: Shelf, url: str, folder: Path) -> Linked:
    """Linked to another hub's repository, as if by its own door."""
    room = room_for(shelf.database, shelf.publisher, folder, "127.0.0.1")
    linked = Linked(shelf, Forge(folder, url), room)
    await linked.link(deploy="")
    async with shelf.database.write() as db:
        (await linking.get(db, shelf.workspace.id)).one_way = True
    return linked


@contextmanager
def serving(folder: Path) -> Generator[str]:
    """Every repository below, to be fetched from and not pushed to."""
    port = free_port()
    process = subprocess.Popen(
        ["git", "daemon", "--reuseaddr", "--export-all", "--listen=127.0.0.1", f"--port={port}",
         f"--base-path={folder}"],
        env={"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": "/dev/null"},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        wait_for(port)
        yield f"git://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
