"""Webhooks from a terminal: how they stand, a test, on again after a pause."""

from __future__ import annotations

import click

from hub.remote_ask import Hub, to_hub


@click.command()
@click.option("--test", "tested", type=int, metavar="ID", help="Send this one a test message.")
@click.option("--resume", "resumed", type=int, metavar="ID", help="Send what waits, in order.")
@click.option("--pause", "paused", type=int, metavar="ID", help="Send nothing; keep what happens.")
@to_hub
def webhooks(hub: Hub, tested: int | None, resumed: int | None, paused: int | None) -> None:
    """List webhooks with how they stand; with an administrator's key for it."""
    for number, state in ((resumed, "active"), (paused, "paused")):
        if number is not None:
            hub.ask("PUT", f"webhooks/{number}", {"state": state})
    if tested is not None:
        attempt = hub.ask("POST", f"webhooks/{tested}/deliveries", {})
        click.echo(f"{attempt['sentence']} ({attempt['milliseconds']} ms)")
        if not attempt["good"]:
            raise SystemExit(1)
        return
    found = hub.ask("GET", "webhooks")["items"]
    for one in found:
        click.echo(f"{one['id']:>4}  {one['state']:<7}  {one['name']}  ({one['address']})")
        waits = f" {one['waiting']} wait." if one["waiting"] else ""
        click.echo(f"{'':>6}{one['sentence']}{waits}")
    if not found:
        click.echo("There are none. Add one in the browser, under Settings, Webhooks.")
