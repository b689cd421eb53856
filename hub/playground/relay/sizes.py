"""What a call may come to at the most, so that so much can be set aside before it begins. Pure."""

from __future__ import annotations

import json
import math
from typing import Any

import msgspec

from hub.errors import Invalid
from hub.playground.calls import PATIENCE, Call, Endpoint, Route
from hub.playground.prices import Spent
from hub.playground.relay.models import Relay
from hub.playground.wire.asked import images, words
from hub.playground.wire.reading import tree, trees
from hub.registry.prompt.tokens import estimate

ANSWER = 4_096
"""Tokens of an answer whose call and prompt name no limit; the model is told."""
LONGEST = 1_000_000
PICTURE = 16_384
"""The most tokens that the usual families of models take for one; most take a tenth of it."""
TURN = 16
"""Tokens around the text of a message, at the most."""
START = 128
"""Before all messages: some templates begin with a text of their own."""
TOOLS = 640
"""Around tools: some providers explain to the model how to call them."""
DOUBT = 1.25
"""Tokenizers differ by a fifth among themselves; of answers that do not listen to their limit."""
OVER = 64
"""Tokens beyond its limit, and a quarter of it, after which an answer is cut: some servers do not
listen to limits, and pieces are counted by estimate."""
Json = dict[str, Any]
_LIMITS = ("max_tokens", "max_completion_tokens")


class Fits(msgspec.Struct, frozen=True):
    """What is set aside for a call."""

    tokens: int
    usd: float
    longest: int = 0
    """The part of `tokens` that is the answer's."""

    @property
    def cut_at(self) -> int:
        """Tokens by our count after which an answer has not heard of its limit."""
        return math.ceil(self.longest * DOUBT) + OVER


def limited(request: Json) -> Json:
    """The same with a limit for its answer, and for one answer.

    Raises:
        Invalid: the limit is none that could be counted with.
    """
    found = {key: value for key, value in request.items() if key != "n"}
    for key in _LIMITS:
        most = found.get(key)
        if most is None:
            found.pop(key, None)
        elif not isinstance(most, int) or isinstance(most, bool) or not 1 <= most <= LONGEST:
            raise Invalid(f"The longest answer (`{key}`) must be a whole number of tokens above 0.")
    return found if _longest(found) else found | {"max_tokens": ANSWER}


def fits(target: Endpoint | Route, request: Json, limits: Relay) -> Fits:
    """What a `limited` request may come to, of the dearest that may answer.

    Raises:
        Invalid: only dollars are limited, and a model has no price to count by.
    """
    endpoints = target.endpoints if isinstance(target, Route) else [target]
    came, went = read_by_model(request), _longest(request)
    return Fits(came + went, max(_usd(one, came, went, limits) for one in endpoints), went)


def read_by_model(request: Json) -> int:
    """Tokens that a model reads at the most: no tokenizer makes more of a text than its bytes.

    Templates write tools as JSON with line breaks; so they are counted.
    """
    total = START + sum(_turn(one) for one in trees(request.get("messages")))
    for key in ("tools", "response_format"):
        if request.get(key):
            total += TOOLS + _bytes(json.dumps(request[key], indent=4))
    return total


def used(call: Call, one: Fits) -> tuple[int, float]:
    """Tokens and dollars of a call that is over.

    Who leaves in the middle is not told what the model had thought by then, which providers charge
    for: such a call counts with what was set aside for it, unless it was this machine's own.
    """
    came = call.tokens_in
    if came is None and call.begun:
        came = sum(estimate(words(turn.get("content"))) for turn in trees(call.asked["messages"]))
    tokens, usd = (came or 0) + (call.tokens_out or 0), call.cost_usd or 0.0
    if call.local or call.started_at is None or not _unknown(call):
        return tokens, usd
    return max(tokens, one.tokens), max(usd, one.usd)


def _unknown(call: Call) -> bool:
    late = not call.begun and (call.total_s or 0) >= PATIENCE.first_byte
    return call.state == "stopped" or (call.state == "failed" and late)


def _longest(request: Json) -> int:
    """The larger, where both are said: servers listen to one or the other."""
    return max(request.get(key) or 0 for key in _LIMITS)


def _turn(one: Json) -> int:
    content = one.get("content")
    total = TURN + _bytes(words(content)) + PICTURE * len(images(content))
    for part in trees(content):
        if "text" not in part and "image_url" not in part:  # a recording, a file
            total += _bytes(json.dumps(part))
    for called in trees(one.get("tool_calls")):
        total += TURN + _bytes(json.dumps(tree(called.get("function")), indent=4))
    return total


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "replace"))


def _usd(one: Endpoint, came: int, went: int, limits: Relay) -> float:
    """By the price that its cost will be counted by (see `Call.price`)."""
    if one.price is not None and (not one.price.of_list or one.hour_price is None):
        return one.price.cost(Spent(came, went))
    if one.hour_price is not None:
        return one.hour_price * PATIENCE.total / 3600
    if not one.local and limits.tokens_a_day is None:
        raise Invalid(
            f"{one.model} at {one.name} has no price, and this workspace limits keys by "
            "dollars alone. An administrator can enter its price, or a limit in tokens."
        )
    return 0.0
