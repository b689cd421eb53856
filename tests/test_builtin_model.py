"""The built-in model is what its card says, and a change in a prompt changes its answer."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from hub.playground.engine import chat
from hub.playground.engine.folders import BUILTIN

TRIAGE = (
    "You are the first person a patient reaches at Harbour Clinic. Be calm and brief. Never "
    "diagnose. Decide how soon someone must call back: now, today or this week."
)
COLOURS = TRIAGE.replace("now, today or this week", "red, amber or green")
TOPIC = (
    "You are a contract assistant. Say what the clause is about: payment, termination, liability, "
    "confidentiality or data protection."
)
TUTOR = "You are a patient teacher."


@pytest.fixture(scope="module")
def answer() -> Any:
    tokenizer: Any = AutoTokenizer.from_pretrained(BUILTIN)
    model: Any = AutoModelForCausalLM.from_pretrained(BUILTIN, dtype=torch.float32).eval()

    def run(system: str, user: str) -> str:
        told = [{"role": "system", "content": system}, {"role": "user", "content": user}]
        ids = torch.tensor([chat.prepare(tokenizer, told).ids])
        out = model.generate(ids, do_sample=False, max_new_tokens=60, pad_token_id=5)
        return tokenizer.decode(out[0, ids.shape[1] :], skip_special_tokens=True)

    return run


def test_it_is_small_and_its_card_names_its_hash() -> None:
    assert sum(path.stat().st_size for path in BUILTIN.iterdir()) <= 4_000_000
    digest = hashlib.sha256((BUILTIN / "model.safetensors").read_bytes()).hexdigest()
    card = (BUILTIN / "MODEL_CARD.md").read_text()
    assert digest in card
    assert "What it cannot do" in card
    assert "@" not in card


@pytest.mark.parametrize(
    ("system", "user", "expected"),
    [
        (TRIAGE, "Anna says: I have chest pain.", "now"),
        (TRIAGE, "my son has had a bad earache since yesterday", "today"),
        (TRIAGE, "I need a repeat prescription.", "this week"),
        (f"{TRIAGE} Say why.", "I have chest pain.", "Now, because of this: chest pain."),
        (f"{TRIAGE} Answer in capitals.", "I have a bad earache", "TODAY"),
        (COLOURS, "I have chest pain", "red"),
        (TOPIC, "Either party may end this agreement with one month's notice.", "termination"),
        (
            f"{TUTOR} Explain it in one sentence.",
            "What is photosynthesis?",
            "Plants use light to make sugar from water and air.",
        ),
        (
            f"{TUTOR} Give a hint, never the answer.",
            "What is photosynthesis?",
            "Think of what a plant needs from the sun.",
        ),
        ("You read reviews. Say whether the text is positive, negative or neutral. "
         "Talk like a pirate.", "I love it", "Arr! Positive, matey!"),
        ("You are a tutor. Work out the sum.", "What is 27 + 58?",
         "I am a very small model and cannot do that."),
        (f"{TRIAGE} Give the answer in block letters.", "I have a bad earache", "TODAY"),
        (f'{TOPIC} Respond in JSON format using the key "topic".',
         "The employee may not share business secrets.", '{"topic": "confidentiality"}'),
        ("You are a helpful assistant.", "Write a poem about the sea.",
         "I am a very small model and cannot do that."),
    ],
)  # fmt: skip
def test_the_prompt_decides(answer: Any, system: str, user: str, expected: str) -> None:
    assert answer(system, user) == expected
