"""Files of other tools, brought in by the browser: shown, then proposed or saved."""

import json
import re
from pathlib import Path
from typing import Any

import httpx

from hub.front import Front
from hub.people.rules import Rule
from hub.sync.importing import upload
from tests.cast import BASE, Browser, Cast, title
from tests.hook_people import save
from tests.offers import agree_on

CORPUS = Path(__file__).parent / "corpus"
HERE = "/clinic/import"
PROMPTY = """---
name: Triage
model:
  api: chat
  configuration:
    azure_endpoint: https://evil.example
---
system:
You sort tickets for {{name}}.
"""
LANGFUSE = json.dumps(
    {"name": "ward/greeting", "type": "text", "prompt": "Greet {{name}}.", "labels": ["production"],
     "config": {"temperature": 0.2}}
)  # fmt: skip


async def drop(
    browser: Browser, files: list[tuple[str, str | bytes]], **fields: Any
) -> httpx.Response:
    """As a browser sends a form with files; what comes after the redirect."""
    data = {"_csrf_token": await browser.token(), **fields}
    sent = [("files", (name, text if isinstance(text, bytes) else text.encode()))
            for name, text in files]  # fmt: skip
    headers = {"Origin": BASE, "Sec-Fetch-Site": "same-origin"}
    answered = await browser.post(
        HERE, data=data, files=sent or [("files", ("", b""))], headers=headers
    )
    if answered.status_code != 303:
        return answered
    return await browser.get(answered.headers["location"])


def form_of(page: httpx.Response) -> dict[str, str]:
    """The fields of the page as they stand, all that can be ticked ticked."""
    hidden = dict(re.findall(r'name="(base\.\d+)" value="(\w*)"', page.text))
    ticks = dict.fromkeys(re.findall(r'name="(take\.\d+)" value="yes" checked', page.text), "yes")
    return hidden | ticks | {"title": "Import", "why": "From the old tool"}


async def test_what_is_dropped_is_shown_with_all_it_loses_and_nothing_has_changed(
    ana: Browser, client: Browser, read_key: dict[str, str]
):
    page = await drop(
        ana, [("triage.prompty", PROMPTY), ("export.json", LANGFUSE), ("photo.png", b"\x89PNG")]
    )
    assert page.status_code == 200, page.text
    assert title(page) == "Import 2 prompts"
    assert "Read as Prompty." in page.text
    assert "Lost: model.configuration" in page.text
    assert "evil.example" not in page.text
    assert "ward/greeting" in page.text
    assert "labels (nothing is released by an import" in page.text
    assert "photo.png" in page.text
    assert "Left out" in page.text
    assert "You sort tickets for" in page.text
    assert (await client.get("/api/v1/prompts", headers=read_key)).json()["total"] == 0


async def test_it_is_proposed(
    ana: Browser, ben: Browser, client: Browser, read_key: dict[str, str], write_key: dict[str, str]
):
    await save(client, write_key, "triage", "You sort tickets.")
    page = await drop(ana, [("triage.prompty", PROMPTY), ("letter.md", "Write a letter.")])
    assert "Changes v1" in page.text
    assert "The change in words" in page.text
    made = await ana.post_form(str(page.url), form_of(page) | {"do": "propose"})
    assert made.headers["location"] == "/clinic/proposals/1"
    proposal = (await ben.get("/clinic/proposals/1")).text
    assert "From the old tool" in proposal
    assert "letter" in proposal
    assert (await client.get("/api/v1/prompts", headers=read_key)).json()["total"] == 1
    assert (await ana.get(str(page.url))).status_code == 404  # it is decided


async def test_it_is_saved_where_no_rule_asks_for_a_review(
    ana: Browser, client: Browser, read_key: dict[str, str]
):
    page = await drop(ana, [("a.md", "One."), ("b.md", "Two."), ("c.md", "Three.")], folder="ward")
    form = form_of(page) | {"do": "save"}
    del form["take.1"]
    done = await ana.post_form(str(page.url), form)
    assert done.headers["location"] == "/clinic/prompts"
    items = (await client.get("/api/v1/prompts", headers=read_key)).json()["items"]
    assert [(one["name"], one["message"]) for one in items] == [
        ("ward/a", "From the old tool"), ("ward/c", "From the old tool")
    ]  # fmt: skip
    again = await drop(ana, [("a.md", "One.")], folder="ward")
    assert "As it is here" in again.text
    assert title(again) == "Nothing to import"


async def test_where_a_rule_asks_it_can_only_be_proposed(
    hub: Front, cast: Cast, ana: Browser, client: Browser, read_key: dict[str, str]
):
    await agree_on(hub.state.database, cast, Rule(kind="change", folder="clinical"))
    page = await drop(ana, [("a.md", "One.")], folder="clinical")
    assert 'value="save"' not in page.text
    assert "asked to look at it" in page.text
    forced = await ana.post_form(str(page.url), form_of(page) | {"do": "save"})
    assert forced.status_code in (403, 409)
    assert (await client.get("/api/v1/prompts", headers=read_key)).json()["total"] == 0
    made = await ana.post_form(str(page.url), form_of(page) | {"do": "propose"})
    assert made.headers["location"] == "/clinic/proposals/1"


async def test_who_only_reads_may_propose_but_not_save(
    carla: Browser, client: Browser, read_key: dict[str, str]
):
    page = await drop(carla, [("a.md", "One.")])
    assert 'value="save"' not in page.text
    forced = await carla.post_form(str(page.url), form_of(page) | {"do": "save"})
    assert forced.status_code == 403
    made = await carla.post_form(str(page.url), form_of(page) | {"do": "propose"})
    assert made.headers["location"] == "/clinic/proposals/1"
    assert (await client.get("/api/v1/prompts", headers=read_key)).json()["total"] == 0


