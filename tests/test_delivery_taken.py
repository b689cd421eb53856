"""What running programs read is not taken from them without a word, and snippets count."""

from tests.delivering import ana, page_says, post, put, report, seen, signed_in, team, used
from tests.listening import until

__all__ = ["ana", "team"]


def live(team, ana, name, text="Sort: {{ text }}", **more):
    """A prompt that a program reads."""
    team.put_live(name, text)
    used(team, name, **more)
    page_says(ana, name)


def test_a_label_does_not_come_off_under_a_program(team, ana):
    name = "taken/label"
    live(team, ana, name)
    used(team, name, "two", app="letters", environment="")
    page_says(ana, name, "letters 1 process")
    refused = put(team, name, None)
    assert refused.status_code == 409
    said = refused.json()
    assert said["title"] == "TakenFromPrograms"
    assert "letters and triage-bot (eu) read taken/label as production just now" in said["detail"]
    assert said["programs"][0] == {"app": "letters", "environment": ""}
    assert team.table().versions()[name] == 1
    assert put(team, name, None, despite_programs="Both are switched off").status_code == 200
    assert name not in team.table().versions()


def test_nor_is_the_prompt_deleted(team, ana):
    name = "taken/deleted"
    live(team, ana, name)
    path = f"/api/v1/prompts/{name}"
    refused = team.http.delete(path)
    assert refused.status_code == 409
    assert "triage-bot (eu) reads taken/deleted" in refused.json()["detail"]
    assert team.http.get(path).status_code == 200
    gone = team.http.delete(path, params={"despite_programs": "It is replaced"})
    assert gone.status_code == 204
    assert "It is replaced" in seen(ana.get(f"/clinic/history/{name}"))


def test_a_program_that_ended_stops_nothing(team, ana):
    name = "taken/ended"
    live(team, ana, name)
    report(team, name, {1: 5}, instance=f"{name}-one".replace("/", "."), state="closed")
    until(lambda: team.http.delete(f"/api/v1/prompts/{name}").status_code == 204)


def test_the_pages_say_it_and_take_a_reason(team, ana, server):
    name = "taken/pages"
    live(team, ana, name)
    with signed_in(server) as ben:
        form = {"reason": "Another name", "new_name": "taken/renamed"}
        refused = post(ben, f"/clinic/rename/{name}", **form)
        assert refused.status_code == 409
        assert "would not find it by its new name" in refused.text
        assert "Why they shall not stop it" in refused.text
        done = post(ben, f"/clinic/rename/{name}", **form, despite="The bot follows today")
        assert done.status_code == 303
        assert team.table().versions()["taken/renamed"] == 1
        used(team, "taken/renamed")
        page_says(ana, "taken/renamed")
        path = "/clinic/delete/taken/renamed"
        refused = post(ben, path, reason="Not needed")
        assert (refused.status_code, "would find nothing" in refused.text) == (409, True)
        assert "Why they shall not stop it" in refused.text
        assert post(ben, path, reason="Not needed", despite="It is off").status_code == 303


def test_undoing_a_first_release_asks_for_a_reason_where_programs_read_it(team, ana, server):
    name = "taken/undo"
    live(team, ana, name)
    commit = team.http.get(f"/api/v1/labels/production/{name}").json()["items"][0]["commit"]
    with signed_in(server) as ben:
        for path in (f"/clinic/put-back/{commit}/{name}", f"/clinic/put-back/{commit}"):
            refused = post(ben, path)
            assert refused.status_code == 409
            assert "reads taken/undo as production just now" in refused.text
            assert "Why they shall not stop it" in refused.text
            assert "Taken back: It is better" in refused.text
        form = {
            f"pick.{name}": "yes", f"version.{name}": "", f"expected.production.{name}": "1",
            "to.production": "yes", "reason": "Taken back", "despite": "It may fail",
        }  # fmt: skip
        assert post(ben, "/clinic/release-several", **form).status_code == 303
    assert name not in team.table().versions()


def test_what_only_a_snippet_uses_is_needed_too(team, ana):
    name = "taken/snippet"
    live(team, ana, name)
    team.save(
        "taken/tone", "Be kind to {{ patient | upper }}{% if ward %} of {{ ward }}{% endif %}"
    )
    team.save(name, '{% include "taken/tone@1" %} Sort: {{ text }}')
    refused = put(team, name, 2)
    assert refused.status_code == 409
    assert "needs `patient`, which triage-bot (eu) does not pass" in refused.json()["detail"]
    team.save(name, "Sort: {{ text | upper }}{% if urgent %} {{ why }}{% endif %}")
    assert put(team, name, 3).status_code == 200  # under a condition only
    team.save(name, "Sort: {% for row in rows %}{{ row }}{% endfor %}")
    assert "needs `rows`" in put(team, name, 4).json()["detail"]
