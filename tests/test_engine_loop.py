"""The decode loop gives the model's own answers, alone and in company."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
import torch

from hub.playground.engine.ask import Sampling
from hub.playground.engine.batch import Pace
from hub.playground.engine.slots import Slots
from hub.playground.engine.solo import Solo, best
from tests.streams import (
    FAMILIES,
    Recorder,
    model,
    no_gradients,  # noqa: F401 used by every test
    own,
    prompts,
    request,
    run,
)
from tests.tiny_models import random_model

# ── the same answers as the model itself ────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", FAMILIES)
def test_greedy_answers_are_those_of_generate_alone_and_together(kind: str) -> None:
    asked = prompts(6)
    expected = [own(kind, ids, 16) for ids in asked]
    for together in (False, True):
        batch = Recorder(best(model(kind), 4))
        requests = [request(ids, 16) for ids in asked]
        for group in [requests] if together else [[one] for one in requests]:
            run(batch, group, late=2 if together else 0)
        assert [batch.chosen[id(one)] for one in requests] == expected


def test_all_that_attends_runs_in_slots_and_a_state_space_one_by_one() -> None:
    for kind in FAMILIES:
        assert isinstance(best(model(kind), 4), Solo if kind == "mamba" else Slots), kind


@pytest.mark.parametrize("kind", ["llama", "gemma3"])
def test_a_prompt_read_in_small_pieces_beside_running_streams_is_read_whole(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Pace, "tokens", lambda self, busy: 7)
    long = [Random(2).randrange(10, 1000) for _ in range(300)]
    batch = Recorder(best(model(kind), 4))
    requests = [request(ids, 40) for ids in [*prompts(2), long]]
    run(batch, requests, late=1)
    for one in requests:
        assert batch.chosen[id(one)] == own(kind, list(one.ids), 40)


def test_room_grows_while_streams_run() -> None:
    batch = Recorder(best(model("llama"), 4))
    requests = [request(ids, 260) for ids in prompts(2)]
    run(batch, requests)
    for one in requests:
        assert batch.chosen[id(one)] == own("llama", list(one.ids), 260)


def test_in_bfloat16_a_difference_comes_only_where_two_tokens_are_nearly_even() -> None:
    """Its rounding depends on the batch, for transformers' own batches too."""
    made = random_model("llama").to(torch.bfloat16)
    noise, asked = 0.0, prompts(6)
    batch = Recorder(best(made, 6))
    requests = [request(ids, 16) for ids in asked]
    run(batch, requests)
    for one in requests:
        ids, said = list(one.ids), batch.chosen[id(one)]
        logits = made(torch.tensor([ids + said])).logits[0, len(ids) - 1 : -1].float()
        for row, token in zip(logits, said, strict=True):
            gap = float(row.max() - row[token])
            noise = max(noise, gap / float(row.std()))
    assert noise < 0.1


def test_who_begins_like_another_does_not_read_it_again() -> None:
    batch = Recorder(best(model("llama"), 4))
    shared = prompts(1)[0] * 3
    first, second = request([*shared, 7, 8], 10), request([*shared, 9], 10)
    again = request([*shared, 7, 8], 10)
    run(batch, [first, second], late=1)
    run(batch, [again])
    assert first.events[-1].cached_tokens == 0
    assert second.events[-1].cached_tokens == len(shared)
    assert again.events[-1].cached_tokens == len(shared) + 1
    for one in (first, second, again):
        assert batch.chosen[id(one)] == own("llama", list(one.ids), 10)


