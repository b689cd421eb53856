"""Tasks whose answer is a text: look up, extract, rewrite, translate, explain, hand over, reply."""
# ruff: noqa: E501 (lists of sentences)

from __future__ import annotations

from collections.abc import Callable

from hub.playground.engine.train import asking, words
from hub.playground.engine.train.answers import LONG, SHORT, Task, capital
from hub.playground.engine.train.choice import Choice
from hub.playground.engine.train.words import each

EXACT = each("plain|plain|plain|json|caps|prefix|bold|polite|sentence|pirate")


def look_up(choice: Choice) -> Task:
    """Find a name in a list; with "ignore case" any spelling will do, without it none but the exact."""
    kind = choice.any(("room", "room", "phone", "ward", "desk", "doctor", "team"))
    value: Callable[[], str] = {
        "room": lambda: f"room {choice.random.randint(1, 40)}",
        "phone": lambda: str(choice.random.randint(100, 999)),
        "ward": lambda: f"ward {choice.random.randint(1, 12)}",
        "desk": lambda: f"{choice.any('ABCD')}{choice.random.randint(1, 20)}",
        "doctor": lambda: f"Dr {choice.any(words.LAST)}",
        "team": lambda: choice.any(("billing", "delivery", "nursing", "kitchen", "IT", "sales")),
    }[kind]
    names: list[str] = []
    while len(names) < choice.random.randint(2, 6):
        name = choice.name()
        if all(name.lower().split()[0] != other.lower().split()[0] for other in names):
            names.append(name)
    entries = {name: value() for name in names}
    ignore = choice.chance(0.5)
    asked, answer = _asked(choice, entries, ignore)
    rules = (choice.wording(IGNORE),) if ignore else (choice.wording(EXACTLY),)
    rule = () if not ignore and choice.chance(0.6) else rules
    missing = choice.any(("not found", "not found", "unknown", "no such name"))
    told = choice.any((f'If the name is not in the list, answer "{missing}".',
                       f"If you cannot find the name, say {missing}.",
                       f"Answer {missing} for a name that is not in the list."))  # fmt: skip
    listed = choice.any(("\n", "\n", "; ", ", ")).join(
        choice.any((f"{n}: {v}", f"{n}: {v}", f"{n} = {v}")) for n, v in entries.items()
    )
    at_once = choice.any(
        ("{x}", "{x}", "Where is {x}?", "Look up {x}", "Name: {x}", "{x}?", "Find {x}")
    )
    ask = choice.wording(LOOK_UP).replace("{k}", kind)
    return Task(
        name="look up", role=choice.fill(choice.wording(LOOK_UP_ROLES)),
        ask=ask, content=at_once.replace("{x}", asked), answer=answer or missing, key=kind,
        rules=(*rule, told, f"The list:\n{listed}" if "\n" in listed else f"List: {listed}."),
        shapes=("plain", "plain", "plain", *EXACT),
    )  # fmt: skip


LOOK_UP_ROLES = each(
    "You look up people.|You are a look-up agent.|You work at the reception of {org}.|You "
    "are the telephone book of {org}.|You find people in a list.|You help visitors of "
    "{org}."
)
LOOK_UP = (
    each(
        "Find the name in the list and give the {k}.|Look up the name and answer with the "
        "{k}.|Give the {k} for the name.|Search the list for the name. Answer with the "
        "{k}.|Say which {k} belongs to the name.|Tell the {k} of the person.|Return the {k} of "
        "the person in the list."
    )
    + asking.LOOK_UP
)
IGNORE = (
    each(
        "Ignore case.|Ignore upper and lower case.|Names may be written in any case.|Capital "
        "letters do not matter.|Treat upper and lower case as the same.|Ignore capital letters "
        "when you compare names.|The search is not case sensitive.|Ignore the case of the name."
    )
    + asking.IGNORE
)
EXACTLY = (
    each(
        "Match names exactly.|The name must match exactly.|Names must be spelled exactly as in "
        "the list.|The search is case sensitive.|Upper and lower case matter."
    )
    + asking.EXACTLY
)


