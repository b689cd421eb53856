"""A version goes to some at a later time, or several do in one step; the label pages say so."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import update

from hub.registry.review.models import Scheduled
from tests.delivering import give, post, seen, shares, signed_in, team, two_versions
from tests.listening import beside, until

__all__ = ["team"]


def pointed(team, name):
    pointer = team.table().pointers["production", name]
    return pointer["version"], shares(pointer)


def in_an_hour():
    return (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M")


def hasten(server):
    """The moment of everything that is scheduled has come."""

    async def work(parts, workspace):
        async with parts.database.write() as db:
            due = datetime.now(UTC) - timedelta(seconds=1)
            await db.execute(update(Scheduled).values(due_at=due))

    beside(server.settings, "clinic", work)


def test_a_share_begins_at_its_moment(team, server):
    name = "later/one"
    two_versions(team, name)
    path = f"/clinic/release/production/{name}"
    form = {"version": "2", "expected": "1", "reason": "Carefully, tonight", "share": "10"}
    with signed_in(server) as ben:
        later = {"when": "later", "due": in_an_hour(), "offset": "0"}
        old = form | {"version": "1"}
        refused = post(ben, path, **old, **later)
        assert refused.status_code == 422
        assert "what everybody got before" in refused.text
        assert post(ben, path, **form, **later).status_code == 303
        assert "v2 goes into production to 10 %" in seen(ben.get(f"/clinic/prompts/{name}"))
        assert "v2 into production to 10 %" in seen(ben.get("/clinic/scheduled"))
        assert pointed(team, name) == (1, [])
        hasten(server)
        until(lambda: pointed(team, name) == (1, [(2, 1000), (1, 9000)]))
        history = seen(ben.get(f"/clinic/labels/production/{name}"))
        assert "v2 to 10 %, v1 to the others" in history
        assert "step by step)" in seen(ben.get("/clinic/settings/labels"))


def test_one_that_was_shared_meanwhile_is_refused(team, server):
    name = "later/meanwhile"
    two_versions(team, name)
    path = f"/clinic/release/production/{name}"
    form = {"version": "2", "expected": "1", "reason": "Carefully", "share": "25"}
    with signed_in(server) as ben:
        later = {"when": "later", "due": in_an_hour(), "offset": "0"}
        assert post(ben, path, **form, **later).status_code == 303
        assert give(team, name, 2, 5).status_code == 200
        hasten(server)
        until(lambda: "has changed meanwhile" in seen(ben.get("/clinic/scheduled")))
        assert pointed(team, name) == (1, [(2, 500), (1, 9500)])


def test_several_begin_with_the_same_share_in_one_step(team, server):
    names = ["later/a", "later/b"]
    for name in names:
        two_versions(team, name)
    team.put_live("later/same", "Stays")
    everything = {f"pick.{name}": "yes" for name in [*names, "later/same"]} | {
        "version.later/a": "2", "version.later/b": "2", "version.later/same": "1",
        "to.production": "yes",
    }  # fmt: skip
    expected = {f"expected.production.{name}": "1" for name in [*names, "later/same"]}
    with signed_in(server) as ben:
        page = post(ben, "/clinic/release-several/look", **everything)
        assert "10 % first" in page.text
        form = everything | expected | {"reason": "Both, carefully"}
        assert post(ben, "/clinic/release-several", **form, share="200").status_code == 422
        done = post(ben, "/clinic/release-several", **form, share="10")
        assert done.status_code == 303
        for name in names:
            assert pointed(team, name) == (1, [(2, 1000), (1, 9000)])
        assert pointed(team, "later/same") == (1, [])
        assert "v2 to 10 %, v1 to the others" in seen(ben.get(done.headers["location"]))
        again = post(ben, "/clinic/release-several/look", **everything)
        assert "v2 to 10 %, v1 to the others" in seen(again)
        steps = {f"step.production.{name}": "yes" for name in names}
        assert post(ben, "/clinic/release-several", **form, **steps, share="75").status_code == 303
        for name in names:
            assert pointed(team, name) == (2, [(2, 7500), (1, 2500)])
        larger = form | {f"expected.production.{name}": "2" for name in names} | steps
        assert post(ben, "/clinic/release-several", **larger).status_code == 303
        for name in names:
            assert pointed(team, name) == (2, [])


def test_what_is_not_live_yet_can_only_go_to_everybody(team, server):
    team.save("later/new", "New")
    form = {"pick.later/new": "yes", "version.later/new": "1", "to.production": "yes"}
    with signed_in(server) as ben:
        page = post(ben, "/clinic/release-several/look", **form)
        assert "10 % first" not in page.text
        form |= {"reason": "First", "expected.production.later/new": ""}
        refused = post(ben, "/clinic/release-several", **form, share="10")
        assert (refused.status_code, "Release it to everybody" in refused.text) == (422, True)
