"""Choose the next token of every stream: each its own temperature, cuts and seed."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Protocol

import torch
from torch import Tensor

from hub.playground.engine.ask import Sampling

FIRST_LOOK = 256
"""Tokens that nearly always hold all of `top_p`; sorting a whole vocabulary is slow."""


class Bound(Protocol):
    """What an answer must look like, for instance a JSON schema."""

    def allowed(self) -> Tensor: ...
    def take(self, token: int) -> bool: ...


class Sampler:
    """One uniform number a token, so a seed means the same whoever else is being served."""

    def __init__(self, sampling: Sampling, bound: Bound | None = None) -> None:
        self.sampling = sampling
        self.bound = bound
        self.greedy = sampling.temperature == 0 or sampling.top_k == 1
        seed = secrets.randbits(63) if sampling.seed is None else sampling.seed
        self._random = Random(seed)  # noqa: S311 (sampling, not secrets)
        self._said: Counter[int] = Counter()
        self._counts = bool(sampling.presence or sampling.frequency)
        self.plain = not (self._counts or sampling.bias or bound)

    def point(self) -> float:
        return self._random.random()

    def shape(self, logits: Tensor) -> None:
        """Apply what speaks for or against single tokens, in place."""
        given = self.sampling
        for token, weight in given.bias:
            if token < len(logits):
                logits[token] += weight
        if self._said:
            said = torch.tensor(list(self._said), device=logits.device)
            times = torch.tensor(list(self._said.values()), device=logits.device)
            logits[said] -= (given.presence + given.frequency * times).to(logits.dtype)
        if self.bound is not None:
            logits.masked_fill_(~self.bound.allowed().to(logits.device), float("-inf"))

    def saw(self, token: int) -> bool:
        """Note a chosen token; True if nothing may follow it."""
        if self._counts:
            self._said[token] += 1
        return self.bound is not None and self.bound.take(token)


@dataclass(frozen=True)
class Likely:
    """The chosen token's log probability before any temperature, and those of the likeliest."""

    logprob: float
    top: list[tuple[int, float]] = field(default_factory=list[tuple[int, float]])


@dataclass
class Choice:
    token: int
    likely: Likely | None = None


def choose(logits: Tensor, samplers: Sequence[Sampler]) -> list[Choice | Exception]:
    """One token for each row; a row whose own rules fail gets its exception, the others go on."""
    found: list[Choice | Exception] = [Choice(-1) for _ in samplers]
    wanted = [row for row, one in enumerate(samplers) if one.sampling.logprobs is not None]
    shares = logits[wanted].float().log_softmax(-1) if wanted else None
    if any(not one.plain for one in samplers):
        logits = logits.clone()
        for row, one in enumerate(samplers):
            try:
                if not one.plain:
                    one.shape(logits[row])
            except Exception as error:  # of this stream's grammar alone
                found[row] = error
    tokens = logits.argmax(-1).tolist()
    drawn = [row for row, one in enumerate(samplers) if not one.greedy]
    if drawn:
        chosen = _draw(logits[drawn], [samplers[row] for row in drawn])
        for row, token in zip(drawn, chosen, strict=True):
            tokens[row] = token
    for row, token in enumerate(tokens):
        if isinstance(found[row], Choice):
            found[row] = Choice(token)
    if shares is not None:
        _note(found, wanted, shares, samplers)
    return found


def _note(
    found: list[Choice | Exception], wanted: list[int], shares: Tensor, samplers: Sequence[Sampler]
) -> None:
    for row, share in zip(wanted, shares, strict=True):
        choice = found[row]
        if not isinstance(choice, Choice):
            continue
        best, which = share.topk(min(samplers[row].sampling.logprobs or 0, len(share)))
        top = list(zip(which.tolist(), best.tolist(), strict=True))
        choice.likely = Likely(float(share[choice.token]), top)


def _draw(logits: Tensor, samplers: Sequence[Sampler]) -> list[int]:
    """By the inverse of each row's cumulative distribution."""
    warmth = torch.tensor([one.sampling.temperature for one in samplers], device=logits.device)
    scores = logits.float() / warmth[:, None]
    points = [one.point() for one in samplers]
    plain = [
        row
        for row, one in enumerate(samplers)
        if one.sampling.top_p >= 1 and not one.sampling.top_k
    ]
    found = [0] * len(samplers)
    if plain:
        chosen = _inverse(scores[plain].double().softmax(-1), [points[row] for row in plain])
        for row, token in zip(plain, chosen, strict=True):
            found[row] = token
    for row in set(range(len(samplers))) - set(plain):
        found[row] = _cut(scores[row], samplers[row].sampling, points[row])
    return found


def _inverse(shares: Tensor, points: Sequence[float]) -> list[int]:
    sums = shares.cumsum(-1)
    wanted = torch.tensor(points, dtype=sums.dtype, device=sums.device)[:, None] * sums[:, -1:]
    at = torch.searchsorted(sums, wanted, right=True)[:, 0]
    return at.clamp(max=shares.shape[-1] - 1).tolist()


def _cut(scores: Tensor, given: Sampling, point: float) -> int:
    """One row with `top_k` or `top_p`: only the likeliest tokens take part."""
    if given.top_k and given.top_k < len(scores):
        kept, order = scores.topk(given.top_k)
        shares = kept.double().softmax(-1)
    else:
        whole = scores.double().softmax(-1)
        shares, order = whole.topk(min(FIRST_LOOK, len(whole)))
        if float(shares.sum()) < given.top_p:
            shares, order = whole.sort(descending=True, stable=True)
    if given.top_p < 1:
        # The first token that reaches top_p is the last one kept.
        sums = shares.cumsum(-1)
        limit = torch.tensor(given.top_p, dtype=sums.dtype, device=sums.device)
        shares = shares[: int(torch.searchsorted(sums, limit)) + 1]
    return int(order[_inverse(shares[None], [point])[0]])


def unusable(logits: Tensor) -> Tensor:
    """Which rows cannot be sampled from: not a number, plus infinity, or nothing allowed."""
    return logits.isnan().any(-1) | ~logits.amax(-1).isfinite()