# ── sampling ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "cuts", [{}, {"top_p": 0.9}, {"top_k": 50}, {"top_p": 0.5, "top_k": 9}, {"top_p": 0.9999}]
)
def test_a_seed_gives_the_same_answer_in_company(cuts: dict[str, Any]) -> None:
    sampling = Sampling(temperature=1.3, seed=11, **cuts)
    alone, company = Recorder(best(model("llama"), 8)), Recorder(best(model("llama"), 8))
    first, again = request(prompts(1)[0], 20, sampling), request(prompts(1)[0], 20, sampling)
    run(alone, [first])
    run(company, [request(ids) for ids in prompts(5)] + [again], late=1)
    assert alone.chosen[id(first)] == company.chosen[id(again)]
    other = request(prompts(1)[0], 20, Sampling(temperature=1.3, seed=12))
    run(alone, [other])
    assert alone.chosen[id(other)] != alone.chosen[id(first)]


def test_a_stream_alone_is_computed_the_same_under_any_load_even_in_bfloat16() -> None:
    made = random_model("llama").to(torch.bfloat16)
    sampling = Sampling(temperature=1.0, seed=3)
    ids = [Random(9).randrange(10, 1000) for _ in range(300)]
    found: list[list[int]] = []
    for company in (0, 3):
        batch = Recorder(best(made, 8))
        one = request(ids, 30, sampling, alone=True)
        run(batch, [request(other, 60) for other in prompts(company)] + [one], late=1)
        found.append(batch.chosen[id(one)])
    assert found[0] == found[1]


def test_draws_follow_the_model_and_cuts_leave_out_the_unlikely() -> None:
    logits = torch.log(torch.tensor([0.5, 0.25, 0.15, 0.06, 0.04]))

    def drawn(**given: Any) -> list[float]:
        from hub.playground.engine.sampling import Choice, Sampler, choose

        samplers = [Sampler(Sampling(seed=seed, **given)) for seed in range(1500)]
        counts = [0] * 5
        for choice in choose(logits.expand(1500, 5), samplers):
            assert isinstance(choice, Choice)
            counts[choice.token] += 1
        return [count / 1500 for count in counts]

    assert drawn() == pytest.approx([0.5, 0.25, 0.15, 0.06, 0.04], abs=0.05)
    assert drawn(top_p=0.75) == pytest.approx([2 / 3, 1 / 3, 0, 0, 0], abs=0.05)
    assert drawn(top_p=0.76) == pytest.approx([0.556, 0.278, 0.167, 0, 0], abs=0.05)
    assert drawn(top_k=2) == pytest.approx([2 / 3, 1 / 3, 0, 0, 0], abs=0.05)
    assert drawn(temperature=0.5) == pytest.approx([0.739, 0.185, 0.067, 0.011, 0.005], abs=0.05)
    assert drawn(top_k=1) == [1, 0, 0, 0, 0]
    assert drawn(top_p=0) == [1, 0, 0, 0, 0]
    assert drawn(bias=((0, -100.0),))[0] == 0


def test_log_probabilities_are_the_models_own_whatever_the_temperature() -> None:
    batch = Recorder(best(model("llama"), 4))
    ids = prompts(1)[0]
    one = request(ids, 6, Sampling(temperature=1.5, seed=2, logprobs=3))
    plain = request(ids, 6)
    run(batch, [one, plain])
    said = batch.chosen[id(one)]
    likely = [pair for event in one.events for pair in event.likely]
    assert [token for token, _ in likely] == said
    assert not any(event.likely for event in plain.events)
    right = model("llama")(torch.tensor([ids + said])).logits[0, len(ids) - 1 : -1]
    right = right.log_softmax(-1)
    for at, (token, told) in enumerate(likely):
        best_three = right[at].topk(3)
        assert told.logprob == pytest.approx(float(right[at, token]), abs=1e-3)
        assert [token for token, _ in told.top] == best_three.indices.tolist()


def test_penalties_keep_it_from_repeating() -> None:
    batch = Recorder(best(model("built-in"), 4))
    ids = prompts(1)[0]
    free, penalised = request(ids, 60), request(ids, 60, Sampling(temperature=0, frequency=2.0))
    run(batch, [free, penalised])
    kinds_of = [len(set(batch.chosen[id(one)])) for one in (free, penalised)]
    assert kinds_of[0] < kinds_of[1]
