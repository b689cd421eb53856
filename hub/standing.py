"""Where somebody is led who asks for an address where no page is, but one was meant."""

from __future__ import annotations

from litestar import Litestar
from litestar.datastructures import URL
from litestar.exceptions import HTTPException, MethodNotAllowedException
from litestar.types import Method

OF_A_PROMPT = frozenset({"bring-back", "discard", "draft", "undelete"})
"""`/<workspace>/<word>/<name>` changes the prompt of that name, and shows nothing."""
METHODS: tuple[Method, ...] = ("GET", "POST", "PUT", "PATCH", "DELETE")


def moved_to(url: URL, error: Exception) -> str | None:
    """The address of what has another name now: the old one ends in the name it had."""
    old, name = getattr(error, "old", None), getattr(error, "name", None)
    if not isinstance(old, str) or not isinstance(name, str) or not url.path.endswith(f"/{old}"):
        return None
    return url.path.removesuffix(old) + name + (f"?{url.query}" if url.query else "")


def page_with_form(app: Litestar, url: URL, error: Exception) -> str | None:
    """The page that holds the form of an address that only takes forms.

    After an error the browser stands at the address that the form was sent to; a reload, a
    bookmark or a shared link then asks for it as if it were a page. The answer is the prompt's
    own page, or the nearest one above; None: the address is none of these.
    """
    if not isinstance(error, MethodNotAllowedException):
        return None
    path = url.path
    match path.strip("/").split("/"):
        case [slug, "restore", _, *name] if name:
            return "/".join(["", slug, "prompts", *name])
        case [slug, "put-back", commit, *_]:
            return f"/{slug}/released/{commit}"
        case [slug, word, *name] if word in OF_A_PROMPT and name:
            return "/".join(["", slug, "prompts", *name])
        case _:
            pass
    while path := path.rpartition("/")[0]:
        if _takes(app, path, "GET"):
            return path
    return "/"


def what_it_takes(app: Litestar, url: URL, error: Exception) -> dict[str, list[str]]:
    """The methods that the address does take, as `allow`; empty if that is not what was wrong."""
    if not isinstance(error, MethodNotAllowedException):
        return {}
    return {"allow": methods_at(app, url.path)}


def methods_at(app: Litestar, path: str) -> list[str]:
    """What an address takes; nothing if none is there."""
    return [method for method in METHODS if _takes(app, path, method)]


def _takes(app: Litestar, path: str, method: Method) -> bool:
    try:
        app.asgi_router.handle_routing(path, method)
    except HTTPException:
        return False
    return True
