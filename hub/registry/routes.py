"""The registry's pages, put together."""

from __future__ import annotations

from hub.registry.pages import (
    as_of,
    browse,
    home,
    inbox,
    merging,
    names,
    past,
    proposals,
    release,
    resolve,
    reviewing,
    reviews,
    several,
    talk,
    use,
    waiting,
    write,
)

ROUTES = [
    *browse.ROUTES,
    *write.ROUTES,
    *resolve.ROUTES,
    *past.ROUTES,
    *release.ROUTES,
    *several.ROUTES,
    *as_of.ROUTES,
    *waiting.ROUTES,
    *names.ROUTES,
    *use.ROUTES,
    *proposals.ROUTES,
    *reviewing.ROUTES,
    *merging.ROUTES,
    *talk.ROUTES,
    *reviews.ROUTES,
    *inbox.ROUTES,
    *home.ROUTES,
]
