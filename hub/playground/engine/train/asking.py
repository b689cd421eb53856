"""More ways of asking for the same: people word a demand as they like, so the data does, too."""
# ruff: noqa: E501 (lists of sentences)

from __future__ import annotations

from hub.playground.engine.train.words import each

# ── the form of an answer; {k} a JSON key or keys, {w} a word, {n} a name ──────────────────────────

JSON_KEYS = each(
    "Only JSON, please: {k}.|Respond with a JSON object that has the keys {k}.|The answer must be JSON "
    "with {k}.|Use JSON. The keys are {k}.|Your reply is one JSON object: {k}.|Produce valid JSON with "
    "the fields {k}.|Format: JSON with {k}.|Return JSON only. Fields: {k}.|We need JSON with the keys "
    "{k}, nothing else.|Fill in this JSON: {k}.|Always answer in JSON, with {k}.|Respond in JSON format "
    "using {k}."
)
JSON_KEY = each(
    'Only JSON, please, with the key {k}.|Respond with a JSON object that has one key, "{k}".|The answer '
    'must be JSON with the field {k}.|Use JSON. The key is "{k}".|Your reply is one JSON object with '
    '{k}.|Produce valid JSON with the field "{k}".|Format: JSON with {k}.|Return JSON only. Field: '
    '{k}.|We need JSON with the key "{k}", nothing else.|Always answer in JSON, with the key {k}.|Respond '
    'in JSON format using the key "{k}".|Put the answer into JSON under "{k}".'
)
PREFIX = each(
    'Every answer begins with "{w}:".|Write "{w}:" first.|First write {w}:, then the answer.|Your answer '
    'starts with "{w}:".|Open with the word {w} and a colon.|Always start with "{w}:".|Lead with '
    '"{w}:".|The first word of your answer is {w}, with a colon.|Use the prefix "{w}:".|Add "{w}:" in '
    "front of the answer.|Each reply must begin with {w}:.|Answer in this form: {w}: and the "
    'answer.|Before the answer, write "{w}:".'
)
SIGN = each(
    "Always sign as {n}.|Close with the name {n}.|The last line is your name, {n}.|Sign off as {n}.|Add "
    "the signature {n}.|End every answer with {n}.|Put {n} on the last line.|Write your name, {n}, at "
    "the end.|Signed: {n}.|Sign with {n}, please.|On a new line, sign as {n}.|Finish with {n} on its own "
    "line."
)
PLAIN = each(
    "No more than that.|Give the answer and nothing more.|Just the answer.|Only the answer, please.|Reply "
    "with the answer alone.|No extra words.|Short answers only.|Do not write anything else.|Without any "
    "explanation.|Just say it.|Return the answer only.|Keep to the answer."
)
CAPS = each(
    "Write everything in capitals.|The answer must be in upper case.|Use capitals.|Capital letters, "
    "please.|Give the answer in block letters.|Everything in upper case.|Make it all upper case.|Return "
    "the answer in uppercase.|Please shout: capitals only.|Write it in BIG LETTERS.|Uppercase only.|Use "
    "only capital letters in your reply.|Your answer is written in capitals."
)
SENTENCE = each(
    "Put it into a full sentence.|The answer is a whole sentence.|Answer as a sentence.|Respond in a full "
    "sentence.|Give your answer in one full sentence.|Make it a complete sentence.|No single words: write "
    "a sentence.|Always use whole sentences.|Please write a full sentence.|Reply with one sentence.|Form "
    "a sentence.|Speak in full sentences.|A complete sentence, please."
)
POLITE = each(
    "Thank people for writing.|Always say thank you first.|Politeness matters.|Be courteous.|Answer in a "
    "polite way.|Stay polite and friendly.|Begin with a thank you.|Show good manners.|Start by thanking "
    "the person.|Use polite words.|Be friendly and thankful.|First say thank you, then answer.|Reply "
    "politely.|Please be polite to everyone."
)
PIRATE = each(
    "Sound like a pirate.|Write like a pirate.|Answer in pirate talk.|Pretend to be a pirate.|Be a "
    "pirate.|Speak like a pirate.|Use the words of a pirate.|Everything you say sounds like a pirate.|Your "
    "style: pirate.|Reply like a pirate.|Talk as pirates do.|In the voice of a pirate, please."
)
BOLD = each(
    "Use bold.|Write in bold.|Set the answer in bold type.|Bold, please.|Mark the answer in bold with two "
    "stars.|Your answer is bold Markdown.|Show the answer in bold.|Wrap the answer in **.|Use Markdown to "
    "make it bold.|Answer with bold text.|Reply in bold.|Put stars around the answer to make it "
    "bold.|Make it bold."
)
REASON = each(
    "Also say why.|Include the reason.|Tell me why.|With a reason, please.|Name the reason.|Add why you "
    "think so.|Always give a reason.|Back it up with the words of the message.|Explain your choice.|Show "
    "what made you decide.|Justify your decision.|State your reason.|Quote what made you decide.|And why? "
    "Say it.|Explain briefly.|Answer and give the reason."
)

