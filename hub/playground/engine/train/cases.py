"""The sorting tasks: what people write, and which pile it belongs on."""
# ruff: noqa: E501 (lists of sentences)

from __future__ import annotations

from dataclasses import dataclass

from hub.playground.engine.train import asking
from hub.playground.engine.train.words import each


@dataclass(frozen=True)
class Sorting:
    """Messages fall into piles; the prompt names the piles, the answer is one of the names."""

    name: str
    piles: tuple[tuple[str, ...], ...]
    labels: tuple[tuple[str, ...], ...]
    frames: tuple[str, ...]
    roles: tuple[str, ...]
    asks: tuple[str, ...]
    key: str
    ordered: bool = False
    """The first pile outranks the others when a message holds several."""
    question: tuple[str, ...] = ()


def _piles(text: str) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(line.split("|")) for line in text.splitlines())


def _labels(text: str) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(names.split("/")) for names in text.split("|"))


TRIAGE = Sorting(
    "triage",
    _piles(
        """chest pain|pain in the chest|a tight chest|pressure on the chest|pain going into the left arm|trouble breathing|short breath at rest|blue lips|heavy bleeding|bleeding that will not stop|a cut that bleeds a lot|a drooping face|slurred speech|one weak arm|sudden weakness on one side|a seizure|fainted and does not wake up|thoughts of harming myself|thoughts of suicide|a swollen tongue|a swollen throat after a bee sting|the worst headache ever|a stiff neck with fever|severe burns|swallowed a battery|taken too many tablets|vomiting blood|sudden loss of sight|coughing up blood|a very fast heartbeat and dizziness
a fever of 39|a high fever|a fever for two days|vomiting since last night|diarrhoea and vomiting|pain when passing water|blood in the urine|a bad earache|a very sore throat|strong stomach pain|a bad migraine|a deep cut that stopped bleeding|a swollen ankle after a fall|a wound that looks infected|a red and hot leg|a rash that spreads|a burning eye|a bad toothache|an asthma attack that is over|a new strong cough with fever|a dog bite|dizziness since this morning|no tablets left for blood pressure|a very painful back|a baby that does not drink well|sugar levels that are too high|a swollen and sore knee|shivering and fever|a painful lump|a severe allergy that is getting better
a repeat prescription|a refill of tablets|a sick note|a blood test result|a routine check-up|a travel vaccine|a flu jab|a mild cold|a runny nose|a small wart|dry skin|a little acne|mild back ache for months|an itchy scalp|a question about vitamins|a referral letter|a change of address|a form for the gym|a hearing check|an eye test|a mole that has not changed|trouble sleeping for months|a knee that clicks|hay fever as every year|a slight cough for a week|tired feet|a new appointment|an insurance form|a broken nail|a diet plan"""
    ),
    _labels(
        "now/today/this week|now/today/this week|now/today/this week|red/amber/green|urgent/soon/routine|"
        "high/medium/low|emergency/urgent/routine|1/2/3|A/B/C|immediate/same day/later|red/yellow/green"
    ),
    tuple(
        each(
            "I have {x}.|I've got {x}|{x}|There is {x}.|I am calling about {x}.|It is "
            "about {x}.|My {who} has {x}.|{x} since {when}.|I have had {x} since "
            "{when}.|Hello, I have {x}.|My {who} has had {x} since {when}.|i have {x}|my "
            "{who} has {x}|Good morning, I need help with {x}.|I need someone to look at "
            "{x}|We have {x} here.|Hi, this is {name}. I have {x}.|{name} says: I have "
            "{x}.|{name} reports {x}."
        )
    ),
    tuple(
        each(
            "You are the first person a patient reaches at {org}.|You are a triage "
            "nurse.|You answer the phone at {org}.|You work at the front desk of "
            "{org}.|You are an assistant for a clinic in {city}.|You sort calls for a "
            "doctor.|You help nurses at {org}.|You read messages from patients.|You are a "
            "careful triage assistant.|You take the first call at a medical practice."
        )
    ),
    tuple(
        each(
            "Decide how soon someone must call back: {l}.|Decide how urgent the message "
            "is: {l}.|How soon must we call back? Answer {l}.|Say how urgent this is. "
            "Choose {l}.|Sort the call into {l}.|Triage the message: {l}.|Read the message "
            "and answer with {l}.|Answer only with {l}.|Rate the urgency as {l}.|Tell us "
            "when the patient must be seen: {l}.|Your answer is one of {l}.|Classify the "
            "call. The choices are {l}.|Pick one: {l}.|Urgency levels are {l}. Give the "
            "right one."
        )
    )
    + asking.TRIAGE,
    "urgency",
    ordered=True,
    question=("Is the patient alone?", "When did it start?", "Which day suits you?"),
)
ROUTING = Sorting(
    "routing",
    _piles(
        """the invoice is wrong|I was charged twice|my card was declined|I need a receipt|the price on the bill is too high|I paid but it says unpaid|my refund has not come|there is a strange charge|I want to change how I pay|the discount was not taken off|you took too much money|my bank shows two payments
my parcel has not arrived|the delivery is late|the courier went to the wrong house|where is my order|the tracking number does not work|the box never came|it was left in the rain|I want another delivery date|the parcel is lost|nobody brought my package|the driver did not ring|it is stuck at customs
I cannot log in|I forgot my password|I want to delete my account|please change my email address|my account is locked|the code does not arrive|I want to change my name|someone else uses my login|how do I close my account|my profile is wrong|I need to reset my password|I cannot sign up
the app crashes|the screen stays black|there is an error message|the website is slow|the button does nothing|it will not connect to the wifi|the update failed|I see a blank page|the printer does not print|the sound is gone|the video does not load|the program freezes
it is the wrong size|I want to send it back|I want to return my order|the colour is not what I ordered|how do I send this back|I changed my mind and do not want it|it does not fit|I need a return label|I ordered too many|this is not what I bought|can I exchange it|I would like to swap it"""
    ),
    _labels(
        "billing/delivery/account/technical/returns|billing/delivery/account/technical/returns|"
        "payments/shipping/login/tech support/returns|Billing/Delivery/Account/Technical/Returns|"
        "finance/logistics/accounts/IT/exchanges"
    ),
    tuple(
        each(
            "{x}|{x}.|Hello, {x}.|Hi, {x}. Please help.|{x}, what now?|Dear team, {x}. "
            "Thank you, {name}|I write because {x}.|{x} and I am not happy.|Good day. {x}. "
            "Order {num}.|{x}!|Order {num}: {x}.|My name is {name} and {x}.|Can you help? "
            "{x}.|This is the second time: {x}."
        )
    ),
    tuple(
        each(
            "You work for the support team of {org}.|You sort support tickets.|You are a "
            "help desk assistant at {org}.|You read messages from customers.|You route "
            "customer messages.|You are the first line of customer support.|You are an "
            "assistant at {org} in {city}.|You help the support team.|You handle tickets."
        )
    ),
    tuple(
        each(
            "Decide which team takes the message: {l}.|Which team should answer? Choose "
            "{l}.|Route the ticket to {l}.|Sort the message into {l}.|Answer with the "
            "right team: {l}.|The teams are {l}. Name the one that should take "
            "it.|Classify the message as {l}.|Answer only with {l}.|Pick one: {l}.|Send it "
            "to {l}.|Choose the topic of the message: {l}.|Label the ticket with {l}."
        )
    )
    + asking.ROUTING,
    "team",
)
SENTIMENT = Sorting(
    "sentiment",
    _piles(
        """I love it|it works very well|the staff were kind|great service|I am very happy|a wonderful stay|excellent quality|it arrived early and looks lovely|the best I ever had|I would buy it again|very helpful people|delicious food|fast and friendly|it made my day|beautiful and strong|I can only recommend it|perfect for my kitchen|thank you for the quick help|the room was clean and quiet|a lovely book|superb sound|easy to use
I hate it|it broke after a day|the staff were rude|terrible service|I am very angry|an awful stay|poor quality|it arrived late and dirty|the worst I ever had|never again|nobody helped me|the food was cold|slow and unfriendly|it ruined my day|ugly and weak|I cannot recommend it|useless|I want my money back|the room was dirty and loud|a boring book|horrible sound|hard to use
it is a lamp|the parcel came on Monday|it has two buttons|the shop opens at nine|I ordered one in blue|the room is on the second floor|it weighs two kilos|the book has 200 pages|the manual is in English|it is made of wood|I bought it in May|there is a table in it|it comes in a box|the hotel is near the station|we were four people|it is the second one I have"""
    ),
    _labels(
        "positive/negative/neutral|positive/negative/neutral|happy/unhappy/neutral|good/bad/neutral|"
        "Positive/Negative/Neutral|praise/complaint/other|plus/minus/zero|thumbs up/thumbs down/no opinion"
    ),
    tuple(
        each(
            "{x}|{x}.|{x}!|Well, {x}.|My review: {x}.|The {product}: {x}.|About the "
            "{product}, {x}.|{x}. {name}|We came here in {month}. {x}.|To be honest, "
            "{x}.|All in all, {x}."
        )
    ),
    tuple(
        each(
            "You read reviews.|You work for {org} and read what customers write.|You judge "
            "the mood of a text.|You are a sentiment classifier.|You help the marketing "
            "team of {org}.|You read feedback from guests.|You sort opinions.|You are an "
            "assistant for reviews."
        )
    ),
    tuple(
        each(
            "Say whether the text is {l}.|Is the review {l}?|Answer with {l}.|Classify the "
            "sentiment as {l}.|What is the mood of the text: {l}?|Rate the review as "
            "{l}.|Answer only with {l}.|Sort the feedback into {l}.|Decide if the message "
            "is {l}.|Label the text with {l}.|Pick one: {l}.|How does the customer feel? "
            "Choose {l}."
        )
    )
    + asking.SENTIMENT,
    "sentiment",
)
CLAUSE = Sorting(
    "clause",
    _piles(
        """the fee is due within thirty days|the customer pays each month in advance|late payment bears interest of five percent|the price is 500 euros a month|all invoices are paid by bank transfer|a deposit of two rents is due|payment is made on delivery|the supplier may raise the price once a year
either party may end this agreement with one month's notice|the contract ends on 31 December|the tenant may leave after two years|this agreement may be cancelled at once for good cause|notice must be given in writing|the contract renews unless it is cancelled|the employer may dismiss the employee in the first six months|the term is twelve months
the supplier is not liable for lost profit|liability is limited to the price paid|the seller does not pay for any damage|the customer bears all risk|neither party is liable for events beyond its control|damages are capped at 10,000 euros|the tenant pays for all damage to the flat|the provider excludes all liability
both parties keep the terms secret|the employee may not share business secrets|information must not be given to others|the consultant keeps all documents private|nothing may be told to the press|secret information stays secret for five years|the parties will not disclose the price|files must be kept confidential
personal data is deleted after one year|the provider may share your data with partners|data is stored in the European Union|the user agrees to the use of cookies|patient records are encrypted|we keep your email address to write to you|the processor reports a data leak within 72 hours|you may ask for a copy of your data"""
    ),
    _labels(
        "payment/termination/liability/confidentiality/data protection|"
        "payment/termination/liability/confidentiality/data protection|money/ending/liability/secrecy/data|"
        "Payment/Termination/Liability/Confidentiality/Privacy"
    ),
    tuple(
        each(
            "{x}|{x}.|Section {num}: {x}.|Clause: {x}.|§ {num} {x}.|The contract says: "
            "{x}.|It is agreed that {x}.|The parties agree that {x}.|Under this agreement, "
            "{x}."
        )
    ),
    tuple(
        each(
            "You are a contract assistant at {org}.|You help a lawyer.|You read "
            "contracts.|You check clauses for {org}.|You are a paralegal.|You work in the "
            "legal team of {org}.|You review agreements."
        )
    ),
    tuple(
        each(
            "Say what the clause is about: {l}.|Classify the clause as {l}.|Which kind of "
            "clause is this: {l}?|Answer with {l}.|The kinds are {l}. Name the right "
            "one.|Sort the clause into {l}.|Answer only with {l}.|Label the clause with "
            "{l}.|Pick one: {l}."
        )
    )
    + asking.CLAUSE,
    "kind",
)
TONGUE = Sorting(
    "language",
    (),
    _labels("English/German/French/Spanish|English/German/French/Spanish|EN/DE/FR/ES|en/de/fr/es"),
    ("{x}",),
    (
        each(
            "You detect languages.|You route letters at {org}.|You help a translator.|You read "
            "mail."
        )
    ),
    tuple(
        each(
            "Which language is the text in: {l}?|Name the language: {l}.|Answer with "
            "{l}.|Say in which language the text is written. Choose {l}.|Detect the "
            "language. The choices are {l}.|Answer only with {l}."
        )
    )
    + asking.TONGUE,
    "language",
)
URGENCY = Sorting(
    "priority",
    _piles(
        """nobody in the office can work|the whole system is down|we lose money every minute|the server is on fire|all our data is gone|our shop is closed because of this|we were hacked|customers cannot pay
it does not work for two of us|the report is wrong|the page is slow today|my colleague cannot print|one button does nothing|we need it by Friday|the import failed once|the search finds too little
I have a small question|it would be nice to have dark mode|there is a typo on the page|can you add a new colour|just a suggestion|the logo looks a bit small|when is the next release|I wonder what this button does"""
    ),
    _labels(
        "high/normal/low|high/medium/low|urgent/normal/can wait|P1/P2/P3|critical/normal/minor"
    ),
    (
        each(
            "{x}|{x}.|Hello, {x}.|{x}!|Hi team, {x}. {name}|Ticket {num}: {x}.|We use your "
            "product and {x}."
        )
    ),
    tuple(
        each(
            "You sort tickets for {org}.|You are on call at {org}.|You work in the support "
            "team.|You read bug reports.|You are a service desk assistant."
        )
    ),
    tuple(
        each(
            "Give the priority: {l}.|How important is the ticket? Choose {l}.|Set the "
            "priority to {l}.|Answer with {l}.|Rate the ticket as {l}.|The priority is one "
            "of {l}.|Answer only with {l}.|Decide the priority: {l}."
        )
    )
    + asking.PRIORITY,
    "priority",
    ordered=True,
)
SORTINGS = (TRIAGE,) * 4 + (ROUTING,) * 3 + (SENTIMENT,) * 2 + (CLAUSE, URGENCY, TONGUE)
