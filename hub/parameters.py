"""What is wrong with a request, in words: a parameter, with what may stand there, or its size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from litestar.handlers import BaseRouteHandler, HTTPRouteHandler

ALLOWED: dict[type, str] = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
}


def trouble(handler: BaseRouteHandler, faults: Sequence[Mapping[str, Any]]) -> str | None:
    """The sentence for what Litestar found at fault; None: nothing in the query is."""
    named = [str(fault["key"]) for fault in faults if fault.get("source") == "query"]
    if not named:
        return None
    return " ".join(f"`{name}` must be {_allowed(handler, name)}." for name in named)


def too_large(handler: BaseRouteHandler) -> str:
    """With the limit of this address: a picture may be larger than a page of words."""
    most = isinstance(handler, HTTPRouteHandler) and handler.resolve_request_max_body_size()
    limit = f" (the limit is {most >> 20} MiB)" if most else ""
    return f"That is too large to send at once{limit}."


def _allowed(handler: BaseRouteHandler, name: str) -> str:
    parameter = handler.parsed_fn_signature.parameters.get(name)
    kinds = [] if parameter is None else [parameter, *parameter.inner_types]
    what = next((ALLOWED[kind.annotation] for kind in kinds if kind.annotation in ALLOWED), None)
    if parameter is None or what is None:
        return "something else"
    bounds = parameter.kwarg_definition
    least, most = getattr(bounds, "ge", None), getattr(bounds, "le", None)
    if least is not None and most is not None:
        return f"{what} from {least} to {most}"
    return what if least is None else f"{what}, {least} or more"
