"""Examine the model on contents and wordings it never saw, and write the model card."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from random import Random
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from hub.playground.engine.train.choice import SPLITS
from hub.playground.engine.train.corpus import Example, example

PER_SPLIT = 1000
Score = dict[str, list[int]]


def examine(folder: Path, per_split: int = PER_SPLIT) -> dict[str, dict[str, float]]:
    """Greedy answers, right only when every character is; figures go to the card."""
    tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    tokenizer.padding_side = "left"
    model: Any = AutoModelForCausalLM.from_pretrained(
        folder, local_files_only=True, dtype=torch.float32
    ).eval()
    figures: dict[str, dict[str, float]] = {}
    for split in SPLITS:
        random = Random(f"examination {split}")  # noqa: S311 (data, not secrets)
        asked = [example(random, split, 0.5) for _ in range(per_split)]
        scores = _score(model, tokenizer, asked)
        figures[split] = {name: sum(hits) / len(hits) for name, hits in sorted(scores.items())}
        print(split, json.dumps(figures[split]), flush=True)
    (folder / "figures.json").write_text(json.dumps(figures, indent=1) + "\n")
    write_card(folder, figures)
    return figures


@torch.no_grad()
def _score(model: Any, tokenizer: Any, asked: list[Example]) -> Score:
    scores: Score = defaultdict(list)
    asked = sorted(asked, key=lambda one: sum(len(m["content"]) for m in one.messages))
    for start in range(0, len(asked), 50):
        batch = asked[start : start + 50]
        for one, answer in zip(batch, answers(model, tokenizer, batch), strict=True):
            hit = int(answer == one.answer)
            scores["mean"].append(hit)
            scores[f"task: {one.task}"].append(hit)
            scores[f"form: {one.form}"].append(hit)
    return scores


def answers(model: Any, tokenizer: Any, batch: list[Example]) -> list[str]:
    inputs = tokenizer.apply_chat_template(
        [one.messages for one in batch], add_generation_prompt=True, return_tensors="pt",
        return_dict=True, padding=True,
    )  # fmt: skip
    out = model.generate(
        input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"], do_sample=False,
        max_new_tokens=100,
    )  # fmt: skip
    return tokenizer.batch_decode(out[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)


def _table(figures: dict[str, dict[str, float]], kind: str) -> str:
    names = [n for n in figures["seen"] if n.startswith(kind)]
    lines = [
        f"| {kind} | seen contents | held-out contents | held-out wordings |",
        "| --- |" + " --- |" * 3,
    ]
    for name in names:
        cells = [f"{figures[s][name]:.0%}" if name in figures[s] else "-" for s in SPLITS]
        lines.append(f"| {name.removeprefix(kind + ': ')} | {' | '.join(cells)} |")
    return "\n".join(lines)


def write_card(folder: Path, figures: dict[str, dict[str, float]]) -> None:
    training = json.loads((folder / "training.json").read_text())
    facts = training["facts"]
    means = [figures[split]["mean"] for split in SPLITS]
    text = (Path(__file__).parent / "card.md").read_text()
    values = {
        "SEEN": f"{means[0]:.0%}", "CONTENT": f"{means[1]:.0%}", "WORDING": f"{means[2]:.0%}",
        "TASKS": _table(figures, "task"), "FORMS": _table(figures, "form"),
        "STEPS": str(facts["steps"]), "TOKENS": f"{facts['tokens'] / 1e6:.1f}",
        "EXAMPLES": str(facts["examples"]), "MINUTES": f"{facts['cpu_minutes']:.0f}",
        "SEED": str(training["seed"]), "HASH": training["sha256"], "COUNT": str(PER_SPLIT),
    }  # fmt: skip
    for key, value in values.items():
        text = text.replace(f"@{key}@", value)
    (folder / "MODEL_CARD.md").write_text(text)
