"""Tables of the playground: examples, connections, grids and their runs; in SQL alone."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, LargeBinary, String, Text, UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column

from hub.db import Base


class Example(Base):
    """A set of variables for a prompt and, if wanted, the expected answer."""

    __tablename__ = "examples"
    __table_args__ = (Index("ix_examples_prompt", "workspace_id", "prompt_id", "position"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspaces.id"))
    prompt_id: Mapped[str] = mapped_column(String(40))
    position: Mapped[int]
    name: Mapped[str] = mapped_column(String(120))
    variables: Mapped[dict[str, Any]] = mapped_column(JSON)
    expected: Mapped[str | None] = mapped_column(Text)
    created_by: Mapped[str] = mapped_column(String(120))
    created_at: Mapped[datetime]


class Picture(Base):
    """What somebody chose as the value of a variable of the type `image`; see `pictures`."""

    __tablename__ = "pictures"

    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspaces.id"), primary_key=True)
    hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    """SHA-256 of the bytes."""
    kind: Mapped[str] = mapped_column(String(20))
    """`image/png`, …, read off the bytes."""
    size: Mapped[int]
    data: Mapped[bytes] = mapped_column(LargeBinary)
    created_by: Mapped[str] = mapped_column(String(120))
    created_at: Mapped[datetime]
    """When it was last chosen from somebody's files."""


class Connection(Base):
    """A configured model endpoint. The key is bound to the address: a new address wipes it."""

    __tablename__ = "connections"
    __table_args__ = (UniqueConstraint("workspace_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspaces.id"))
    name: Mapped[str] = mapped_column(String(80))
    kind: Mapped[str] = mapped_column(String(20), default="openai", server_default="openai")
    """Its dialect, a name of `hub.playground.wire.dialects`."""
    base_url: Mapped[str] = mapped_column(String(500))
    sealed_key: Mapped[bytes | None] = mapped_column(LargeBinary)
    """AES-GCM; the workspace and address are authenticated with it."""
    models: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    """`[{id, input_price, output_price, cached_price}]`, US dollars per million tokens, or null."""
    concurrency: Mapped[int] = mapped_column(default=8)
    hour_price: Mapped[float | None]
    """US dollars that an hour of its machine costs, if it is a rented one."""
    state: Mapped[str] = mapped_column(Text, default="")
    """What the last test said; empty: never tested, or changed since."""
    reachable: Mapped[bool | None]
    """How its test came out; None with a `checked_at`: that was before the last change."""
    checked_at: Mapped[datetime | None]
    created_by: Mapped[str] = mapped_column(String(120))
    created_at: Mapped[datetime]


class Machine(Base):
    """What a workspace says of this machine: today, the price of an hour of it."""

    __tablename__ = "machines"

    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspaces.id"), primary_key=True)
    hour_price: Mapped[float | None]


class Alias(Base):
    """A name over several models; which one answers is chosen when a call is made."""

    __tablename__ = "aliases"
    __table_args__ = (UniqueConstraint("workspace_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspaces.id"))
    name: Mapped[str] = mapped_column(String(80))
    rule: Mapped[str] = mapped_column(String(10))
    """order, price or latency."""
    targets: Mapped[list[str]] = mapped_column(JSON)
    """`["3:gpt-5-mini", "local:prompthub/tiny"]`, in order."""
    created_by: Mapped[str] = mapped_column(String(120))
    created_at: Mapped[datetime]


class Grid(Base):
    """Columns (version or draft × model × settings) × rows (examples), as they were run."""

    __tablename__ = "grids"
    __table_args__ = (
        Index("ix_grids_workspace", "workspace_id", "id"),
        Index("ix_grids_proposal", "workspace_id", "proposal"),
    )

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspaces.id"))
    prompt_id: Mapped[str] = mapped_column(String(40))
    prompt_name: Mapped[str] = mapped_column(String(200))
    columns: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    rows: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    state: Mapped[str] = mapped_column(String(10))
    """running, done or stopped."""
    created_by: Mapped[str] = mapped_column(String(120))
    account_id: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"))
    created_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    proposal: Mapped[int | None]
    """The proposal it was run for, and the digest of what was tried."""
    digest: Mapped[str | None] = mapped_column(String(64))
    options: Mapped[dict[str, Any]] = mapped_column(JSON, server_default="{}")
    """See `hub.playground.options.Options`."""


