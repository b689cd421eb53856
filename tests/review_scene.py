"""A clinic in the middle of its reviews, told before a real server starts: for real browsers.

Every state a page of review can be in is there: open, with remarks and hidden characters, at odds
with what was saved since, approved, merged by breaking glass, declined, withdrawn.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from hub.people.rules import Rule
from hub.registry.prompt.document import Document, Message, Variable
from hub.registry.reading import catalog
from hub.registry.review import comments, proposals, reviewing
from hub.registry.review.proposals import Wanted
from tests.cast import make_cast, settings_for
from tests.clinic_story import Story
from tests.serving import Server, free_port, one_app, start, wait_until_ready

CALLS = (
    "You sort calls that came in overnight. Decide how soon someone must call back: now, today or "
    "this week. If the caller mentions chest pain or trouble breathing, the answer is always now.\n"
    "\nAsk for the name, and look the caller up in the list.\n\nThe desk reads your answer aloud, "
    "so it must make sense to somebody who hears it once. Never use abbreviations, and never give "
    "advice about medicine; the nurse does that when she calls back.\n\nAnswer in one sentence."
)
ASKED = "Ask for the name, and look the caller up in the list."
BETTER = CALLS.replace("chest pain or trouble", "chest pain, trouble").replace(
    "breathing, the", "breathing or thoughts of harming themselves, the"
).replace(ASKED, f"{ASKED} Names may be written in any case. If two people match, ask for the "
          "date of birth.")  # fmt: skip
BEST = BETTER.replace("date of birth.", "date of birth, never for the address.")
ONE = Rule(kind="change", folder="clinical")
LIVE = Rule(kind="release", label="production", folder="clinical")
WORDS = "If two people match, ask for the date of birth."
AT = "messages/0"


def calls(text: str = CALLS, **more: Any) -> Document:
    given: dict[str, Any] = {
        "title": "Call-back triage", "description": "Reads a call and says how soon to call back.",
        "variables": (Variable(name="transcript", description="What the caller said"),),
        "parameters": {"temperature": 0.7},
    }  # fmt: skip
    asks = Message(role="user", content="The call:\n\n{{ transcript }}")
    return Document(messages=(Message(role="system", content=text), asks), **(given | more))


def brief(text: str) -> Document:
    return Document(title="Letters", messages=(Message(role="system", content=text),))


def change(name: str, document: Document) -> Wanted:
    return Wanted(kind="change", name=name, document=document)


async def save(story: Story, name: str, document: Document, base: str | None = None) -> str:
    from hub.registry import versions

    saved = await versions.save(
        story.publisher, story.cast.workspace, name, document, base=base,
        actor=await story.actor("ana"), message="First words" if base is None else "Meanwhile",
    )  # fmt: skip
    return saved.hash


async def tell(story: Story) -> None:
    """Nine proposals; the numbers are those of the steps below."""
    await save(story, "clinical/triage", calls())
    for name in ("clinical/letters", "clinical/mood", "clinical/ward", "support/hours"):
        await save(story, name, brief("Write to the patient.\n\nAsk for the name.\n\nBe kind."))
    await story.live(name="clinical/triage")
    await first(story)
    kindly = brief("Write to the patient kindly.\n\nAsk for the name.")
    several = [change("clinical/letters", kindly),
               Wanted(kind="rename", name="clinical/ward", new_name="clinical/wards"),
               Wanted(kind="delete", name="clinical/mood")]  # fmt: skip
    await story.proposed(*several, title="Tidy up the clinical prompts")  # 2
    hidden = "Write to the patient.\u200b\n\nAsk for the n\u0430me.\n\nBe kind."
    await story.proposed(change("clinical/letters", brief(hidden)), title="A word about names")  # 3
    await at_odds(story)  # 4, 5
    await landed(story)  # 6, 7
    for number, title in ((8, "Say it in rhymes"), (9, "Shorter still")):
        await story.proposed(
            change("support/hours", brief(f"{title}, please.")), title=title, target="staging"
        )
        actor = await story.actor("ana")
        place = (story.publisher, story.cast.workspace, number)
        if number == 8:
            await reviewing.decline(*place, actor=actor, reason="Patients would laugh.")
        else:
            await reviewing.withdraw(*place, actor=actor)


async def first(story: Story) -> None:
    """1: two revisions for production, remarks on words, Ben is asked."""
    new = calls(BETTER, parameters={"temperature": 0.2})
    made = await story.proposed(
        change("clinical/triage", new), title="Treat names in any case, and ask before guessing",
        why="The look-up failed for callers whose name arrives in lower case. This tells the model "
        "to ignore case, and to ask for a birthday when two people match.",
        target="production", asked=("ben",),
    )  # fmt: skip
    await story.rules(ONE, LIVE)
    async with story.database.read() as db:
        about = await catalog.get(db, story.cast.workspace.id, "clinical/triage")
    on = comments.On(prompt_id=about.id, place=AT, quote=WORDS, revision=made.revision)
    remark = await say(story, "ben", "The desk asks for it too, good. And the address?", on=on)
    await say(story, "ana", "Never the address, I will say so.", parent_id=remark)
    await say(story, "maria", "@ben does this fit what the ward does?\n\nhttps://example.org/ward")
    best = change("clinical/triage", calls(BEST, parameters={"temperature": 0.2}))
    await story.revised(best, message="Never ask for the address")


async def say(story: Story, who: str, body: str, number: int = 1, **more: Any) -> int:
    async with story.database.write() as db:
        return await comments.add(
            db, story.cast.workspace.id, number, actor=await story.actor(who), body=body, **more
        )


async def at_odds(story: Story) -> None:
    """4: the same words were saved otherwise; 5: other words were."""
    rows = [("support/clash", "full name"), ("support/moved", "full name")]
    for name, said in rows:
        base = await save(story, name, brief("Be brief.\n\nAsk for the name.\n\nBe kind."))
        new = brief(f"Be brief.\n\nAsk for the {said}.\n\nBe kind.")
        await story.proposed(change(name, new), title=f"The {said}, in {name}")
        other = "Ask for the first name." if name.endswith("clash") else "Ask for the name."
        end = "Be kind." if name.endswith("clash") else "Be very kind."
        await save(story, name, brief(f"Be brief.\n\n{other}\n\n{end}"), base)


async def landed(story: Story) -> None:
    """6: approved, for production; 7: merged although the rules said no."""
    made = await story.proposed(
        change("clinical/letters", brief("Write to the patient in plain words.\n\nBe kind.")),
        title="Plain words in letters", target="production",
    )  # fmt: skip
    await story.approved(made.digest, number=made.number)
    made = await story.proposed(
        change("clinical/mood", brief("Say how the patient feels, at once.")), title="At once"
    )
    await proposals.merge(
        story.publisher, story.cast.workspace, made.number,
        actor=await story.actor("maria"), digest=made.digest,
        broke_glass="The ward stands still and nobody is awake",
    )  # fmt: skip


@contextmanager
def told(
    data: Path, story: Callable[[Story], Awaitable[None]] = tell, **more: Any
) -> Generator[Server]:
    """The cast, what they did, and the hub that serves it; `data` holds an empty, migrated hub."""
    settings = settings_for(data, public_url="", host="127.0.0.1", **more)
    cast = asyncio.run(_told(settings, story))
    # Only now: telling takes a while, in which somebody else could take the port.
    settings = msgspec.structs.replace(settings, port=(port := free_port()))
    url = f"http://127.0.0.1:{port}"
    with start(settings) as process:
        wait_until_ready(url, process)
        yield Server(url, data, settings, cast, process)


async def _told(settings: Any, story: Callable[[Story], Awaitable[None]]) -> Any:
    app = one_app()
    app.state.settings = settings
    async with app.lifespan():
        cast = await make_cast(app.state.database)
        for workspace in (cast.workspace, cast.rival):
            await app.state.make_repository(workspace.slug)
        await story(Story(app.state.publisher, app.state.database, cast))
    return cast