def _asked(choice: Choice, entries: dict[str, str], ignore: bool) -> tuple[str, str | None]:
    """The name as a person types it, and the right value; None is "not found"."""
    if choice.chance(0.2):
        stranger = choice.name()
        if all(stranger.lower() != name.lower() for name in entries):
            return choice.any((stranger, stranger.lower())), None
    name = choice.any(tuple(entries))
    if choice.chance(0.45):
        return name, entries[name]
    other = choice.any((name.lower(), name.lower(), name.upper()))
    return other, entries[name] if ignore else None


def extract(choice: Choice) -> Task:
    """Take a name, an order number, a date, an amount or a product out of a message."""
    facts = {
        "name": choice.name(),
        "order": str(choice.random.randint(1000, 99999)),
        "date": f"{choice.random.randint(1, 28)} {choice.any(words.MONTHS)}",
        "amount": f"{choice.random.randint(2, 950)} euros",
        "product": choice.content(words.PRODUCTS),
        "city": choice.any(words.CITIES),
    }
    forms = {
        "name": ("My name is {v}.", "I am {v}.", "This is {v}.", "Regards, {v}", "{v} here."),
        "order": ("My order is {v}.", "Order number {v}.", "It is about order {v}.", "Order: {v}."),
        "date": ("I bought it on {v}.", "It came on {v}.", "We met on {v}.", "Since {v}."),
        "amount": ("I paid {v}.", "It cost {v}.", "The price was {v}.", "You owe me {v}."),
        "product": ("I ordered a {v}.", "The {v} is broken.", "I have a {v}.", "About the {v}:"),
        "city": ("I live in {v}.", "I write from {v}.", "Please send it to {v}."),
    }
    told = choice.random.sample(tuple(facts), choice.random.randint(2, 5))
    message = " ".join(choice.any(forms[key]).replace("{v}", facts[key]) for key in told)
    wanted = [key for key in facts if key in told]
    wanted = choice.random.sample(wanted, 1 if choice.chance(0.55) else min(len(wanted), 3))
    parts = {key: facts[key] for key in wanted}
    called = {"order": "order number"}
    nouns = [f"the {called.get(key, key)}" for key in wanted]
    listed = nouns[0] if len(nouns) == 1 else f"{', '.join(nouns[:-1])} and {nouns[-1]}"
    return Task(
        name="extract", role=choice.fill(choice.wording(EXTRACT_ROLES)),
        ask=choice.wording(EXTRACT).replace("{l}", listed), content=message,
        answer=", ".join(parts.values()), key=wanted[0], fields=parts,
        shapes=EXACT if len(parts) == 1 else ("plain", "json", "json", "json", "caps", "prefix"),
    )  # fmt: skip


EXTRACT_ROLES = each(
    "You read letters.|You extract facts from text.|You work for {org} and read mail.|You "
    "fill in forms.|You are a data entry assistant.|You help the office of {org}."
)
EXTRACT = (
    each(
        "Find {l} in the message.|Extract {l}.|Give {l}.|Take {l} from the text.|Answer with "
        "{l}.|What is {l}?|Read the message and give {l}.|Pick out {l}.|Pull out {l} from the "
        "message."
    )
    + asking.EXTRACT
)
POLITE = each(
    "{Do} it now.|Send me the {p}.|Give me the {p}.|Bring the {p}.|Open the {p}.|Call "
    "{n}.|Wait for {n}.|Help {n}.|Write to {n}.|Repair the {p}.|Return the {p}.|Clean the "
    "{p}.|Show me the {p}.|Move the {p}.|Check the {p}.|Stop.|Come here.|Be quiet.|Pay the "
    "bill.|Sign the form."
)
REWRITE = (
    each(
        "Rewrite the sentence politely.|Make the sentence polite.|Turn the message into a "
        "polite request.|Say it in a polite way.|Rewrite the text so that it is polite.|Make "
        "it sound friendly.|Rephrase the message politely.|Turn orders into polite requests."
    )
    + asking.REWRITE
)


