"""Cloning and fetching with stock git, against a real hub."""

from __future__ import annotations

import gzip
import http.client
import socket
import subprocess
import time
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from hub.db import Database
from hub.people import keys
from hub.people.accounts import OPERATOR
from hub.registry.git.repository import Repository
from tests.git_people import address, basic, beside, children, clone, git, own_key, save
from tests.serving import Server

REFS = "/clinic.git/info/refs?service=git-upload-pack"
FETCH = "/clinic.git/git-upload-pack"
KIND = {"Content-Type": "application/x-git-upload-pack-request"}


@pytest.fixture(scope="module")
def filled(server: Server) -> Server:
    """Two prompts of two versions, one of them live, and a proposal's ref."""
    first = save(server, "support/triage", "Be kind.")
    save(server, "support/triage", "Be kind and brief.", first["hash"])
    save(server, "tutor/maths", "Explain fractions.")
    answer = httpx.put(
        f"{server.url}/api/v1/labels/production/support/triage",
        headers=server.headers("write"), json={"version": 1, "expected": None},
    )  # fmt: skip
    assert answer.status_code == 200, answer.text
    repository = _repository(server)
    tip = repository.tip("refs/heads/main")
    repository.run("update-ref", "refs/proposals/900/1", tip or "")
    return server


def _repository(server: Server) -> Repository:
    return Repository(server.settings.repositories / "clinic.git")


def test_a_clone_reads_well_to_a_developer(filled: Server, tmp_path: Path):
    copy = clone(filled, tmp_path)
    assert "Be kind and brief." in (copy / "support/triage.prompt.yml").read_text()
    assert git(copy, "log", "--format=%s", "--", "support").splitlines()[0] == "Say it better"
    assert "Be kind and brief" in git(copy, "blame", "support/triage.prompt.yml")
    assert git(copy, "rev-parse", "HEAD").strip() == _repository(filled).tip("refs/heads/main")
    deploy = git(copy, "show", "origin/deploy:production/support/triage.yml")
    assert "version: 1" in deploy


@pytest.mark.parametrize("version", ["0", "1", "2"])
def test_only_main_and_deploy_are_shown(filled: Server, tmp_path: Path, version: str):
    where = address(filled, filled.cast.read_key)
    seen = git(tmp_path, "-c", f"protocol.version={version}", "ls-remote", where)
    names = [line.split("\t")[1] for line in seen.splitlines()]
    assert names == ["HEAD", "refs/heads/deploy", "refs/heads/main"]


@pytest.mark.parametrize("version", ["0", "2"])
def test_shallow_and_partial_clones_and_the_fetch_after_them(
    filled: Server, tmp_path: Path, version: str
):
    asked = ("-c", f"protocol.version={version}")
    copy = clone(filled, tmp_path, *asked, "--depth=1")
    assert git(copy, "rev-list", "--count", "HEAD").strip() == "1"
    git(copy, *asked, "fetch", "-q", "--unshallow")
    assert int(git(copy, "rev-list", "--count", "HEAD")) >= 3
    (tmp_path / "partial").mkdir()
    part = clone(filled, tmp_path / "partial", *asked, "--filter=blob:none", "--no-checkout")
    missing = git(part, "rev-list", "--objects", "--missing=print", "HEAD").count("\n?")
    assert missing
    git(part, "checkout", "-q", "main")  # fetches what it needs
    assert (part / "tutor/maths.prompt.yml").exists()


def test_a_fetch_brings_what_was_saved_since(filled: Server, tmp_path: Path):
    copy = clone(filled, tmp_path)
    save(filled, f"later/p{time.time_ns()}", "New.")
    git(copy, "pull", "-q")
    assert git(copy, "rev-parse", "HEAD").strip() == _repository(filled).tip("refs/heads/main")


def test_a_fetch_of_a_long_history_sends_its_haves_packed(filled: Server, tmp_path: Path):
    """More than a kilobyte of haves: git packs the body with gzip."""
    copy = clone(filled, tmp_path)
    tree = git(copy, "rev-parse", "HEAD^{tree}").strip()
    tip = git(copy, "rev-parse", "HEAD").strip()
    for turn in range(80):
        words = ("commit-tree", tree, "-p", tip, "-m", f"Mine {turn}")
        tip = git(
            copy, *words, env={"GIT_COMMITTER_DATE": f"@{4_000_000_000 + turn} +0000"}
        ).strip()
    git(copy, "update-ref", "refs/heads/mine", tip)
    save(filled, f"later/p{time.time_ns()}", "New.")
    asked = ("-c", "protocol.version=0", "fetch", "origin")
    said = git(copy, *asked, env={"GIT_TRACE_CURL": "1", "GIT_TRACE_CURL_NO_DATA": "1"})
    assert "Content-Encoding: gzip" in said
    assert git(copy, "rev-parse", "origin/main").strip() == _repository(filled).tip(
        "refs/heads/main"
    )


