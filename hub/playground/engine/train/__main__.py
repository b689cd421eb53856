"""`python -m hub.playground.engine.train --minutes 25`: make the built-in model again.

The rate follows the clock, so training ends well whatever the machine's speed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import torch
from tokenizers import Tokenizer
from transformers import LlamaConfig, LlamaForCausalLM

from hub.playground.engine.train import vocabulary
from hub.playground.engine.train.corpus import Example, Messages, example
from hub.playground.engine.train.evaluate import examine
from hub.playground.engine.train.muon import Muon
from hub.playground.engine.train.wiring import wire

CONTEXT = 2048
BATCH = 1024
POOL = 48
BUILTIN = Path(__file__).parent.parent / "builtin"


def encode(tokenizer: Tokenizer, messages: Messages, answer: str) -> tuple[list[int], int]:
    """Token ids of the conversation with its answer, and where the answer begins."""
    special = vocabulary.special(tokenizer)
    ids = [special[vocabulary.BEGIN]]
    end = special[vocabulary.END]
    for message in messages:
        text = tokenizer.encode(message["content"].strip()).ids
        ids += [special[f"<|{message['role']}|>"], *text, end]
    ids.append(special[vocabulary.ASSISTANT])
    return [*ids, *tokenizer.encode(answer).ids, end], len(ids)


def new_model(tokenizer: Tokenizer) -> LlamaForCausalLM:
    config = LlamaConfig(
        vocab_size=vocabulary.SIZE,
        hidden_size=160,
        intermediate_size=432,
        num_hidden_layers=4,
        num_attention_heads=5,
        num_key_value_heads=5,
        head_dim=32,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.token_to_id(vocabulary.BEGIN),
        eos_token_id=tokenizer.token_to_id(vocabulary.END),
        pad_token_id=tokenizer.token_to_id(vocabulary.PAD),
        initializer_range=0.03,
        attention_bias=True,
        rope_parameters={"rope_type": "default", "rope_theta": 500_000.0},
    )
    model = LlamaForCausalLM(config)
    wire(model)
    return model


class Feed:
    """Batches of about `BATCH` tokens; examples of like length share one, so little is padding."""

    def __init__(self, tokenizer: Tokenizer, random: Random) -> None:
        self.tokenizer = tokenizer
        self.random = random
        self.pad = vocabulary.special(tokenizer)[vocabulary.PAD]
        self.progress = 0.0
        self.examples = 0
        self.tokens = 0

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        while True:
            pool = [self._draw() for _ in range(POOL * 12)]
            pool.sort(key=lambda one: len(one[0]))
            batches: list[list[tuple[list[int], int]]] = [[]]
            for one in pool:
                if batches[-1] and len(one[0]) * (len(batches[-1]) + 1) > BATCH:
                    batches.append([])
                batches[-1].append(one)
            self.random.shuffle(batches)
            for batch in batches:
                yield self._tensors(batch)

    def _draw(self) -> tuple[list[int], int]:
        while True:
            one: Example = example(self.random, length=0.05 + 0.7 * self.progress)
            ids, start = encode(self.tokenizer, one.messages, one.answer)
            if len(ids) <= BATCH:
                return ids, start

    def _tensors(self, batch: list[tuple[list[int], int]]) -> tuple[torch.Tensor, torch.Tensor]:
        width = max(len(ids) for ids, _ in batch)
        ids = torch.full((len(batch), width), self.pad)
        wanted = torch.zeros((len(batch), width), dtype=torch.bool)
        for row, (tokens, start) in enumerate(batch):
            ids[row, : len(tokens)] = torch.tensor(tokens)
            wanted[row, start : len(tokens)] = True
            self.examples += 1
            self.tokens += len(tokens)
        return ids, wanted


def train(
    model: LlamaForCausalLM, feed: Feed, minutes: float, decay: float = 0.45, rate: float = 1.0
) -> dict[str, float]:
    """Muon for the matrices in the layers, AdamW for the rest; the loss counts answers alone."""
    inner = [p for n, p in model.named_parameters() if p.ndim == 2 and "layers" in n]
    rest = [p for n, p in model.named_parameters() if not (p.ndim == 2 and "layers" in n)]
    muon = Muon([*inner])
    adam = torch.optim.AdamW(rest, lr=4e-3, betas=(0.9, 0.98), weight_decay=0.0)
    began, cpu = time.monotonic(), time.process_time()
    smooth, step = 8.0, 0
    for ids, wanted in feed:
        done = (time.monotonic() - began) / (minutes * 60)
        if done >= 1:
            break
        feed.progress = max(feed.progress, done)
        now = rate * min(1.0, (step + 1) / 100) * min(1.0, max(0.01, (1 - done) / decay))
        hidden = model.model(input_ids=ids).last_hidden_state[:, :-1]
        logits = model.lm_head(hidden[wanted[:, 1:]])
        loss = torch.nn.functional.cross_entropy(logits, ids[:, 1:][wanted[:, 1:]])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(rest, 1.0)
        muon.step(5e-3 * now)
        for group in adam.param_groups:
            group["lr"] = 4e-3 * now
        adam.step()
        adam.zero_grad()
        step += 1
        smooth += (loss.item() - smooth) / min(step, 100)
        if step % 200 == 0:
            print(f"{done:4.0%} step {step} loss {smooth:.3f} tokens {feed.tokens}", flush=True)
    return {
        "steps": step, "loss": round(smooth, 4), "examples": feed.examples, "tokens": feed.tokens,
        "cpu_minutes": round((time.process_time() - cpu) / 60, 1),
    }  # fmt: skip


def save(model: LlamaForCausalLM, tokenizer: Tokenizer, folder: Path) -> str:
    """Write the folder any `transformers` program can load; give the weights' sha256."""
    folder.mkdir(parents=True, exist_ok=True)
    model.bfloat16().save_pretrained(folder)
    vocabulary.save(tokenizer, folder, CONTEXT)
    model.float()
    return hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the built-in model.")
    parser.add_argument("--minutes", type=float, default=25, help="time to train")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", type=Path, default=BUILTIN)
    parser.add_argument("--resume", type=Path, help="go on from this folder, at a lower rate")
    parser.add_argument("--rate", type=float, default=0.7, help="of the full rate, to go on with")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    torch.manual_seed(given.seed)
    before: dict[str, float] = {}
    if given.resume:
        before = json.loads((given.resume / "training.json").read_text())["facts"]
        tokenizer = Tokenizer.from_file(str(given.resume / "tokenizer.json"))
        model = LlamaForCausalLM.from_pretrained(given.resume, dtype=torch.float32)
    else:
        tokenizer = vocabulary.build(given.seed)
        model = new_model(tokenizer)
    steps = int(before.get("steps", 0))
    feed = Feed(tokenizer, Random(given.seed + steps))  # noqa: S311 (data, not secrets)
    if steps:
        feed.progress = 0.3
        facts = train(model, feed, given.minutes, decay=1.0, rate=given.rate)
        facts = {key: value + before[key] for key, value in facts.items()} | {"loss": facts["loss"]}
    else:
        facts = train(model, feed, given.minutes)
    digest = save(model, tokenizer, given.out)
    report = {"facts": facts, "sha256": digest, "seed": given.seed}
    (given.out / "training.json").write_text(json.dumps(report, indent=1) + "\n")
    print(json.dumps(report), flush=True)
    examine(given.out)


if __name__ == "__main__":
    main()