def polite(choice: Choice) -> Task:
    """An order becomes a request."""
    order = choice.any(POLITE).replace("{Do}", choice.any(("Do", "Finish", "Start", "Try")))
    order = order.replace("{p}", choice.content(words.PRODUCTS)).replace("{n}", choice.name())
    shown = choice.any((order, order, order.lower(), order.rstrip(".") + "!"))
    body = order.rstrip(".")
    body = body[:1].lower() + body[1:]
    if shown.islower():
        body = body.lower()
    return Task(
        name="polite", role=choice.fill(choice.wording(WRITER_ROLES)), ask=choice.wording(REWRITE),
        content=shown, answer=f"Could you please {body}?", key="text", shapes=LONG,
    )  # fmt: skip


WRITER_ROLES = each(
    "You are a writing assistant.|You edit texts.|You help {org} to write.|You are a kind "
    "editor.|You work for {org}.|You improve texts."
)


def numbers(choice: Choice) -> Task:
    """Write a number in words."""
    n = choice.number(0, 999 if choice.chance(0.5) else 99)
    ask = choice.wording(
        (
            "Write the number in words.", "Spell out the number.", "Turn the number into words.",
            "Say the number in words.", "Write the figure out in words.", "Give the number as words.",
            *asking.NUMBER,
        )
    )  # fmt: skip
    role = choice.any(("You write cheques.", "You teach numbers.", "You read numbers aloud.", ""))
    return Task("number words", role, ask, str(n), words.number_words(n), "words", shapes=SHORT)


def translate(choice: Choice) -> Task:
    """One everyday word."""
    word = choice.any(tuple(words.TRANSLATIONS))
    index = choice.random.randrange(4)
    language = words.LANGUAGES[index]
    ask = choice.wording(
        (
            "Translate into {l}.", "Translate the word to {l}.", "Say it in {l}.",
            "Give the {l} word.", "What is it in {l}?", "Put the word into {l}.",
            "Write the word in {l}.", "Answer with the {l} translation.", *asking.TRANSLATE,
        )
    ).replace("{l}", language)  # fmt: skip
    role = choice.any(
        ("You are a translator.", f"You teach {language}.", "You are a dictionary.", "")
    )
    shown = choice.any((word, word, capital(word), f"the {word}"))
    return Task(
        "translate", role, ask, shown, words.TRANSLATIONS[word][index], "word", shapes=SHORT
    )


def teach(choice: Choice) -> Task:
    """The same question gets the answer, or only a hint: the prompt decides."""
    question, answer, hint = choice.any(words.FACTS)
    hinting = choice.chance(0.5)
    role = choice.fill(choice.wording(TEACH_ROLES))
    ask = choice.wording(HINT if hinting else EXPLAIN)
    shown = choice.any((question + "?", question, question.lower(), f"I do not know. {question}?",
                        f"Please tell me: {question[:1].lower() + question[1:]}?"))  # fmt: skip
    text = hint if hinting else answer
    return Task("teach", role, ask, shown, text + ".", "text", shapes=LONG)


TEACH_ROLES = each(
    "You are a tutor.|You teach at {org}.|You are a patient teacher.|You help pupils with "
    "their homework.|You are a science tutor.|You tutor children in {city}."
)
EXPLAIN = (
    each(
        "Explain it in one sentence.|Answer the question in one sentence.|Give the "
        "answer.|Answer the question.|Explain in simple words.|Give a short and clear "
        "explanation.|Tell the pupil the answer."
    )
    + asking.EXPLAIN
)
HINT = (
    each(
        "Give a hint, never the answer.|Do not give the answer, only a hint.|Give only a "
        "hint.|Help with a hint.|Never tell the answer; give a hint.|Guide the pupil with a "
        "hint.|Only hint at the answer."
    )
    + asking.HINT
)
