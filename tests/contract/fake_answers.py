"""The routes of docs/protocol.md as the fake hub knows them, and its stream."""

from __future__ import annotations

import gzip
import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from tests.contract.far import JSON, PROBLEM, Handler, event_of, problem

if TYPE_CHECKING:
    from tests.contract.fake_hub import FakeHub


def objects_of(pointer: dict[str, Any]) -> list[str]:
    return [pointer["object"], *(one["object"] for one in pointer.get("split", []))]


def wanted(place: tuple[str, str], labels: list[str], names: list[str]) -> bool:
    label, name = place
    fits = not names or any(
        name.startswith(one[:-1]) if one.endswith("/*") else name == one for one in names
    )
    return label in labels and fits


@lru_cache(4)
def _packed(raw: bytes) -> bytes:
    """Once, as the hub's bytes are made once for a revision."""
    return gzip.compress(raw, 1)


class Answers(Handler):
    """One connection to the fake hub."""

    hub: FakeHub

    def work(self) -> None:
        hub, route = self.hub, self.route
        if self.headers.get("Authorization", "").removeprefix("Bearer ") not in hub.keys:
            self.answer(401, PROBLEM, problem("Unknown", "This key is not known here."))
            return
        if hub.old and route != "prompts":
            self.answer(404, PROBLEM, problem("NotFoundException", "There is no page here."))
            return
        getattr(self, f"on_{route}", self.nowhere)()

    def deliver(self, status: int, headers: dict[str, str], raw: bytes) -> None:
        if "gzip" in self.headers.get("Accept-Encoding", "") and len(raw) > 500:
            raw, headers = _packed(raw), headers | {"Content-Encoding": "gzip"}
        super().deliver(status, headers, raw)

    def nowhere(self) -> None:
        self.answer(404, PROBLEM, problem("NotFoundException", "There is no page here."))

    # ── routes ──────────────────────────────────────────────────────────────────────────────────

    def on_snapshot(self) -> None:
        body, etag = self.hub.made(self.query.get("label", ["production"]),
                                   self.query.get("name", []))  # fmt: skip
        if self.headers.get("If-None-Match") == etag:
            self.answer(304, "", "", ETag=etag)
            return
        self.answer(200, JSON, body, ETag=etag)

    def on_objects(self) -> None:
        text = self.hub.objects.get(self.rest)
        if text is None:
            self.answer(404, PROBLEM, problem("NotFound", "There is no such object."))
            return
        self.answer(200, JSON, text)

    def on_usage(self) -> None:
        self.hub.reports.append(json.loads(self.body))
        self.answer(202, "", "")

    def on_prompts(self) -> None:
        label = (self.query.get("label") or [""])[0]
        version = (self.query.get("version") or [""])[0]
        for (one, name), pointer in self.hub.pointers.items():
            if name == self.rest and (one == label or str(pointer["version"]) == version):
                made = json.loads(self.hub.objects[pointer["object"]])
                record = {**pointer, **made, "labels": [one], "message": "", "label": label or None}
                self.answer(200, JSON, json.dumps(record), ETag=f'"{pointer["object"]}"')
                return
        self.answer(404, PROBLEM, problem("NotFound", f"There is no prompt {self.rest} here."))

    def on_stream(self) -> None:
        hub = self.hub
        labels, names = self.query.get("label", ["production"]), self.query.get("name", [])
        since = self.headers.get("Last-Event-ID") or (self.query.get("since") or [""])[0]
        self.begin_stream()
        place = self._greet(since, labels, names)
        while place is not None:
            with hub.changed:
                if hub.revision == place:
                    hub.changed.wait(hub.heartbeat)
                news = self._news(place, labels, names)
                here, epoch = hub.revision, hub.epoch
            if hub._wake.is_set():
                return
            if here != place:
                self.say_all(news, epoch, here)
                place = here
            else:
                self.write(":\n\n")

    def _greet(self, since: str, labels: list[str], names: list[str]) -> int | None:
        hub = self.hub
        with hub.changed:
            epoch, revision = hub.epoch, hub.revision
            self.say("hello", schema=1, epoch=epoch, revision=revision, heartbeat=15)
            self.say("of_the_future", anything=[1, 2])
            of, _, at = since.partition(":")
            if of != epoch or not at.isdecimal() or not hub.log_from <= int(at) <= revision:
                self.say("resync", epoch=epoch, revision=revision, retry_ms=0)
                return None
            news = self._news(int(at), labels, names)
        self.say_all(news, epoch, revision)
        return revision

    def _news(self, since: int, labels: list[str], names: list[str]) -> list[tuple[str, str]]:
        places = [one for at, many in self.hub.log if at > since for one in many]
        return [one for one in dict.fromkeys(places) if wanted(one, labels, names)]

    def say_all(self, places: list[tuple[str, str]], epoch: str, revision: int) -> None:
        said: list[str] = []
        for label, name in places:
            pointer = self.hub.pointers.get((label, name))
            if pointer is None:
                said.append(event_of("delete", label=label, name=name))
                continue
            texts = {d: self.hub.objects[d] for d in objects_of(pointer)}
            inline = {d: t for d, t in texts.items() if len(t.encode()) <= self.hub.inline}
            said.append(event_of("put", **pointer, objects=inline, of_the_future={"x": 1}))
        place = f"{epoch}:{revision}"
        said.append(event_of("commit", place, epoch=epoch, revision=revision))
        self.write("".join(said))
