"""A build pulls prompts, sees that they moved on, and checks its calls against their types."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import sdk
from sdk import command
from tests.contract.fake_hub import KEY, FakeHub

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def fake(monkeypatch, tmp_path):
    hub = FakeHub()
    hub.release(
        "support/triage", "Sort {{ text }} for {{ name }}\nLine two", 7,
        variables=[{"name": "text"}, {"name": "urgent", "type": "boolean", "required": False}],
    )  # fmt: skip
    hub.release("care/note", "Note", 2)
    monkeypatch.setenv("PROMPTHUB_URL", hub.url)
    monkeypatch.setenv("PROMPTHUB_KEY", KEY)
    monkeypatch.chdir(tmp_path)
    yield hub
    hub.stop()


def test_pull_writes_the_same_bytes_for_the_same_versions(fake, capsys):
    assert command.main(["pull", "--label", "production", "-o", "a.json"]) == 0
    assert "2 prompts are locked in a.json" in capsys.readouterr().out
    fake.forget_log()  # the revision is another one
    assert command.main(["pull", "-o", "b.json"]) == 0
    assert Path("a.json").read_bytes() == Path("b.json").read_bytes()
    document = json.loads(Path("a.json").read_text())
    assert [(one["name"], one["version"]) for one in document["pointers"]] == [
        ("care/note", 2), ("support/triage", 7),
    ]  # fmt: skip
    assert set(document["objects"]) == {one["object"] for one in document["pointers"]}
    hub = sdk.Hub("http://127.0.0.1:9", bundled="a.json", snapshot=None, boot_wait=2)
    assert hub.get_prompt("care/note").source == "bundled"
    hub.close(1)


def test_check_says_what_moved_and_ends_with_1(fake, capsys):
    assert command.main(["pull"]) == 0
    assert command.main(["check"]) == 0
    assert "is what the hub has now: 2 prompts" in capsys.readouterr().out
    fake.release("support/triage", "Sort {{ text }} for {{ name }}\nAnother line", 8)
    fake.release("care/new", "New")
    fake.remove("care/note")
    assert command.main(["check"]) == 1
    out = capsys.readouterr().out
    assert "support/triage (production): version 7 is locked, the hub has 8" in out
    assert "  -Line two\n" in out
    assert "  +Another line\n" in out
    assert "care/new (production) is new in the hub" in out
    assert "care/note (production) is no longer in the hub" in out


@pytest.mark.parametrize(
    "trouble", ["no hub", "no file", "a bad file", "a wrong key", "no address"]
)
def test_what_goes_wrong_is_a_sentence_and_2(fake, capsys, monkeypatch, trouble):
    assert command.main(["pull"]) == 0
    if trouble == "no hub":
        fake.stop()
    elif trouble == "no file":
        Path("prompts.lock.json").unlink()
    elif trouble == "a bad file":
        text = Path("prompts.lock.json").read_text()
        Path("prompts.lock.json").write_text(text.replace("Line two", "Line 2"))
    elif trouble == "a wrong key":
        monkeypatch.setenv("PROMPTHUB_KEY", "ph_secret_wrong")
    else:
        monkeypatch.delenv("PROMPTHUB_URL")
    assert command.main(["check"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("Error: Say where the hub is" if trouble == "no address" else "Error: ")
    assert "ph_secret" not in said


def test_a_check_on_a_proposal_is_the_hubs_command():
    assert not command.ours(["check", "12", "lint", "pass", "--digest", "abc"])
    assert command.ours(["check"])
    assert command.ours(["check", "mine.lock.json"])
    assert not command.ours(["serve"])
    assert not command.ours([])


def test_the_command_works_without_the_hubs_packages(fake):
    code = (
        "import sys\n"
        "for name in ('click', 'msgspec', 'litestar', 'sqlalchemy'): sys.modules[name] = None\n"
        "from hub.command import main\nsys.argv = ['prompthub', *sys.argv[1:]]\nmain()\n"
    )

    def run(*arguments):
        return subprocess.run(
            [sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=200,
            env={**__import__("os").environ, "PYTHONPATH": str(ROOT)}, check=False,
        )  # fmt: skip

    assert run("pull").stdout.startswith("2 prompts are locked")
    assert run("check").returncode == 0
    other = run("serve")
    assert other.returncode == 1
    assert "prompthub[server]" in other.stderr


GOOD = """
from prompts import aget_prompt, get_prompt

text: str = get_prompt("support/triage").text(text="a", name="Bo")
body = get_prompt("support/triage", default="x").request(text="a", name="Bo", urgent=True)
number: int = get_prompt("care/note").version

async def later() -> None:
    await aget_prompt("care/note")
"""
BAD = {
    "a missing variable": 'get_prompt("support/triage").text(text="a")',
    "an unknown variable": 'get_prompt("care/note").text(text="a")',
    "a wrong type": 'get_prompt("support/triage").text(text="a", name="b", urgent="yes")',
    "a wrong name": 'get_prompt("support/triag")',
}


def pyright(folder: Path) -> list[int]:
    """Lines with an error."""
    config = {"include": ["app.py"], "typeCheckingMode": "standard", "extraPaths": [str(ROOT)]}
    (folder / "pyrightconfig.json").write_text(json.dumps(config))
    done = subprocess.run(
        [sys.executable, "-m", "pyright", "--outputjson", "-p", str(folder)],
        capture_output=True, text=True, timeout=200, check=False, cwd=folder,
    )  # fmt: skip
    found = json.loads(done.stdout)["generalDiagnostics"]
    return sorted({one["range"]["start"]["line"] for one in found if one["severity"] == "error"})


@pytest.mark.parametrize("how_many", [2, 1])
def test_a_type_checker_finds_a_variable_that_is_missing(fake, tmp_path, how_many):
    pytest.importorskip("pyright")
    good = GOOD
    if how_many == 1:
        fake.remove("care/note")
        good = (
            "from prompts import get_prompt\n\nget_prompt('support/triage').text(text='', name='')"
        )
    assert command.main(["pull"]) == 0
    assert command.main(["types", "-o", "prompts.py"]) == 0
    lines = [*good.split("\n"), *BAD.values()]
    (tmp_path / "app.py").write_text("\n".join(lines) + "\n")
    first = len(good.split("\n"))
    assert pyright(tmp_path) == list(range(first, first + len(BAD)))


def test_the_module_of_types_reads_prompts(fake, tmp_path, monkeypatch):
    assert command.main(["types", "--url", fake.url, "-o", "typed_prompts.py"]) == 0
    monkeypatch.syspath_prepend(tmp_path)
    import typed_prompts

    sdk.configure(fake.url, KEY, snapshot=None, boot_wait=60)
    try:
        assert typed_prompts.get_prompt("care/note").version == 2
    finally:
        sdk.close(2)
        sdk.use(None)
