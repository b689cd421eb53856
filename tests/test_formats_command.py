"""`prompthub import` and `export` with the files of other programs."""

import json
import re
from pathlib import Path

from tests.test_cli import Command, command, data, done, refused

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
