"""A real hub at the other end: what its tests use."""

from __future__ import annotations

import time

import pytest

from sdk.states import Timing

QUICK = Timing(
    silence=20, greeting=3, polls_after=0.3, stale_after=0.5, first_retry=0.05, longest_retry=0.3,
    healthy=0.5, refused=0.3, longest_refused=0.5, save_after=0.05, report=0.3, report_soon=0.1,
)  # fmt: skip


def until(true, seconds=60):
    began = time.monotonic()
    while not true():
        if time.monotonic() - began > seconds:
            pytest.fail("waited in vain")
        time.sleep(0.002)
    return time.monotonic() - began


def save(api, name, text, base=None):
    document = {"template": "jinja", "messages": [{"role": "user", "content": text}]}
    body = {"document": document, "base": base, "message": "Because"}
    answer = api.post(f"/api/v1/versions/{name}", json=body)
    assert answer.status_code in (200, 201), answer.text
    return answer.json()["hash"]


def release(api, name, version, label="production"):
    body = {"version": version, "reason": "It is better"}
    answer = api.put(f"/api/v1/labels/{label}/{name}", json=body)
    assert answer.status_code == 200, answer.text


def released(api, name, *texts):
    base = None
    for text in texts:
        base = save(api, name, text, base)
    release(api, name, 1)
