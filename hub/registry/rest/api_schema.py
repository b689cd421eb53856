"""The OpenAPI description of the REST interface, made from the shapes that read and write it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
from litestar import Request
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import (
    OpenAPIResponse,
    Operation,
    RequestBody,
)

from hub.registry.rest import bodies

_COMPONENTS: dict[str, Any] = {}
"""What the document says of each shape, by its name; routes bring theirs as they are described."""
WHY = {
    304: "It is what you have already.",
    400: "The address or the JSON could not be read.",
    401: "No key was sent, or it is unknown or revoked.",
    403: "The key may not do this.",
    404: "There is no such prompt, version or label; the sentence says which there are.",
    409: "It changed since you looked; `current` says what is there now. Nothing was overwritten.",
    413: "The request is larger than 2 MiB.",
    422: "What was sent cannot be used; the sentence says why.",
    503: "Something the hub leans on is down. Nothing was lost; try again.",
}
LINES = "application/x-ndjson"
READS = (400, 401, 404, 422)
WRITES = (400, 401, 403, 404, 409, 413, 422, 503)


class JsonSchema(JsonRenderPlugin):
    """The app's OpenAPI document with our shapes in it; Litestar keeps only its own."""

    def __init__(self, *, path: str, paths: dict[str, Any]) -> None:
        """`paths`: routes that Litestar does not know, as the document tells of them."""
        super().__init__(path=path)
        self._others = paths

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        openapi_schema["paths"].update(self._others)
        held = openapi_schema.setdefault("components", {}).setdefault("schemas", {})
        held.update(_COMPONENTS)
        return super().render(request, openapi_schema)


def described(
    answer: type[msgspec.Struct] | None,
    *,
    body: type[msgspec.Struct] | None = None,
    status: int = 200,
    errors: tuple[int, ...] = READS,
    said: str = "Done.",
    kind: str = "application/json",
) -> type[Operation]:
    """What a route takes and gives, to be its `operation_class`; no answer: an empty one."""

    taken = None if body is None else {"application/json": media(body)}
    good = None if answer is None else {kind: media(answer)}
    wrong = {"application/problem+json": media(bodies.Problem)}

    @dataclass
    class Described(Operation):
        def __post_init__(self) -> None:
            if taken is not None:
                self.request_body = RequestBody(content=taken, required=True)
            self.responses = {
                str(status): OpenAPIResponse(description=said, content=good),
                **{
                    str(code): OpenAPIResponse(
                        description=WHY[code], content=None if code == 304 else wrong
                    )
                    for code in errors
                },
            }

    return Described


def media(shape: type[msgspec.Struct]) -> Any:
    """A body of that shape, which the document explains among its components."""
    (reference,), found = msgspec.json.schema_components(
        (shape,), ref_template="#/components/schemas/{name}"
    )
    # Python ends a text at \Z; the patterns of JSON schema are JavaScript's, where $ does.
    plain = msgspec.json.decode(msgspec.json.encode(found).replace(rb"\\Z", b"$"))
    for name, told in plain.items():
        if _COMPONENTS.setdefault(name, told) != told:
            raise TypeError(f"Two shapes of the REST interface are called {name}.")
    return {"schema": reference}  # Litestar writes plain values out as they are
