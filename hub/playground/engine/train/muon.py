"""Muon in float32, matrices of one shape together: many CPUs have no fast bfloat16."""

from __future__ import annotations

from collections import defaultdict

import torch
from torch import Tensor

# Newton-Schulz coefficients of Keller Jordan's Muon
A, B, C = 3.4445, -4.7750, 2.0315


def orthogonal(matrices: Tensor, steps: int = 3) -> Tensor:
    """The nearest orthogonal matrix of each, roughly; `matrices` is [count, rows, columns]."""
    x = matrices
    tall = x.size(1) > x.size(2)
    if tall:
        x = x.mT
    x = x / (x.flatten(1).norm(dim=1)[:, None, None] + 1e-7)
    for _ in range(steps):
        square = x @ x.mT
        x = A * x + (B * square + C * square @ square) @ x
    return x.mT if tall else x


class Muon:
    """Momentum, made orthogonal, for every matrix inside the layers."""

    def __init__(self, parameters: list[Tensor], momentum: float = 0.95) -> None:
        self.momentum = momentum
        groups: dict[torch.Size, list[Tensor]] = defaultdict(list)
        for parameter in parameters:
            groups[parameter.shape].append(parameter)
        self.groups = [(many, torch.zeros(len(many), *shape)) for shape, many in groups.items()]

    @torch.no_grad()
    def step(self, rate: float) -> None:
        for parameters, memory in self.groups:
            grads = torch.stack([p.grad for p in parameters if p.grad is not None])
            memory.lerp_(grads, 1 - self.momentum)
            update = orthogonal(grads.lerp(memory, self.momentum))
            scale = rate * max(1.0, update.size(1) / update.size(2)) ** 0.5
            for parameter, change in zip(parameters, update, strict=True):
                parameter.sub_(change, alpha=scale)
                parameter.grad = None
