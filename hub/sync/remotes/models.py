"""The table of linked repositories: where it is, how to get in, and how it stands."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, LargeBinary, String, Text, false
from sqlalchemy.orm import Mapped, mapped_column

from hub.db import Base


class Remote(Base):
    """The repository elsewhere that a workspace is kept in step with; one for each."""

    __tablename__ = "remotes"

    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspaces.id"), primary_key=True)
    url: Mapped[str] = mapped_column(String(500))
    user: Mapped[str] = mapped_column(String(100))
    """For a token; empty: what the forge usually takes."""
    sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    """The token, or the private half of the deploy key."""
    public_key: Mapped[str] = mapped_column(Text)
    host_keys: Mapped[str] = mapped_column(Text)
    """Of an SSH host, a line each: those that a person confirmed. Empty: nobody has yet."""
    offered_keys: Mapped[str] = mapped_column(Text)
    """Those that answered when somebody looked."""
    main: Mapped[str] = mapped_column(String(200))
    """Which branch there is our main."""
    deploy: Mapped[str] = mapped_column(String(200))
    """Which one takes our releases; empty: none."""
    takes_releases: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Whether releases that are committed to `deploy` over there count here."""
    mirror: Mapped[bool]
    """Whether open proposals stand there as branches."""
    agreed: Mapped[dict[str, str]] = mapped_column(JSON)
    """By our branch (`main`, `deploy`): the last tip over there that our history holds."""
    waiting: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    """Work that arrived and waits for people: `{tip, proposals}`."""
    stopped: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    """Why a person must choose: `{why, branch, tip, old, …}`."""
    chosen: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    """What a person chose: `{do, tip}`; it holds for that tip alone."""
    trouble: Mapped[str] = mapped_column(Text)
    """What went wrong the last time; empty when all is well."""
    note: Mapped[str] = mapped_column(Text)
    """What one should know though all is well."""
    one_way: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Whether another hub is there: what is new there comes in, and nothing can be sent."""
    answers: Mapped[list[int]] = mapped_column(JSON, default=list, server_default="[]")
    """Accounts of those who linked it or entered a token: they have a way in there, so they count
    among the authors of what comes from there."""
    told: Mapped[str] = mapped_column(String(40), default="", server_default="")
    """What administrators have been told needs them; empty: nothing does."""
    failures: Mapped[int]
    """In a row."""
    ahead: Mapped[int]
    behind: Mapped[int]
    seen: Mapped[str] = mapped_column(Text)
    """What of ours was there when the last round ended; else something is to be sent."""
    synced_at: Mapped[datetime | None]
    tried_at: Mapped[datetime | None]
    due_at: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(String(120))
    created_at: Mapped[datetime]
