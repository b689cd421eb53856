"""All pages of the playground, and the relay."""

from __future__ import annotations

from typing import Any

from hub.playground.pages import (
    alias_pages,
    answer_pages,
    column_pages,
    example_pages,
    grid_acts,
    grid_files,
    grids,
    model_pages,
    try_it,
    uploads,
)
from hub.playground.relay import routes as relay

ROUTES: list[Any] = [
    *try_it.ROUTES,
    *uploads.ROUTES,
    *answer_pages.ROUTES,
    *grids.ROUTES,
    *grid_acts.ROUTES,
    *column_pages.ROUTES,
    *grid_files.ROUTES,
    *example_pages.ROUTES,
    *model_pages.ROUTES,
    *alias_pages.ROUTES,
    relay.ROUTER,
]
