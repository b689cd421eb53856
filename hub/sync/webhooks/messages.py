"""An event as a message: three forms, written once and then kept. Pure."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import msgspec

from hub.sync.webhooks import kinds

STANDARD, GITHUB, SLACK = "standard", "github", "slack"
FORMS = {
    STANDARD: "Signed JSON (Standard Webhooks)",
    GITHUB: "GitHub: start a workflow (repository_dispatch)",
    SLACK: "Slack, Mattermost: a line of text",
}


class Happened(msgspec.Struct, frozen=True, kw_only=True):
    """An event, and in which workspace of which hub."""

    kind: str
    subject: str
    payload: dict[str, Any]
    at: datetime
    workspace: str
    """Its slug."""
    url: str
    """Of the hub."""

    @property
    def said(self) -> str:
        return kinds.sentence(self.kind, self.subject, self.payload)

    @property
    def page(self) -> str:
        place = kinds.place(self.kind, self.payload)
        return f"{self.url}/{self.workspace}/{place or 'prompts'}"


def written(form: str, message_id: str, event: Happened) -> str:
    """The text that is sent, in one of `FORMS`."""
    if form == SLACK:
        return json.dumps({"text": f"{_plain(event.said)}\n{event.page}"}, ensure_ascii=False)
    ours = {
        "workspace": event.workspace, "subject": event.subject, "text": event.said,
        "url": event.page,
    }  # fmt: skip
    message = {
        "type": event.kind,
        "timestamp": event.at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "data": kinds.facts(event.payload) | ours,
    }
    if form == GITHUB:
        payload = {"id": message_id, **message}
        return json.dumps({"event_type": event.kind, "client_payload": payload})
    return json.dumps(message, ensure_ascii=False)


def _plain(text: str) -> str:
    """Nothing in it is a link, a mark or a call to everybody in the channel."""
    for sign, meant in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("@", "@\u200b")):
        text = text.replace(sign, meant)
    return " ".join(text.split())
