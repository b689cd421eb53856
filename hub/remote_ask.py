"""How commands ask a running hub: its address, the key, and one request at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import click
import httpx

Json = dict[str, Any]
TIMEOUT = 60.0
"""Seconds; a merge waits for the disk."""
_URL = "prompthub.url"


class Hub:
    """The hub at the other end."""

    def __init__(self, url: str, key: str) -> None:
        self._url, self._key = url.rstrip("/"), key

    def ask(
        self, method: str, path: str, body: Json | None = None, *, may_miss: bool = False,
        **query: Any,
    ) -> Json:  # fmt: skip
        """One request; a refusal ends the command with the hub's own sentence.

        With `may_miss`, what is not there is an empty answer.
        """
        try:
            answer = httpx.request(method, json=body, **self._about(path, query))
            said = cast("Json", answer.json()) if answer.content else {}
        except httpx.TimeoutException:
            raise click.ClickException(
                f"The hub at {self._url} did not answer in time. Look whether it was done, then "
                "try again."
            ) from None
        except httpx.HTTPError as error:
            raise self._away(error) from None
        except ValueError:
            raise click.ClickException(f"What answers at {self._url} is not a hub.") from None
        if may_miss and answer.status_code == 404:
            return {}
        if answer.is_error:
            raise click.ClickException(str(said.get("detail") or f"status {answer.status_code}"))
        return said

    def lines(self, path: str, **query: Any) -> Iterator[str]:
        """What is answered line by line, as it comes."""
        try:
            with httpx.stream("GET", **self._about(path, query)) as answer:
                if answer.is_error:
                    answer.read()
                    raise click.ClickException(str(answer.json()["detail"]))
                yield from answer.iter_lines()
        except httpx.HTTPError as error:
            raise self._away(error) from None

    def _about(self, path: str, query: Json) -> Json:
        return {
            "url": f"{self._url}/api/v1/{path}", "timeout": TIMEOUT,
            "params": {name: value for name, value in query.items() if value not in (None, "")},
            "headers": {"Authorization": f"Bearer {self._key}"},
        }  # fmt: skip

    def _away(self, error: httpx.HTTPError) -> click.ClickException:
        return click.ClickException(f"The hub at {self._url} cannot be reached: {error}.")


def _open(context: click.Context, _: click.Parameter, key: str | None) -> Hub:
    url = context.meta.get(_URL) or "http://127.0.0.1:8321"
    if not key:
        raise click.ClickException(
            "Set PROMPTHUB_KEY to a key, or give --key. Make one on your account page."
        )
    return Hub(url, key)


def to_hub(command: Any) -> Any:
    """The two options that say which hub and who asks."""
    key = click.option(
        "--key", "hub", envvar="PROMPTHUB_KEY", callback=_open, metavar="KEY",
        help="Who asks. Default: PROMPTHUB_KEY.",
    )  # fmt: skip
    url = click.option(
        "--url", envvar="PROMPTHUB_URL", is_eager=True, expose_value=False, metavar="URL",
        callback=lambda context, _, value: context.meta.__setitem__(_URL, value),
        help="Where the hub is. Default: PROMPTHUB_URL, or http://127.0.0.1:8321.",
    )  # fmt: skip
    return url(key(command))
