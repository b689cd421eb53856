"""The bell and the mailer, put together as this hub is set up."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from hub.db import Database
from hub.outbox import Watch
from hub.people.mail import Post
from hub.people.mail_routes import PURPOSE
from hub.registry.review.bell import Bell
from hub.registry.review.mailing import Mailer
from hub.registry.review.queue import Queue
from hub.settings import Settings


def open_bell(
    settings: Settings, database: Database, queue: Queue, watch: Watch
) -> tuple[Bell, list[Coroutine[Any, Any, None]]]:
    """The bell, and what has to run beside the app for it.

    Raises:
        Invalid: the settings for e-mail cannot be used.
    """
    post = Post.of(settings)
    bell = Bell(database, queue, mails=post is not None)
    watch.listen(bell.on_event)
    work: list[Coroutine[Any, Any, None]] = [bell.run()]
    if post is not None:
        mailer = Mailer(database, post, url=settings.url, key=settings.derive(PURPOSE))
        work.append(mailer.run())
    return bell, work
