"""Which proposal a push was about; in SQL alone: without it, the next push opens another one."""

from __future__ import annotations

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from hub.db import Base


class PushedProposal(Base):
    """What somebody called a proposal when they pushed it."""

    __tablename__ = "pushed_proposals"

    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspaces.id"), primary_key=True)
    who: Mapped[str] = mapped_column(String(40), primary_key=True)
    """An account or an app's key: two people may both think of `proposals/fix`."""
    name: Mapped[str] = mapped_column(String(220), primary_key=True)
    """A branch, a Change-Id or the id of a commit; `proposing` says which counts when."""
    number: Mapped[int]
    revision: Mapped[int]
    """The last one that came by this name: one that others have made since is not passed over."""