# ── what to do; {l} the choices, {k} a kind of thing ───────────────────────────────────────────────

TRIAGE = each(
    "Tell the team how quickly to call: {l}.|How fast must someone ring back? {l}.|Give one word for the "
    "urgency: {l}.|Judge how urgent it is. Use {l}.|Assign an urgency of {l}.|Mark the message as "
    "{l}.|Choose one of {l} for each message.|When does the patient need help: {l}?|Respond with one of "
    "these: {l}.|You may say {l}.|Say {l}, depending on how serious it is.|Grade each call: {l}.|Return "
    "the urgency ({l}).|Which is it: {l}?|Set the urgency to {l}.|Determine how soon we must act: {l}."
)
ROUTING = each(
    "Who should handle this: {l}?|Assign the message to {l}.|Forward it to one of {l}.|Give the name of "
    "the team: {l}.|Respond with one of these: {l}.|Which department is it for: {l}?|Return the team "
    "({l}).|Say which team it belongs to: {l}.|Determine the category: {l}.|Mark the ticket as {l}.|The "
    "categories are {l}. Choose the best.|Pass it on to {l}.|Which is it: {l}?|Categorise the request as "
    "{l}."
)
SENTIMENT = each(
    "Judge whether the writer is {l}.|Respond with one of these: {l}.|Tell me if this is {l}.|Return the "
    "sentiment ({l}).|Which is it: {l}?|Mark the review as {l}.|Give the mood in one word: {l}.|Determine "
    "whether the feedback is {l}.|Say {l}.|Is the person {l}?|Categorise the opinion as {l}.|How does it "
    "sound: {l}?|The choices are {l}. Choose the best.|Evaluate the tone: {l}."
)
CLAUSE = each(
    "What does the clause deal with: {l}?|Respond with one of these: {l}.|Return the kind ({l}).|Name the "
    "subject of the clause: {l}.|Which is it: {l}?|Mark the clause as {l}.|The subjects are {l}. Choose "
    "the best.|Determine the type of the clause: {l}.|Assign the clause to {l}.|Tell the lawyer what it is "
    "about: {l}.|Categorise the clause as {l}.|Decide which heading fits: {l}."
)
TONGUE = each(
    "Tell me the language: {l}.|Respond with one of these: {l}.|Which is it: {l}?|Return the language "
    "({l}).|Recognise the language. Use {l}.|The languages are {l}. Name the right one.|What language is "
    "this? {l}.|Determine the language: {l}.|Mark the text as {l}."
)
PRIORITY = each(
    "Assign a priority of {l}.|Respond with one of these: {l}.|How urgent is the ticket: {l}?|Return the "
    "priority ({l}).|Which is it: {l}?|Mark the ticket as {l}.|Judge the priority. Use {l}.|Say how bad "
    "it is: {l}.|Determine the priority: {l}.|Grade the ticket: {l}.|Choose a priority from {l}.|Tell the "
    "team how important it is: {l}."
)
LOOK_UP = each(
    "Which {k} does the person have? Look in the list.|Use the list to find the {k}.|Answer with the {k} "
    "from the list.|Find the person and return the {k}.|Look into the list and name the {k}.|Look the "
    "name up and give the {k}.|Given a name, answer with its {k}.|Tell me the {k} for each name.|Read the "
    "{k} off the list.|For a name, return the {k}."
)
IGNORE = each(
    "Do not mind capital letters.|Upper and lower case do not matter.|Case does not matter.|Names match "
    "in any case.|Compare names without regard to case.|It does not matter how the name is "
    "capitalised.|Be case insensitive.|Accept names in upper or lower case.|Capitals make no "
    "difference.|Matching ignores case."
)
EXACTLY = each(
    "Case matters.|Only an exact match counts.|The spelling must be the same, capitals too.|Mind the "
    "capital letters.|Be case sensitive.|Compare names letter by letter, capitals too.|Use exact "
    "matching."
)
EXTRACT = each(
    "Tell me {l}.|Look for {l} and return it.|Return {l}.|Get {l} out of the message.|Write down {l}.|Copy "
    "{l} from the message.|From the text, take {l}.|Which is {l}? Copy it.|We need {l}.|Respond with {l} "
    "only.|Identify {l}."
)
NUMBER = each(
    "How is the number written in words?|Write it as words.|Use words for the number.|Number to "
    "words.|Convert the number to words.|Spell the number.|Read the number aloud.|Tell me the number in "
    "words.|Put the number into words.|Write out the number."
)
TRANSLATE = each(
    "Translate the word into {l}.|How do you say it in {l}?|To {l}, please.|Give it in {l}.|Tell me the "
    "{l} word for it.|Return the {l} word.|Answer in {l}.|The {l} word, please.|What is the {l} for "
    "it?|Convert to {l}."
)
REWRITE = each(
    "Make it polite.|Please put it politely.|Write a polite version.|Change it into a polite "
    "question.|Turn it into a polite request.|Ask for it politely instead.|Soften the order into a "
    "request.|Reword it so that it is polite.|Return a polite form of the sentence.|Be polite: rewrite the "
    "order.|Make a polite request of it.|Phrase it as a polite request."
)
EXPLAIN = each(
    "Answer in one sentence.|Explain briefly and simply.|Tell them the answer.|One clear sentence is "
    "enough.|Give a one sentence explanation.|Teach it in one sentence.|Say the answer in simple "
    "words.|Explain what it is.|Reply with the explanation.|Answer it simply."
)
HINT = each(
    "Help, but do not tell the answer.|A hint only, please.|Offer one hint.|Let the pupil find the answer; "
    "give a hint.|Hints only.|Do not solve it; hint.|Give a clue, not the answer.|Never say the answer, "
    "only hint at it.|Nudge the pupil with a hint.|Reply with a hint."
)
HAND_OVER = each(
    "Give the hand-over in SBAR.|Structure the note as SBAR.|SBAR, please.|Return the note in SBAR "
    "form.|Order the note by SBAR.|Bring the note into the SBAR form.|Convert the note to SBAR.|Arrange "
    "it as SBAR."
)
REPLY = each(
    "Answer the message.|Respond to the customer.|Write an answer to the customer.|Reply.|Compose a "
    "reply.|Write the reply.|Give the customer an answer.|Write a response.|Prepare a reply."
)
FORMAL = each(
    "Formal style.|Keep a formal style.|The reply is formal.|Sound formal.|Use formal language.|Be "
    "correct and formal.|Choose a formal tone."
)
FRIENDLY = each(
    "Friendly style.|Keep a friendly style.|The reply is friendly.|Sound friendly.|Use friendly "
    "language.|Be warm and friendly.|Choose a friendly tone."
)
TITLE = each(
    "Name the ticket.|Return a title.|One line that says what it is about.|Write a short summary.|Make a "
    "title for it.|Give the ticket a title.|In one line, what is it about?|Write a one-line summary.|Put "
    "it in one line."
)
SUM = each(
    "Work it out.|Answer with the number.|Give the result.|Solve it.|Calculate.|What does it make?|Do the "
    "sum.|Return the result.|Tell the pupil the result.|How much is it?"
)
