"""Start with a copying circuit instead of waiting for one.

Most of our tasks copy: a name, a label, a phrase. A transformer copies with two heads in a row: one
tells each token what came before it, the other looks for what came after this token last time. From
random weights that pair takes most of a short training to appear; here it is laid down by hand,
roughly, and training does the rest.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

HEADS = 2
BACK = 7.0
"""Strength of the look at the token before."""
MATCH = 2.4
"""Strength of the search for the same token."""
QUIET = 0.1
"""How much of the other heads' and layers' random output is left."""
SLOW = 7
"""Pairs from this one on turn so slowly with the distance that they can compare tokens."""


@torch.no_grad()
def wire(model: Any) -> None:
    """Layer 0 passes on the token before; layer 1 finds its last place and copies what followed."""
    config = model.config
    size: int = config.head_dim
    turn = config.rope_parameters["rope_theta"] ** (-torch.arange(size // 2) / (size // 2))
    first, second = model.model.layers[0].self_attn, model.model.layers[1].self_attn
    for layer in model.model.layers:
        # Quiet outputs: what is laid down must not drown in noise.
        layer.self_attn.o_proj.weight *= QUIET
        layer.mlp.down_proj.weight *= QUIET
    slow = torch.tensor([*range(SLOW, size // 2), *range(size // 2 + SLOW, size)])
    for head in range(HEADS):
        rows = slice(head * size, (head + 1) * size)
        seen, told, copied = (_directions(size, config.hidden_size) for _ in range(3))
        for attention in (first, second):
            attention.q_proj.weight[rows] *= 0.1
            attention.k_proj.weight[rows] *= 0.1
        first.k_proj.bias[rows] = BACK * torch.cat([torch.ones(size // 2), torch.zeros(size // 2)])
        first.q_proj.bias[rows] = BACK * torch.cat([turn.cos(), -turn.sin()])
        first.v_proj.weight[rows] = seen
        first.o_proj.weight[:, rows] = 0.05 * told.T
        second.q_proj.weight[slow + head * size] = MATCH * seen[: len(slow)]
        second.k_proj.weight[slow + head * size] = MATCH * told[: len(slow)]
        second.v_proj.weight[rows] = copied
        second.o_proj.weight[:, rows] = 0.15 * copied.T


def _directions(count: int, size: int) -> Tensor:
    """`count` random directions at right angles."""
    return torch.linalg.qr(torch.randn(size, count) / math.sqrt(size))[0].T.contiguous()
