"""Choose the next token of one stream: its own temperature, cuts and seed, never a global one."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from random import Random

import torch
from torch import Tensor


@dataclass(frozen=True)
class Sampling:
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    seed: int | None = None


class Sampler:
    """One uniform number a token, so a seed means the same whoever else is being served."""

    def __init__(self, sampling: Sampling) -> None:
        self.sampling = sampling
        self.greedy = sampling.temperature == 0 or sampling.top_k == 1
        seed = secrets.randbits(63) if sampling.seed is None else sampling.seed
        self._random = Random(seed)  # noqa: S311 (sampling, not secrets)

    def choose(self, logits: Tensor) -> int:
        """Draw from one row of logits by the inverse of the cumulative distribution."""
        given = self.sampling
        scores = logits.float().cpu() / given.temperature
        if given.top_k and given.top_k < len(scores):
            scores, order = scores.topk(given.top_k)
        else:
            scores, order = scores.sort(descending=True, stable=True)
        shares = scores.double().softmax(-1).cumsum(-1)
        if given.top_p < 1:
            # The first token that reaches top_p is the last one kept.
            kept = int(torch.searchsorted(shares, given.top_p)) + 1
            shares = shares[: min(kept, len(shares))]
        point = self._random.random() * float(shares[-1])
        index = int(torch.searchsorted(shares, point, right=True))
        return int(order[min(index, len(shares) - 1)])


def unusable(logits: Tensor) -> Tensor:
    """Which rows cannot be sampled from: not a number, plus infinity, or nothing allowed."""
    return logits.isnan().any(-1) | ~logits.amax(-1).isfinite()