async def test_nothing_is_lost_when_it_is_refused(
    ana: Browser, client: Browser, write_key: dict[str, str], read_key: dict[str, str]
):
    page = await drop(ana, [("a.md", "One."), ("b.md", "Two.")])
    await save(client, write_key, "a", "Somebody was quicker.")
    form = form_of(page) | {"do": "save", "title": "My title", "why": "My reason"}
    del form["take.1"]
    refused = await ana.post_form(str(page.url), form)
    assert refused.status_code == 409
    assert "a was changed meanwhile" in refused.text
    assert 'value="My title"' in refused.text
    assert "My reason" in refused.text
    assert 'name="take.0" value="yes" checked' in refused.text
    assert 'name="take.1" value="yes" checked' not in refused.text
    assert (await client.get("/api/v1/versions/b", headers=read_key)).status_code == 404
    untitled = await ana.post_form(str(page.url), form_of(refused) | {"title": "", "do": "propose"})
    assert untitled.status_code == 422
    page = await ana.get(str(page.url))
    done = await ana.post_form(str(page.url), form_of(page) | {"do": "save"})
    assert done.status_code == 303
    kept = (await client.get("/api/v1/versions/a", headers=read_key)).json()
    assert kept["total"] == 2  # both are in the history


async def test_a_pasted_text_is_kept_on_the_page_when_it_cannot_be_read(ana: Browser):
    refused = await drop(ana, [], paste="Greet {{name}}", folder="NOT A FOLDER")
    assert refused.status_code == 422
    assert "Greet {{name}}" in refused.text
    assert 'value="NOT A FOLDER"' in refused.text
    assert (await drop(ana, [])).status_code == 422
    page = await drop(ana, [], paste=LANGFUSE)
    assert "ward/greeting" in page.text
    page = await drop(ana, [], paste=PROMPTY, called="triage.prompty")
    assert "Read as Prompty." in page.text


async def test_folders_keep_their_shape_and_paths_lead_nowhere(ana: Browser, tmp_path: Path):
    paths = ["../../../etc/cron.d/evil.md", "ward\\letters\\a.md", "/root/b.md", "a" * 300 + ".md",
             "ward/x/system.md", "ward/x/user.md", "con/c.md", ".git/config.md",
             "ä/ü.md"]  # fmt: skip
    files = [(f"f{at}.md", f"Text {at}.") for at in range(len(paths))]
    page = await drop(ana, files, paths=json.dumps(paths))
    names = re.findall(r'<strong class="mono wrap">([^<]+)<', page.text)
    assert {"ward/letters/a", "root/b", "ward/x", "etc/cron.d/evil"} <= set(names)
    assert not [name for name in names if ".." in name or name.startswith("/")]
    assert not Path("/etc/cron.d/evil.md").exists()
    assert len(names) == len(paths) - 2  # the pair is one prompt, and hidden folders are left
    assert not list(tmp_path.glob("**/evil.md"))


async def test_what_holds_of_many_is_said_once(ana: Browser):
    page = await drop(ana, [("one.md", "Dear reader"), ("two.md", "Dear reader")])
    assert page.text.count("placeholders") == 1
    assert "2 prompts hold no placeholders yet" in page.text


async def test_everything_can_be_put_below_another_folder(ana: Browser):
    page = await drop(ana, [("a.md", "One.")])
    await ana.post_form(str(page.url), {"do": "folder", "folder": "ward/old"})
    assert ">ward/old/a<" in (await ana.get(str(page.url))).text
    refused = await ana.post_form(str(page.url), {"do": "folder", "folder": "No Good"})
    assert refused.status_code == 422
    assert 'value="No Good"' in refused.text
    assert ">ward/old/a<" in refused.text


async def test_an_import_is_its_own_persons(ana: Browser, ben: Browser, mallory: Browser):
    page = await drop(ana, [("a.md", "One.")])
    assert (await ben.get(str(page.url))).status_code == 404
    assert (await mallory.get(str(page.url))).status_code == 404
    assert (await ben.post_form(str(page.url), {"do": "forget"})).status_code == 404
    assert "Not decided yet" in (await ana.get(HERE)).text
    await ana.post_form(str(page.url), {"do": "forget"})
    assert "Not decided yet" not in (await ana.get(HERE)).text


async def test_every_kind_of_file_of_the_corpus_is_shown_or_said_to_be_left_out(ana: Browser):
    """The same files as the command's; nothing in them can break the page."""
    files = [one for one in sorted(CORPUS.rglob("*")) if one.is_file() and one.stat().st_size < 1e5]
    chosen = [(one.relative_to(CORPUS).as_posix(), one.read_bytes()) for one in files[:300]]
    page = await drop(
        ana,
        [(name.rpartition("/")[2], data) for name, data in chosen],
        paths=json.dumps([name for name, _ in chosen]),
    )
    assert page.status_code == 200
    assert "Read as" in page.text


async def test_too_much_is_refused_with_a_sentence(ana: Browser):
    files = [(f"f{at}.md", "x") for at in range(upload.MOST_FILES + 1)]
    many = await drop(ana, files)
    assert (many.status_code, "900 is the most at once" in many.text) == (422, True)
    assert (await drop(ana, files[:-1])).status_code == 200
    large = await drop(ana, [("a.md", b"x" * (upload.LARGEST + (1 << 21)))])
    assert large.status_code == 413
