"""Every page of review, for everybody: axe finds nothing serious, nothing is wider than the screen,
on a desk and on a phone, by day and by night."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cast import copy_template
from tests.review_people import at_the_browser, serious
from tests.review_scene import told
from tests.serving import Server

pytestmark = pytest.mark.browser
P = "proposals"
PAGES = (
    ("ben", (
        "", P, f"{P}?state=open", f"{P}?state=closed", f"{P}?state=mine", f"{P}?q=nothing+like+it",
        "notices", "history/clinical/mood", "as-of", "scheduled", "/account/keys", "/account",
    )),
    ("ben", (
        f"{P}/1", f"{P}/1?view=side", f"{P}/1?from=1&to=2", f"{P}/1?to=1", f"{P}/1/revisions",
        f"{P}/1/talk", f"{P}/1/talk?quote=1", f"{P}/1/answers", f"{P}/1/ask", f"{P}/1/reviewers",
        f"{P}/1/decline",
    )),
    ("ben", tuple(f"{P}/{one}" for one in (2, 3, 4, 5, 6, "6/merge", 7, 8, 9))),
    ("ana", (
        "", f"{P}/1", f"{P}/1/edit", f"{P}/4/resolve", "propose/clinical/triage",
        "propose-several",
    )),
    ("carla", ("", f"{P}/1", "propose/support/hours", "prompts/support/hours")),
    ("maria", (
        f"{P}/1/merge", "release-several", "settings/rules", "settings/groups", "settings/audit",
        "release/production/clinical/letters",
    )),
    # Where nothing has happened yet.
    ("mallory", tuple(f"/rival{one}" for one in (
        "", "/prompts", "/proposals", "/proposals?state=closed", "/notices", "/propose-several",
        "/release-several", "/as-of", "/scheduled", "/settings/rules", "/settings/audit",
    ))),
)  # fmt: skip


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> Iterator[Server]:
    data = tmp_path_factory.mktemp("pages") / "data"
    copy_template(migrated, data)
    with told(data) as running:
        yield running


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
@pytest.mark.parametrize(("who", "paths"), PAGES)
def test_every_page_is_accessible_and_fits(
    clinic: Server, chromium: Any, who: str, paths: tuple[str, ...], width: int, scheme: str
) -> None:
    wrong: list[str] = []
    size = {"width": width, "height": 900}
    with at_the_browser(clinic, chromium, who, viewport=size, color_scheme=scheme) as page:
        for path in paths:
            answer = page.goto(path if path.startswith("/") else f"/clinic/{path}".rstrip("/"))
            assert answer.status == 200, (path, answer.status)
            for fold in page.locator(".main details:not(.menu)").all():
                fold.evaluate("one => { one.open = true }")
            wrong += [f"{path}: {one}" for one in serious(page)]
    assert wrong == []


def test_the_forms_at_the_words_and_the_sheets_are_accessible(clinic: Server, chromium: Any):
    with at_the_browser(clinic, chromium, "ben") as ben:
        ben.goto(f"/clinic/{P}/1")
        ben.locator(".diff ins").last.dblclick()
        ben.get_by_role("button", name="Comment c").wait_for()
        assert serious(ben) == []
        ben.get_by_role("button", name="Comment c").click()
        ben.locator(".say-on").wait_for()
        assert serious(ben) == []
        ben.get_by_role("link", name="Ask for a change").click()
        ben.get_by_role("dialog").wait_for()
        assert serious(ben) == []
        ben.goto(f"/clinic/{P}/6")
        ben.get_by_role("link", name="Put live…").click()
        ben.get_by_role("dialog").wait_for()
        assert serious(ben) == []


def test_a_page_for_whom_it_is_not_says_so(clinic: Server, chromium: Any):
    """No rights, nothing there: a sentence, and a way on."""
    with at_the_browser(clinic, chromium, "carla") as carla:
        for path, status in ((f"{P}/1/merge", 403), (f"{P}/1/decline", 403), (f"{P}/999", 404)):
            assert carla.request.get(f"/clinic/{path}").status == status, path
        carla.goto(f"/clinic/{P}")
        carla.get_by_role("link", name="Treat names in any case").first.click()
        carla.get_by_role("button", name="Approve what you see").click()
        carla.get_by_text("Approved.").first.wait_for()
        head = carla.locator(".offer-state").inner_text()
        assert "Waiting for one approval" in head, "everybody may say so; the rules count reviewers"
        assert carla.get_by_text("Put live…").count() == 0


def test_what_is_typed_into_a_suggestion_is_never_lost(clinic: Server, chromium: Any) -> None:
    """Closed too early, opened again: it is there, and can be put away; once sent, it is gone."""
    with at_the_browser(clinic, chromium, "carla") as page:
        text = page.locator("textarea[name=content]").first

        def opened() -> None:
            page.goto("/clinic/propose/support/hours")

        opened()
        before = text.input_value()
        page.fill("[name=title]", "On Sundays too")
        text.fill(f"{before} On Sundays, too.")
        opened()
        page.get_by_text("Brought back what you typed until").wait_for()
        assert page.input_value("[name=title]") == "On Sundays too"
        assert text.input_value() == f"{before} On Sundays, too."
        page.get_by_role("button", name="Undo").click()
        assert text.input_value() == before
        opened()
        assert text.input_value() == before
        page.fill("[name=title]", "On Sundays too")
        text.fill(f"{before} On Sundays, too.")
        page.get_by_role("button", name="Propose").click()
        page.wait_for_url("**/proposals/*")
        page.get_by_role("link", name="Write on").click()
        page.wait_for_url("**/propose/support/hours?into=*")
        assert text.input_value() == f"{before} On Sundays, too."
        opened()
        assert (page.input_value("[name=title]"), text.input_value()) == ("", before)


OFF_ITS_LINE = """input => {
  const line = document.createRange();
  line.selectNodeContents(input.closest('label').querySelector('span'));
  const [box, words] = [input.getBoundingClientRect(), line.getClientRects()[0]];
  return Math.abs(box.top + box.height / 2 - words.top - words.height / 2);
}"""


@pytest.mark.parametrize("width", [1280, 390])
def test_a_choice_stands_beside_the_first_line_of_its_words(
    clinic: Server, chromium: Any, width: int
) -> None:
    size = {"width": width, "height": 900}
    with at_the_browser(clinic, chromium, "ana", viewport=size) as ana:
        ana.goto(f"/clinic/{P}/4/resolve")
        choices = ana.locator("label.pick > input").all()
        assert choices
        assert max(one.evaluate(OFF_ITS_LINE) for one in choices) <= 1
