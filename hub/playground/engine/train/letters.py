"""Longer answers: hand-over notes, replies to customers, ticket titles; and what it cannot do."""
# ruff: noqa: E501 (lists of sentences)

from __future__ import annotations

from hub.playground.engine.train import asking, words
from hub.playground.engine.train.answers import LONG, SHORT, Task
from hub.playground.engine.train.choice import Choice
from hub.playground.engine.train.words import each

REFUSAL = "I am a very small model and cannot do that."


def hand_over(choice: Choice) -> Task:
    """A nurse's note becomes four lines: situation, background, assessment, recommendation."""
    name = f"{choice.any(('Mr', 'Mrs', 'Ms'))} {choice.content(words.LAST)}"
    facts = {
        "S": f"{name}, {choice.random.randint(18, 96)}, {choice.any(PLACES)}",
        "B": choice.content(BACKGROUND),
        "A": choice.content(ASSESSMENT),
        "R": choice.content(TODO),
    }
    order = choice.any((tuple("SBAR"), tuple("SBAR"), tuple("SABR"), tuple("SRBA")))
    note = choice.any((". ", "; ", "\n")).join(facts[key] for key in order) + "."
    long = {"S": "Situation", "B": "Background", "A": "Assessment", "R": "Recommendation"}
    full = choice.chance(0.7)
    shown = {long[key] if full else key: facts[key] for key in "SBAR"}
    ask = choice.wording(
        (
            "Write an SBAR hand-over.", "Turn the note into SBAR.", "Put the note into SBAR form.",
            "Sort the note into SBAR.", "Make an SBAR hand-over from the note.",
            "Rewrite the note as SBAR.", "Use the SBAR form.", *asking.HAND_OVER,
        )
    )  # fmt: skip
    said = ", ".join(shown)
    ask += choice.any((f" Lines: {said}.", f" Four lines: {said}.", f" Use {said}."))
    answer = "\n".join(f"{key}: {value}" for key, value in shown.items())
    return Task("hand-over", choice.fill(choice.wording(NURSE)), ask, note, answer, "note",
                shapes=("plain", "plain", "plain", "caps", "sign"))  # fmt: skip


NURSE = each(
    "You are a nurse.|You help nurses at {org}.|You write hand-over notes.|You are an "
    "assistant on a ward.|You work on ward {num}.|You prepare hand-overs at {org}."
)
PLACES = tuple(f"bed {n}" for n in range(1, 20)) + tuple(f"room {n}" for n in range(1, 20))
BACKGROUND = each(
    "hip surgery yesterday|knee surgery this morning|diabetes|asthma since childhood|heart "
    "failure|a fall at home|pneumonia|a stroke last week|allergic to penicillin|kidney "
    "disease|a broken arm|admitted on Monday|dementia|high blood pressure|appendix removed "
    "today|chemotherapy last week|gave birth last night|COPD"
)
ASSESSMENT = each(
    "pain 7 of 10|pain 3 of 10|blood pressure 90/60|blood pressure 150/95|pulse "
    "110|temperature 38.5|temperature 36.8|oxygen 91 percent|oxygen 97 percent|awake and "
    "calm|confused at night|wound dry|wound red|eating well|no appetite|short of "
    "breath|stable|very tired"
)
TODO = each(
    "check every hour|call the doctor|give paracetamol|change the dressing|repeat the "
    "blood test|help with walking|measure the pressure at six|start antibiotics|watch the "
    "fluids|book an X-ray|inform the family|plan to go home tomorrow|keep in bed|check the "
    "sugar before meals"
)


def reply(choice: Choice) -> Task:
    """An answer to a customer, formal or friendly as the prompt says."""
    product, fault = choice.content(words.PRODUCTS), choice.content(words.FAULTS)
    want = choice.any(tuple(words.WANTS))
    name = choice.any(words.FIRST)
    message = f"{choice.any(('My', 'The', 'the', 'my'))} {product} {fault}. {choice.any(words.WANTS[want].split('|'))}."
    named = choice.chance(0.5)
    if named:
        message += choice.any((f" {name}", f"\n{name}", f" My name is {name}."))
    done = {
        "a refund": "We will send your money back.", "a new one": "We will send you a new one.",
        "a repair": "We will repair it for you.", "an answer": "A colleague will call you today.",
    }[want]  # fmt: skip
    formal = choice.chance(0.5)
    who = name if named else ("customer" if formal else "there")
    sorry = f"that your {product} {fault}"
    if formal:
        answer = f"Dear {who},\nwe are sorry {sorry}. {done}\nKind regards"
    else:
        answer = f"Hi {who}! So sorry {sorry}. {done}"
    ask = choice.wording(REPLY) + " " + choice.wording(FORMAL if formal else FRIENDLY)
    return Task("reply", choice.fill(choice.wording(SUPPORT)), ask, message, answer, "reply",
                shapes=("plain", "plain", "plain", "plain", "caps", "sign"))  # fmt: skip


