"""The description of the REST interface, put together."""

from __future__ import annotations

from typing import Any

from litestar.openapi import OpenAPIConfig
from litestar.openapi.spec import Components, SecurityScheme
from litestar.router import Router

from hub.people.policy import Need
from hub.registry.rest.api_schema import JsonSchema
from hub.sync.described import PATHS


class _SchemaOnly(Router):
    """Litestar's schema pages without its own not-found page below `/api`."""

    def register(self, value: Any) -> list[Any]:
        return super().register(value) if "/openapi.json" in value.paths else []


def openapi(version: str) -> OpenAPIConfig:
    """The description of the REST interface, at `/api/openapi.json`; no page draws it."""
    bearer = SecurityScheme(type="http", scheme="bearer", bearer_format="ph_…")
    return OpenAPIConfig(
        title="Prompt Hub",
        version=version,
        description="Prompts, versions and labels of a workspace. The key says which workspace.",
        path="/api",
        use_handler_docstrings=True,
        render_plugins=[JsonSchema(path="/openapi.json", paths=PATHS)],
        openapi_router=_SchemaOnly(
            "/api", route_handlers=[], include_in_schema=False, opt={"needs": Need.PUBLIC}
        ),
        components=Components(security_schemes={"key": bearer}),
        security=[{"key": []}],
    )
