"""What commits that people push say about themselves, as people read it."""

from __future__ import annotations

import os
from pathlib import Path

import httpx
import pytest

from tests.git_people import clone, git, own_key
from tests.serving import Server
from tests.test_git_push import prompt


@pytest.mark.parametrize(
    ("encoding", "said"),
    [
        ("ISO-8859-1", "Grüße an Jörg"),
        ("windows-1252", "Zoë’s – “better”"),
        ("Shift_JIS", "親切に"),
    ],
)
def test_a_message_may_be_in_what_its_commit_says(
    server: Server, tmp_path: Path, encoding: str, said: str
):
    """Older tools write Latin-1 and say so; its letters came out as question marks."""
    copy = clone(server, tmp_path, key=own_key(server, "ana", name=encoding))
    raw = said.encode(encoding)
    name = f"encoded/{encoding.lower()}"
    (copy / "encoded").mkdir(exist_ok=True)
    (copy / f"{name}.prompt.yml").write_text(prompt("Kind."))
    git(copy, "add", "-A")
    git(
        copy, "-c", f"i18n.commitEncoding={encoding}", "commit", "-q", "-F", "-", input=raw,
        env={"GIT_AUTHOR_NAME": os.fsdecode(raw), "LC_ALL": "C.UTF-8"},
    )  # fmt: skip
    assert f"encoding {encoding}" in git(copy, "cat-file", "commit", "HEAD")
    git(copy, "push", "origin", "HEAD:main")
    versions = httpx.get(
        f"{server.url}/api/v1/versions/{name}", headers=server.headers(),
        timeout=60,
    )  # fmt: skip
    newest = versions.json()["items"][0]
    assert (newest["message"], newest["author"]) == (said, said)