def test_an_empty_workspace_can_be_cloned(filled: Server, tmp_path: Path):
    said = git(tmp_path, "clone", address(filled, filled.cast.rival_key, "rival"), "copy")
    assert "empty repository" in said


# --- who may -------------------------------------------------------------------------------------


def test_a_personal_key_of_a_viewer_opens_it(filled: Server, tmp_path: Path):
    assert clone(filled, tmp_path, key=own_key(filled, "carla")).is_dir()


def test_strangers_are_asked_for_a_key_and_told_nothing(filled: Server, tmp_path: Path):
    answers = {
        (answer.status_code, answer.headers["www-authenticate"], answer.text)
        for path in ("clinic", "rival", "nowhere")
        for answer in [httpx.get(f"{filled.url}/{path}.git/info/refs?service=git-upload-pack")]
    }
    assert len(answers) == 1
    status, asks, _ = answers.pop()
    assert (status, asks.split()[0]) == (401, "Basic")
    for key in ("", "nonsense", filled.cast.read_key[:-1], filled.cast.cookies["maria"]):
        assert httpx.get(filled.url + REFS, headers=basic(key)).status_code == 401
    for headers in (filled.headers(), {"Cookie": f"session={filled.cast.cookies['maria']}"}):
        assert httpx.get(filled.url + REFS, headers=headers).status_code == 401
    said = git(tmp_path, "clone", address(filled, "nonsense"), "copy", ok=False)
    assert "Authentication failed" in said


def test_another_workspaces_key_finds_nothing_there(filled: Server, tmp_path: Path):
    said = git(tmp_path, "clone", address(filled, filled.cast.rival_key), "copy", ok=False)
    assert "not found" in said
    for path in (REFS, "/nowhere.git/info/refs?service=git-upload-pack"):
        assert httpx.get(filled.url + path, headers=basic(filled.cast.rival_key)).status_code == 404
    post = httpx.post(filled.url + FETCH, headers=basic(filled.cast.rival_key) | KIND)
    assert post.status_code == 404


def test_a_revoked_key_is_refused_at_the_next_request(filled: Server, tmp_path: Path):
    token = own_key(filled, "ana", name="lost")
    copy = clone(filled, tmp_path, key=token)

    async def revoke(database: Database) -> None:
        async with database.write() as db:
            id = keys.id_of(token) or ""
            await keys.revoke(db, filled.cast.workspace.id, id, actor=OPERATOR)

    beside(filled, revoke)
    assert "Authentication failed" in git(copy, "fetch", ok=False)


@pytest.mark.parametrize(
    "path",
    [
        "/clinic.git", "/clinic.git/", "/clinic.git/HEAD", "/clinic.git/config",
        "/clinic.git/objects/info/packs", "/clinic.git/info/refs", "/clinic.git/git-upload-pack",
        "/clinic.git/info/refs?service=git-upload-archive", "/clinic.git/git-upload-archive",
        "/clinic.git/info/refs?service=git-upload-pack;id", "/clinic.git/info/refs/x",
        "/clinic.git/hooks/post-receive", "/-clinic.git/info/refs?service=git-upload-pack",
        "/clinic.git/../rival.git/info/refs?service=git-upload-pack", "/clinic.git%2fHEAD",
        "/..%2fclinic.git/info/refs?service=git-upload-pack", "/Clinic.git/info/refs",
    ],
)  # fmt: skip
def test_no_other_address_leads_into_the_repository(filled: Server, path: str):
    parts = urlsplit(filled.url)
    line = http.client.HTTPConnection(parts.hostname or "", parts.port)
    line.putrequest("GET", path)  # as it is: httpx would tidy it up
    for name, value in basic(filled.cast.read_key).items():
        line.putheader(name, value)
    line.endheaders()
    answer = line.getresponse()
    said = answer.read()
    assert answer.status in {303, 302, 400, 404}, (answer.status, said)
    assert b"ref: " not in said
    line.close()


@pytest.mark.parametrize("kind", [None, "text/plain", "application/x-www-form-urlencoded"])
@pytest.mark.parametrize("service", ["git-upload-pack", "git-receive-pack"])
def test_what_other_pages_could_send_is_not_heard(filled: Server, service: str, kind: str | None):
    """A browser that has kept a key sends it with any page's form; git names another kind."""
    headers = basic(filled.cast.write_key) | ({"Content-Type": kind} if kind else {})
    where = f"{filled.url}/clinic.git/{service}"
    answer = httpx.post(where, headers=headers, content=b"0000", timeout=60)
    assert (answer.status_code, "for git alone" in answer.text) == (415, True)


