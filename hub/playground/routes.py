"""All pages of the playground."""

from __future__ import annotations

from hub.playground.pages import (
    alias_pages,
    answer_pages,
    example_pages,
    grids,
    model_pages,
    try_it,
)

ROUTES = [
    *try_it.ROUTES,
    *answer_pages.ROUTES,
    *grids.ROUTES,
    *example_pages.ROUTES,
    *model_pages.ROUTES,
    *alias_pages.ROUTES,
]
