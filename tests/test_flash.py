"""The message on the next page: seen once, by whom it is for, in our words alone."""

from __future__ import annotations

import base64
import json

from hub.flash import Flash, signed
from hub.settings import Secret
from tests.cast import Browser, settings_for


async def test_a_message_is_shown_once(ana: Browser):
    made = await ana.post_form("/clinic/new", {"name": "ward/note", "text": "Be kind."})
    assert made.status_code == 303
    assert "Made ward/note, version 1." in (await ana.get("/clinic/prompts")).text
    assert "Made ward/note, version 1." not in (await ana.get("/clinic/prompts")).text


async def test_words_that_we_did_not_sign_are_not_shown(ana: Browser, tmp_path):
    said = Flash("done", "Call 555-1234 and say your password", "/clinic/settings/people/1/back")
    forged = json.dumps({"kind": said.kind, "text": said.text, "undo": said.undo}).encode()
    unsigned = base64.urlsafe_b64encode(forged).decode().rstrip("=")
    by_another = signed(said, settings_for(tmp_path, secret_key=Secret("1" * 64)))
    ours, _, signature = signed(Flash("done", "Saved."), settings_for(tmp_path)).partition(".")
    for cookie in (
        unsigned, f"{unsigned}.", f"{unsigned}.{signature}", by_another, f"{ours}.",
        f".{signature}",
        f"{ours}.{signature}.{signature}", ".", "é", "{}",
    ):  # fmt: skip
        headers = {"Cookie": f"flash={cookie}".encode("latin-1", "replace")}
        headers["Cookie"] += f"; __Host-session={ana.cookies['__Host-session']}".encode()
        page = await ana.get("/clinic/prompts", headers=headers)
        assert page.status_code == 200
        assert "555-1234" not in page.text
        assert "Saved." not in page.text
    ana.cookies.set("flash", f"{ours}.{signature}", domain="hub.test", path="/")
    assert "Saved." in (await ana.get("/clinic/prompts")).text
