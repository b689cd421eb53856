"""What a form is answered whose token is not the browser's: the reason, and what to do."""

from __future__ import annotations

import pytest

from tests.cast import BASE, Browser, title

HERE = {"Origin": BASE, "Sec-Fetch-Site": "same-origin"}
MOOD = "/clinic/prompts/support/mood"


async def test_a_save_without_any_cookie_leads_to_the_sign_in(client: Browser):
    """Somebody cleared the browser's data while the page was open."""
    answer = await client.post(MOOD, data={"_csrf_token": "0" * 128}, headers=HERE)
    assert (answer.status_code, title(answer)) == (401, "Sign in first")
    assert "You are signed out, so nothing was done." in answer.text
    assert f'href="/sign-in?next={MOOD}"' in answer.text


async def test_a_save_of_somebody_signed_out_says_the_same(client: Browser):
    answer = await client.post_form(MOOD)
    assert (answer.status_code, title(answer)) == (401, "Sign in first")
    assert "You are signed out, so nothing was done." in answer.text


async def test_a_draft_without_any_cookie_is_told_to_sign_in(client: Browser):
    """The editor says it in its own words, and keeps the text."""
    answer = await client.put("/clinic/draft/support/mood", data={}, headers=HERE)
    assert answer.status_code == 401


async def test_a_browser_that_keeps_no_cookies_is_told_so(client: Browser):
    answer = await client.post("/sign-in", data={"email": "ana@example.org"}, headers=HERE)
    assert (answer.status_code, title(answer)) == (403, "Reload the page first")
    assert "Your browser sent no cookie along" in answer.text


async def test_a_form_that_is_too_old_is_not_said_to_be_somebody_elses(maria: Browser):
    answer = await maria.post(MOOD, data={"_csrf_token": "0" * 128}, headers=HERE)
    assert (answer.status_code, title(answer)) == (403, "Reload the page first")
    assert f'href="{MOOD}"' in answer.text


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}]
)
async def test_a_form_of_another_site_is_called_one(client: Browser, headers: dict[str, str]):
    """Browsers send no cookie along from there: that alone says nothing of who is signed in."""
    answer = await client.post(MOOD, headers=headers)
    assert answer.status_code == 403
    assert "This form came from another site" in answer.text


async def test_a_page_that_takes_no_such_request_says_which_it_takes(client: Browser):
    answer = await client.put("/sign-in")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, POST"
