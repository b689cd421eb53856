"""A message for the next page, kept in a signed cookie: nobody else can put words in our mouth."""

from __future__ import annotations

import base64
import hmac
from functools import lru_cache
from typing import Any

import msgspec
from litestar import Request
from litestar.datastructures import Cookie
from litestar.response import Redirect
from litestar.response.base import ASGIResponse

from hub.settings import Settings

FLASH = "flash"
FORGOTTEN = Cookie(FLASH, max_age=0, value="", path="/")
Ask = Request[Any, Any, Any]


class Flash(msgspec.Struct, frozen=True):
    """What was done, and a form address that undoes it."""

    kind: str
    text: str
    undo: str | None = None


class Leading(Redirect):
    """See-other to one of our own pages, with a message for it."""

    __slots__ = ("_flash",)

    def __init__(self, url: str, flash: Flash | None = None) -> None:
        super().__init__(local(url), status_code=303)
        self._flash = flash

    def to_asgi_response(self, app: Any, request: Ask, **more: Any) -> ASGIResponse:
        """Signed only here, where the request says by which hub."""
        if self._flash is not None:
            value = signed(self._flash, request.app.state.settings)
            self.set_cookie(
                Cookie(FLASH, value=value, path="/", httponly=True, samesite="lax", max_age=60)
            )
        return super().to_asgi_response(app, request, **more)


def local(url: str) -> str:
    """`url` if it is one of our own pages, else the start page. Browsers read `\\` as `/`."""
    odd = any(c in "\\\x7f" or c <= " " for c in url)
    return url if url.startswith("/") and not url.startswith("//") and not odd else "/"


def signed(flash: Flash, settings: Settings) -> str:
    """The message as the cookie holds it."""
    raw = msgspec.json.encode(flash)
    return f"{_text(raw)}.{_text(_signature(raw, settings))}"


def read(request: Ask) -> Flash | None:
    """The message the last page left; what we did not sign is no message."""
    sent = request.cookies.get(FLASH)
    if not sent:
        return None
    try:
        raw, signature = (_bytes(part) for part in sent.split("."))
        genuine = hmac.compare_digest(signature, _signature(raw, request.app.state.settings))
        flash = msgspec.json.decode(raw, type=Flash) if genuine else None
    except (ValueError, msgspec.MsgspecError):
        return None
    return flash if flash and (flash.undo is None or flash.undo == local(flash.undo)) else None


def _signature(raw: bytes, settings: Settings) -> bytes:
    return hmac.digest(_key(settings), raw, "sha256")


@lru_cache(4)
def _key(settings: Settings) -> bytes:
    return settings.derive("flash").encode()


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
