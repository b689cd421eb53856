"""What an address may say, and the answer when it says something else."""

from __future__ import annotations

import pytest

from tests.cast import Browser


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("prompts/a?version=abc", "`version` must be a whole number from 1 to 2147483647."),
        ("prompts/a?version=0", "`version` must be a whole number from 1 to 2147483647."),
        ("prompts/a?version=", "`version` must be a whole number from 1 to 2147483647."),
        ("prompts?limit=x", "`limit` must be a whole number."),
        ("versions/a?limit=9999", "`limit` must be a whole number from 1 to 500."),
        (
            "versions/a?cursor=x&limit=x",
            "`cursor` must be a whole number from 1 to 2147483647. "
            "`limit` must be a whole number from 1 to 500.",
        ),
    ],
)
async def test_a_wrong_parameter_is_named(
    client: Browser, read_key: dict[str, str], address: str, says: str
):
    answer = await client.get(f"/api/v1/{address}", headers=read_key)
    assert (answer.status_code, answer.json()["detail"]) == (400, says)


async def test_a_wrong_parameter_of_a_page_is_named(ben: Browser, maria: Browser):
    page = await ben.get("/clinic/release/production/a?version=abc")
    assert page.status_code == 400
    assert "version</code> must be a whole number." in page.text
    page = await maria.get("/clinic/settings/audit?before=%3Cb%3E")
    assert page.status_code == 400
    assert "before</code> must be a whole number." in page.text
