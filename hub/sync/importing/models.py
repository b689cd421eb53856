"""What somebody brought and has not decided on yet; in SQL alone, and for a week."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from hub.db import Base


class Import(Base):
    """Files of one person, read."""

    __tablename__ = "imports"
    __table_args__ = (Index("ix_imports_account", "workspace_id", "account_id"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspaces.id"))
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"))
    folder: Mapped[str] = mapped_column(String(200))
    """All names begin with it."""
    found: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    """`hub.sync.importing.upload.Found` each."""
    created_at: Mapped[datetime]