# --- on the wire ---------------------------------------------------------------------------------


def _ls_refs() -> bytes:
    return b"0014command=ls-refs\n0017object-format=sha1\n0001" + b"0000"


def test_bodies_may_be_packed_or_come_in_chunks(filled: Server):
    headers = basic(filled.cast.read_key) | KIND | {"Git-Protocol": "version=2"}
    asked = _ls_refs()
    plain = httpx.post(filled.url + FETCH, headers=headers, content=asked)
    packed = httpx.post(
        filled.url + FETCH, headers=headers | {"Content-Encoding": "gzip"},
        content=gzip.compress(asked),
    )  # fmt: skip
    chunked = httpx.post(filled.url + FETCH, headers=headers, content=iter([asked[:9], asked[9:]]))
    assert plain.status_code == 200
    assert b"refs/heads/main" in plain.content
    assert b"refs/proposals" not in plain.content
    assert plain.content == packed.content == chunked.content
    assert plain.headers["content-type"] == "application/x-git-upload-pack-result"


@pytest.mark.parametrize(
    ("body", "more", "status"),
    [
        (b"not gzip at all", {"Content-Encoding": "gzip"}, 422),
        (gzip.compress(b"0000")[:-6], {"Content-Encoding": "gzip"}, 422),
        (gzip.compress(bytes(40 << 20)), {"Content-Encoding": "gzip"}, 413),
        (b"nonsense", {}, 503),
    ],
    ids=["no gzip", "cut short", "swollen", "nonsense"],  # a packed body holds the time
)
def test_broken_and_swollen_bodies_are_refused(
    filled: Server, body: bytes, more: dict[str, str], status: int
):
    headers = basic(filled.cast.read_key) | KIND | more
    answer = httpx.post(filled.url + FETCH, headers=headers, content=body, timeout=60)
    # git may have ended, at the first nonsense, before all of it was unpacked
    assert answer.status_code in {status, 503}
    _none_left(filled)


@pytest.mark.parametrize("said", ["version=2:x=GIT_DIR", "version=3", "--upload-pack=id", "x"])
def test_what_a_client_says_of_its_protocol_goes_no_further(filled: Server, said: str):
    parts = urlsplit(filled.url)
    with socket.create_connection((parts.hostname or "", parts.port or 0)) as line:
        head = f"GET {REFS} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
        key = basic(filled.cast.read_key)["Authorization"]
        head += f"Git-Protocol: {said}\r\nAuthorization: {key}"
        line.sendall(head.encode() + b"\r\n\r\n")
        got = line.makefile("rb").read()
    assert b"200 OK" in got
    assert b"# service=git-upload-pack" in got  # as if nothing had been said


def _none_left(server: Server, seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while (left := children(server)) and time.monotonic() < until:
        time.sleep(0.05)
    assert not left


def test_so_many_at_once_half_for_one_key_and_none_left_after_hanging_up(filled: Server):
    parts = urlsplit(filled.url)
    keys_ = (filled.cast.read_key, filled.cast.write_key, own_key(filled, "ben"))

    def ask(key: str) -> socket.socket:
        line = socket.create_connection((parts.hostname or "", parts.port or 0))
        head = f"POST {FETCH} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100000\r\n"
        given = basic(key) | KIND | {"Git-Protocol": "version=2"}
        head += "".join(f"{name}: {value}\r\n" for name, value in given.items()) + "\r\n"
        line.sendall(head.encode() + b"0014command=ls-refs\n")
        return line

    def running(wanted: int) -> int:
        """How many there are, once they have come, or more."""
        until = time.monotonic() + 60
        while len(children(filled)) < wanted and time.monotonic() < until:
            time.sleep(0.05)
        time.sleep(0.7)
        return len(children(filled))

    lines = [ask(keys_[0]) for _ in range(6)]
    assert running(4) == 4
    lines += [ask(key) for key in keys_[1:] for _ in range(5)]
    assert running(8) == 8
    assert httpx.get(f"{filled.url}/healthz").status_code == 200
    for line in lines:
        line.close()
    _none_left(filled)
    assert httpx.get(filled.url + REFS, headers=basic(keys_[0])).status_code == 200


def test_a_clone_that_is_killed_leaves_no_git(filled: Server, tmp_path: Path):
    for turn in range(3):
        child = subprocess.Popen(
            ["git", "clone", "-q", address(filled, filled.cast.read_key), str(tmp_path / str(turn))]
        )
        time.sleep(0.03 * turn)
        child.kill()
        child.wait()
    _none_left(filled)
