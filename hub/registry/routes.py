"""The registry's pages, put together."""

from __future__ import annotations

from hub.registry.pages import browse, names, past, release, resolve, talk, use, write

ROUTES = [
    *browse.ROUTES,
    *write.ROUTES,
    *resolve.ROUTES,
    *past.ROUTES,
    *release.ROUTES,
    *names.ROUTES,
    *use.ROUTES,
    *talk.ROUTES,
]