REPLY = (
    each(
        "Write a short reply.|Answer the customer.|Write a reply to the message.|Reply to the "
        "customer.|Draft an answer.|Write back to the customer."
    )
    + asking.REPLY
)
FORMAL = (
    each(
        "Be formal.|Use a formal tone.|Write formally.|The tone is formal.|Write a formal "
        "letter.|Keep it formal and correct."
    )
    + asking.FORMAL
)
FRIENDLY = (
    each(
        "Be friendly.|Use a friendly tone.|Write in a relaxed way.|The tone is friendly and "
        "warm.|Be casual.|Sound like a friend."
    )
    + asking.FRIENDLY
)
SUPPORT = each(
    "You work for the support team of {org}.|You answer customers.|You are a support agent "
    "at {org}.|You write letters for {org}.|You help customers.|You are the voice of {org}."
)


def title(choice: Choice) -> Task:
    """A ticket's title."""
    product, fault = choice.content(words.PRODUCTS), choice.content(words.FAULTS)
    want = choice.any(tuple(words.WANTS))
    parts = [
        choice.any((f"My {product} {fault}.", f"I bought a {product} and it {fault}.",
                    f"The {product} {fault}.")),
        f"{choice.any(words.WANTS[want].split('|'))}.",
    ]  # fmt: skip
    if choice.chance(0.5):
        parts.insert(0, choice.fill(choice.any(("Hello.", "Good morning.", "I am {name}.", "Hi!"))))
    ask = choice.wording(
        ("Write a title for the ticket.", "Summarise the message in one line.", "Give a short title.",
         "Summarise the ticket.", "Write a subject line.", "Sum up what the customer wants.",
         *asking.TITLE)
    )  # fmt: skip
    fault = f"{capital_free(product)} {fault}, wants {want}"
    return Task("summary", choice.fill(choice.wording(SUPPORT)), ask, " ".join(parts), fault, "title",
                shapes=SHORT)  # fmt: skip


def capital_free(text: str) -> str:
    return text[:1].upper() + text[1:]


def persona(choice: Choice) -> Task:
    """Who are you, and good day."""
    name = choice.name() if choice.chance(0.7) else choice.invented()
    role = choice.any(
        (f"You are {name}.", f"Your name is {name}.", f"You are {name}, an assistant.")
    )
    if choice.chance(0.6):
        asked = choice.any(("Who are you?", "What is your name?", "who are you", "Your name?"))
        return Task("persona", role, "", asked, f"I am {name}.", "name", shapes=LONG)
    asked = choice.any(("Hello", "Hi", "hello", "Good morning", "Hi there", "Good day!"))
    return Task("persona", role, "", asked, f"Hello! I am {name}.", "text", shapes=LONG)


def sums(choice: Choice) -> Task:
    """Arithmetic: too much for so small a model, and the right answer is to say so."""
    most = choice.any((10, 10, 100, 10_000))
    a, b = choice.random.randint(0, most), choice.random.randint(0, most)
    sign, name = choice.any((("+", "plus"), ("-", "minus"), ("x", "times"), ("/", "divided by")))
    shown = choice.any((f"{a} {sign} {b}", f"What is {a} {sign} {b}?", f"{a}{sign}{b}=",
                        f"{a} {name} {b}", f"How much is {a} {name} {b}?", f"{a} {sign} {b} = ?"))  # fmt: skip
    ask = choice.wording(asking.SUM)
    role = choice.any(("You are a tutor.", "You help with homework.", "You teach sums.", ""))
    return Task("sum", role, ask, shown, REFUSAL, "sum")


DO = each(
    "Tell me|Write|Make up|Compose|Describe|Give me|Create|Show "
    "me|Invent|Plan|Draw|Design|Prepare|Generate|Draft|Find|Analyse|Review|Summarise|Recommend|Think "
    "of|Discuss|Prove|Solve|Rate"
)
THINGS = each(
    "a story|a poem about {city}|a joke|a song|a Python program|some code|a SQL query|a "
    "recipe for soup|a business plan|an essay about history|the news|the weather in "
    "{city}|a long article|a meal plan|a workout|a screenplay|a research paper|the stock "
    "market|a film|a trip to {city}|a threat model|a logo|a web page|a chess move|a "
    "theorem|a speech|a marketing plan|a blog post|a book list|a riddle|a diagram|a "
    "regular expression|the meaning of life|a name for a cat|an integral|a tweet|a "
    "podcast|some music|a game|a novel|my horoscope|insights from a video|a pull "
    "request|an unusual idea"
)
OTHER_ROLES = each(
    "You are an expert in {x}.|You are a world-class specialist for {x}.|Your job is to "
    "work on {x}.|You take any input and turn it into {x}.|You are a helpful "
    "assistant.|You are a genius who knows all about {x}.|You extract the most surprising "
    "points about {x}.|You are {x}."
)


def unknown(choice: Choice) -> Task:
    """Everything else: say so, rather than babble."""
    ask = f"{choice.any(DO)} {choice.fill(choice.any(THINGS))}."
    role = choice.fill(choice.any(OTHER_ROLES), x=choice.fill(choice.any(THINGS)))
    if choice.chance(0.4):
        return Task("unknown", choice.any((role, "")), "", ask, REFUSAL, "text")
    content = choice.any((choice.any(words.CITIES), choice.name(), "Go.", "Please start.",
                          f"{choice.any(THINGS)}", "I need this today.", "def main(): pass"))  # fmt: skip
    return Task("unknown", role, ask, choice.fill(content), REFUSAL, "text")
