"""The routes of this room that the web framework answers; see `doors` and `git_http` for others."""

from __future__ import annotations

from typing import Any

from hub.sync import export_api, export_pages
from hub.sync.foreign import langfuse, langsmith, mlflow
from hub.sync.importing import pages as importing
from hub.sync.remotes import api as remotes_api
from hub.sync.remotes import pages as remotes_pages
from hub.sync.webhooks import api, door, inlet_pages, pages

ROUTES: list[Any] = [
    *pages.ROUTES, *inlet_pages.ROUTES, *api.ROUTES, door.hear, langfuse.ROUTER, langsmith.ROUTER,
    mlflow.ROUTER,
    *importing.ROUTES, *export_pages.ROUTES, *export_api.ROUTES,
    *remotes_pages.ROUTES, *remotes_api.ROUTES,
]  # fmt: skip
