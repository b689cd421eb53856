"""Everything the hub can refuse to do.

HubError
 ├─ NotFound      the thing does not exist, or you may not see it       404
 ├─ Forbidden     you may see it, but not do this                       403
 │   └─ Unknown   we do not know who you are; sign in or send a key     401
 ├─ Invalid       what you sent cannot be used                          422
 ├─ Conflict      it changed under you, or is in the wrong state        409
 └─ Unavailable   something we lean on is down or full; try again       503

Each carries one sentence for a person and, where it helps, the facts at fault as plain values
(`facts`), which the API adds to its problem details. `hub.web` maps the tree to status codes, once.
"""

from __future__ import annotations

from typing import Any, ClassVar


class HubError(Exception):
    """A refusal with a sentence a person understands."""

    status: ClassVar[int] = 500
    title: ClassVar[str] = ""
    """What its page is headed with, where the words for its status would mislead."""

    def __init__(self, sentence: str, **facts: Any) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.facts = facts


class NotFound(HubError):
    """The thing does not exist, or you may not see it."""

    status = 404


class Forbidden(HubError):
    """You may see it, but not do this; the sentence says who can."""

    status = 403


class Unknown(Forbidden):
    """We do not know who is asking."""

    status = 401


class Invalid(HubError):
    """What you sent cannot be used as it is."""

    status = 422


class WrongField(Invalid):
    """One field of what you sent cannot be used; `field` names it, for the form to mark."""

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(sentence, field=field)
        self.field = field


class Conflict(HubError):
    """It changed under you, or it is in the wrong state for this."""

    status = 409


class Unavailable(HubError):
    """Something we lean on is down or full; nothing was lost, try again."""

    status = 503
