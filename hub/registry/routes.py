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
    propose,
    propose_several,
    release,
    resolve,
    reviewing,
    reviews,
    revising,
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
    *propose.ROUTES,
    *propose_several.ROUTES,
    *revising.ROUTES,
    *talk.ROUTES,
    *reviews.ROUTES,
    *inbox.ROUTES,
    *home.ROUTES,
]
