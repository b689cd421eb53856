"""A clinic under its rules, and what each door says there: forms, REST, both kinds of commands.

Shared by all tests of a module that are refused: they leave everything as it was. What happened is
asked of git.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from html import unescape
from typing import Any

from hub.people import rules
from hub.registry.review.propose import Made
from tests.bench_of_review import change
from tests.over_doors import bench_in
from tests.rest_door import Api, House, Refused

PROMPT = "clinical/triage"
CHANGE = rules.Rule(kind="change", folder="clinical")
RELEASE = rules.Rule(kind="release", folder="clinical", label="production", approvals=2)
UNREVIEWED = "need review by reviewers. Propose it instead."


class Doors:
    """`clinical/triage` has two versions, 1 is live in staging; proposal 1 is Ben's, for
    production, and nobody has approved it. `app` is an app's key."""

    def __init__(self, bench: Api, offered: Made, hash: str) -> None:
        self.bench, self.offered, self.hash = bench, offered, hash
        self.browsers, self.keys = bench.house.browsers, bench.tokens
        self.here = f"/{bench.workspace.slug}"
        self.data = bench.house.folder / "data"

    def git(self) -> dict[str, str]:
        """Where main and deploy stand."""
        return self.bench.repository.tips()

    async def form(self, who: str, path: str, **fields: Any) -> str:
        """A page's form; where it leads to somewhere else, what is said there, too."""
        answer = await self.browsers[who].post_form(f"{self.here}/{path}", fields)
        assert answer.status_code < 500, answer.text
        if answer.status_code == 303:
            answer = await self.browsers[who].get(answer.headers["location"])
        return unescape(answer.text)

    async def api(self, who: str, method: str, path: str, body: Any = None, **more: str) -> str:
        """The REST interface, with somebody's own key, or an app's."""
        headers = {"Authorization": f"Bearer {self.keys[who]}"} | more
        address = f"/api/v1/{path}"
        answer = await self.bench.house.nobody.request(method, address, json=body, headers=headers)
        assert answer.status_code < 500, answer.text
        return answer.text

    async def command(self, who: str, *words: str) -> str:
        """A command over HTTP, with somebody's key."""
        return await _said(self.bench.command(who, *words))

    async def operator(self, *words: str) -> str:
        """A command at the machine itself, beside the running hub."""
        slug = self.bench.workspace.slug
        return await _said(self.bench.run(*words, "--data", str(self.data), "--workspace", slug))


async def _said(doing: Coroutine[Any, Any, None]) -> str:
    try:
        await doing
    except Refused as refused:
        return str(refused)
    return ""


Deed = Callable[[Doors], Coroutine[Any, Any, str]]


async def open_doors(house: House) -> Doors:
    bench = await bench_in(house, "api")
    ben = bench.people["ben"]
    await bench.bot("app", maker="maria")
    first = await bench.save(PROMPT, "One", actor=ben)
    latest = await bench.save(PROMPT, "Two", base=first.hash, actor=ben)
    await bench.save("clinical/gone", "One", actor=ben)
    await bench.delete("clinical/gone", by="ben")
    await bench.save("free/letter", "One", actor=ben)
    await bench.move(PROMPT, 1, by="ben", label="staging")
    await bench.rule(CHANGE, RELEASE)
    offered = await bench.propose(change(PROMPT, "Evil"), by="ben", target="production")
    return Doors(bench, offered, latest.hash)
