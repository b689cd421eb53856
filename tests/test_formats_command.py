"""`prompthub import` and `export` with the files of other programs."""

import asyncio
import json
import re
from pathlib import Path

from hub.db import Database
from hub.people.rules import Rule
from hub.sync.formats.known import FORMATS
from tests.offered import set_rules
from tests.test_cli import Command, command, data, done, git, refused, rows

__all__ = ["command", "data"]

CORPUS = Path(__file__).parent / "corpus" / "formats"


def test_prompts_go_out_as_files_of_other_programs_and_come_back(
    data: Path, command: Command, tmp_path: Path
):
    words = ["--data", data, "--workspace", "main"]
    report = done(command("import", CORPUS, *words, "--folder", "old"))
    assert "→ old/movies/critic: Read as Langfuse. Lost: " in report
    assert "(an address or a secret may not come in with a prompt)" in report
    for name in ("prompt.yml", "prompty", "prompty2", "dotprompt", "langfuse", "promptfoo"):
        out = tmp_path / name
        said = done(command("export", out, *words, "--format", name, "--folder", "old"))
        assert re.search(r"12 prompts written as \S+\. Ids, labels and earlier", said), said
        again = done(command("import", out, *words))
        assert "12 prompts read" in again
    array = tmp_path / "all.json"
    done(command("export", array, *words, "--format", "langfuse", "--folder", "old"))
    assert len(json.loads(array.read_text())) == 12


def test_an_export_that_cannot_be_says_why(data: Path, command: Command, tmp_path: Path):
    words = ["--data", data, "--workspace", "main"]
    out = tmp_path / "out"
    refused(command("export", out, *words, "--format", "word"), "There is no format word", "csv")
    refused(command("export", out, *words, "--format", "prompty"), "There are no prompts.")
    (tmp_path / "letter.md").write_text("Dear {{ name }}")
    done(command("import", tmp_path / "letter.md", *words))
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    refused(command("export", out, *words, "--format", "prompty"), "something at", "already")
    refused(command("export", tmp_path / "csv", *words, "--format", "csv"), "left out  letter")
    assert [one.name for one in out.iterdir()] == ["mine.txt"]


def test_an_import_can_be_looked_at_first_and_be_a_proposal(
    data: Path, command: Command, tmp_path: Path
):
    folder = tmp_path / "letters"
    folder.mkdir()
    for at in range(101):
        (folder / f"letter-{at}.md").write_text(f"Dear {{{{ name }}}}, {at}")
    here = ["import", folder, "--data", data, "--workspace", "main", "--folder", "post"]
    report = done(command(*here, "--look"))
    assert "→ post/letter-0" in report
    assert report.endswith("101 new or changed, 0 as they were.\nNothing was changed.\n")
    assert rows(data, "select count(*) from versions") == [(0,)]
    assert rows(data, "select count(*) from proposals") == [(0,)]
    # A proposal that nobody could read is several.
    report = done(command(*here, "--propose", "--message", "Letters"))
    assert re.search(r"Proposal 1 is up for review: http\S+/main/proposals/1\n", report)
    assert rows(data, "select title from proposals order by number") == [
        ("Letters (1 of 2)",), ("Letters (2 of 2)",),
    ]  # fmt: skip
    assert rows(data, "select count(*) from versions") == [(0,)]


def test_what_holds_of_many_prompts_that_come_in_is_said_once(
    data: Path, command: Command, tmp_path: Path
):
    for at in range(3):
        (tmp_path / f"letter-{at}.md").write_text("Dear reader")
    (tmp_path / "filled.md").write_text("Dear {{ name }}")
    here = ["import", tmp_path, "--data", data, "--workspace", "main"]
    report = done(command(*here, "--look"))
    assert report.count("placeholders") == 1
    assert "3 prompts hold no placeholders yet; you can add some as {{ name }}.\n" in report
    done(command(*here))
    assert "placeholders" not in done(command(*here)), "they are there already"


def test_an_import_that_needs_a_review_becomes_a_proposal(
    data: Path, command: Command, tmp_path: Path
):
    async def rule() -> None:
        database = Database(f"sqlite+aiosqlite:///{data}/hub.db", guest=True)
        await set_rules(database, 1, Rule(kind="change", folder="post"))
        await database.close()

    asyncio.run(rule())
    (tmp_path / "letter.md").write_text("Dear {{ name }}")
    here = ["import", tmp_path / "letter.md", "--data", data, "--workspace", "main"]
    report = done(command(*here, "--folder", "post"))
    assert "This needs a review, so it was proposed, not saved." in report
    assert "Proposal 1 is up for review" in report
    assert rows(data, "select count(*) from versions") == [(0,)]
    done(command(*here))  # where no rule holds
    assert rows(data, "select name from versions") == [("letter",)]
    assert "letter.prompt.yml" in git(data, "main", "ls-tree", "--name-only", "main")


def test_help_names_every_format(command: Command):
    said = " ".join(done(command("export", "--help")).split())
    assert [name for name in FORMATS if name not in said] == []