class Run(Base):
    """One model call, always recorded, whatever became of it."""

    __tablename__ = "runs"
    __table_args__ = (
        UniqueConstraint("grid_id", "row", "column", "sample"),
        Index("ix_runs_fingerprint", "workspace_id", "fingerprint"),
    )

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    grid_id: Mapped[int] = mapped_column(ForeignKey("grids.id"), index=True)
    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspaces.id"))
    row: Mapped[int]
    column: Mapped[int]
    sample: Mapped[int] = mapped_column(server_default="0", default=0)
    """From 0: the same question may be asked several times."""
    state: Mapped[str] = mapped_column(String(10))
    """waiting, running, done, failed or stopped."""
    request: Mapped[dict[str, Any]] = mapped_column(JSON)
    output: Mapped[str] = mapped_column(Text, default="")
    """The text; what the model asked of tools is told in it too, a line each."""
    reasoning: Mapped[str] = mapped_column(Text, default="", server_default="")
    """What it thought before, where it says so."""
    tool_calls: Mapped[list[dict[str, str]] | None] = mapped_column(JSON)
    """`[{id, name, arguments}]`; the arguments are JSON as the model wrote it."""
    finish_reason: Mapped[str | None] = mapped_column(String(40))
    error: Mapped[str | None] = mapped_column(Text)
    model: Mapped[str] = mapped_column(String(200))
    connection: Mapped[str] = mapped_column(String(80))
    """Who was asked; of an alias, once it was asked, who answered."""
    queued_s: Mapped[float | None]
    load_s: Mapped[float | None]
    first_token_s: Mapped[float | None]
    """From the moment it was its turn: standing in line and loading are told apart."""
    total_s: Mapped[float | None]
    tokens_per_s: Mapped[float | None]
    tokens_in: Mapped[int | None]
    tokens_out: Mapped[int | None]
    tokens_cached: Mapped[int | None]
    tokens_written: Mapped[int | None]
    """Of `tokens_in`: read from, and written to, the provider's cache."""
    tokens_reasoning: Mapped[int | None]
    """Of `tokens_out`."""
    estimated: Mapped[bool] = mapped_column(default=False)
    """The endpoint did not say how many tokens; these are our estimate."""
    cost_usd: Mapped[float | None]
    cost_from: Mapped[str | None] = mapped_column(String(80))
    """Whose figure that is: "list price of 2026-11-20", "as the provider reports it"."""
    guards_s: Mapped[float | None]
    guards_usd: Mapped[float | None]
    """What its guards added; no price is known of them, where only the time is there."""
    device: Mapped[str | None] = mapped_column(String(20))
    """cpu or gpu, for a model of this machine."""
    note: Mapped[str] = mapped_column(Text, default="")
    """What was ignored or adjusted, e.g. "ignored: seed"."""
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    fingerprint: Mapped[str | None] = mapped_column(String(64))
    """SHA-256 of where it went and the exact request, once that is known."""
    cached: Mapped[bool] = mapped_column(server_default=false(), default=False)
    """Not asked: the kept answer to the same request."""
    rating: Mapped[int | None]
    """1 to 5, by a person."""
    remark: Mapped[str] = mapped_column(Text, server_default="", default="")
    rated_by: Mapped[str] = mapped_column(String(120), server_default="", default="")


class Vote(Base):
    """What somebody chose in one row of a grid whose names were hidden from them."""

    __tablename__ = "votes"

    grid_id: Mapped[int] = mapped_column(ForeignKey("grids.id"), primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    row: Mapped[int] = mapped_column(primary_key=True)
    choice: Mapped[int]
    """A column from 0, or `votes.TIE`, `votes.NONE`."""
    at: Mapped[datetime]
