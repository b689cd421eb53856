"""Plain lists that the generated data is made of."""
# ruff: noqa: E501 (lists of sentences)

from __future__ import annotations


def each(text: str) -> tuple[str, ...]:
    """The parts of `text` between bars.

    >>> each("a cat|a dog")
    ('a cat', 'a dog')
    """
    return tuple(text.split("|"))


FIRST = each(
    "Anna|Ana|Ben|Carla|Dan|Eva|Finn|Gina|Hans|Ida|Ivan|Jane|John|Kim|Lena|Liam|Mara|Maria|Mia|Nora|Olaf|Omar|Paul|Pia|Rosa|Sam|Sara|Tara|Tim|Tom|Uma|Vera|Walt|Yara|Zoe|Adam|Amir|Bella|Chen|Clara|David|Elena|Emil|Emma|Felix|Grace|Hugo|Ines|Jack|James|Julia|Karim|Kate|Laura|Leo|Lily|Lucas|Luisa|Marco|Max|Nadia|Nina|Noah|Oliver|Oscar|Peter|Priya|Ravi|Rita|Robert|Ruth|Simon|Sofia|Stefan|Susan|Thomas|Victor|Wei|Yusuf|Alice|Bob|Charlie|Diana|Frank|Helen|Mary|Mark|Linda|Asha"
)
LAST = each(
    "Berg|Ruiz|Keller|Ode|Smith|Jones|Brown|Khan|Patel|Silva|Costa|Meyer|Weber|Novak|Kovac|Rossi|Bianchi|Dubois|Martin|Lopez|Garcia|Moreau|Laurent|Jensen|Larsen|Nilsson|Olsen|Virtanen|Kim|Park|Chen|Wang|Li|Tanaka|Sato|Singh|Gupta|Rao|Ali|Hassan|Okafor|Mensah|Diallo|Young|King|Hill|Green|White|Black|Stone|Wood|Field|Lake|Rivers|Cole|Ward|Nash|Bell|Fox|Hart|Lane|Moss|Page"
)
SYLLABLES = each(
    "ka|lo|mi|ra|ne|to|vi|sa|du|be|fe|go|hi|ju|ky|la|ma|no|pe|ri|su|ta|ul|ven|wo|xa|ya|ze|bro|cha|dri|el|fan|gor|har|in|jen|kol|lin|mor|nel|or|pas|quin|ros|sten|tur|ves|wil"
)
CITIES = each(
    "Leeds|Bristol|York|Oslo|Bergen|Paris|Lyon|Berlin|Bonn|Madrid|Porto|Lisbon|Rome|Milan|Vienna|Graz|Zurich|Basel|Dublin|Cork|Boston|Denver|Austin|Toronto|Delhi|Pune|Nairobi|Lagos|Sydney|Perth"
)
ORGS = each(
    "Harbour Clinic|Northwind|Green Lane Practice|Blue Door Books|Contoso|the city "
    "library|Hill School|Riverside Hospital|Oak Street Surgery|Acme Tools|Sunrise "
    "Pharmacy|Lumen Energy|the help desk|Kite Travel|Bright Kitchen|Fairfield "
    "College|Stone and Page, solicitors|the front desk|Maple Bank|Orchard Telecom"
)
MONTHS = each(
    "January|February|March|April|May|June|July|August|September|October|November|December"
)
PRODUCTS = each(
    "kettle|lamp|phone|laptop|jacket|chair|table|radio|camera|watch|bicycle|printer|keyboard|toaster|vacuum "
    "cleaner|washing machine|backpack|tent|coffee "
    "machine|monitor|headset|fan|heater|blender|router|tablet|mattress|sofa|mirror|clock|drill|charger|speaker|umbrella"
)
FAULTS = each(
    "is broken|does not work|arrived late|arrived damaged|is the wrong size|makes a loud "
    "noise|will not switch on|is missing a part|has a scratch|stopped working|is too "
    "small|leaks|smells of smoke|came in the wrong colour|keeps restarting|never "
    "arrived|is cracked|gets very hot"
)
WANTS = {
    "a refund": "I want my money back|I would like a refund|Please refund me|A refund, please",
    "a new one": "Please send a new one|I want a replacement|I need a new one|Can you replace it",
    "a repair": "Can you repair it|Please repair it|I would like it repaired|It needs fixing",
    "an answer": "What should I do|Please tell me what to do|Can you help me|What happens next",
}
# German, French, Spanish, Italian
TRANSLATIONS = {
    line.split()[0]: line.split()[1:]
    for line in """cat Katze chat gato gatto
dog Hund chien perro cane
house Haus maison casa casa
water Wasser eau agua acqua
bread Brot pain pan pane
milk Milch lait leche latte
apple Apfel pomme manzana mela
book Buch livre libro libro
tree Baum arbre árbol albero
car Auto voiture coche macchina
day Tag jour día giorno
night Nacht nuit noche notte
sun Sonne soleil sol sole
moon Mond lune luna luna
red rot rouge rojo rosso
green grün vert verde verde
blue blau bleu azul blu
white weiß blanc blanco bianco
black schwarz noir negro nero
one eins un uno uno
two zwei deux dos due
three drei trois tres tre
four vier quatre cuatro quattro
five fünf cinq cinco cinque
hello hallo bonjour hola ciao
thanks danke merci gracias grazie
yes ja oui sí sì
no nein non no no
friend Freund ami amigo amico
school Schule école escuela scuola
teacher Lehrer professeur profesor insegnante
doctor Arzt médecin médico medico
nurse Krankenschwester infirmière enfermera infermiera
hospital Krankenhaus hôpital hospital ospedale
pain Schmerz douleur dolor dolore
fever Fieber fièvre fiebre febbre
head Kopf tête cabeza testa
hand Hand main mano mano
heart Herz cœur corazón cuore
eye Auge œil ojo occhio
mother Mutter mère madre madre
father Vater père padre padre
child Kind enfant niño bambino
woman Frau femme mujer donna
man Mann homme hombre uomo
street Straße rue calle strada
city Stadt ville ciudad città
train Zug train tren treno
window Fenster fenêtre ventana finestra
door Tür porte puerta porta
table Tisch table mesa tavolo
coffee Kaffee café café caffè
tea Tee thé té tè
morning Morgen matin mañana mattina
week Woche semaine semana settimana
year Jahr année año anno
money Geld argent dinero denaro
letter Brief lettre carta lettera
bird Vogel oiseau pájaro uccello
fish Fisch poisson pez pesce
flower Blume fleur flor fiore
today heute aujourd'hui hoy oggi
tomorrow morgen demain mañana domani
now jetzt maintenant ahora adesso""".splitlines()
}
LANGUAGES = ("German", "French", "Spanish", "Italian")
SENTENCES = {
    "German": "Guten Morgen, wie geht es Ihnen?|Ich möchte ein Brot kaufen.|Das Wetter ist heute "
    "schön.|Wo ist der Bahnhof?|Meine Schwester wohnt in Berlin.|Ich habe keine Zeit.|Können Sie mir "
    "bitte helfen?|Der Zug kommt um acht Uhr.|Wir gehen morgen in die Schule.|Das Buch liegt auf dem "
    "Tisch.|Ich bin müde und möchte schlafen.|Die Rechnung ist falsch.|Er arbeitet im Krankenhaus.",
    "French": "Bonjour, comment allez-vous ?|Je voudrais acheter du pain.|Il fait beau aujourd'hui.|Où "
    "est la gare ?|Ma sœur habite à Paris.|Je n'ai pas le temps.|Pouvez-vous m'aider, s'il vous plaît "
    "?|Le train arrive à huit heures.|Nous allons à l'école demain.|Le livre est sur la table.|Je suis "
    "fatigué et je veux dormir.|La facture est fausse.|Il travaille à l'hôpital.",
    "Spanish": "Buenos días, ¿cómo está usted?|Quisiera comprar pan.|Hoy hace buen tiempo.|¿Dónde está "
    "la estación?|Mi hermana vive en Madrid.|No tengo tiempo.|¿Puede ayudarme, por favor?|El tren llega "
    "a las ocho.|Mañana vamos a la escuela.|El libro está sobre la mesa.|Estoy cansado y quiero "
    "dormir.|La factura está mal.|Él trabaja en el hospital.",
    "English": "Good morning, how are you?|I would like to buy some bread.|The weather is nice "
    "today.|Where is the station?|My sister lives in London.|I do not have time.|Can you help me, "
    "please?|The train comes at eight.|We go to school tomorrow.|The book is on the table.|I am tired "
    "and want to sleep.|The invoice is wrong.|He works in the hospital.",
}
# question | answer | hint
FACTS = [
    tuple(line.split("|"))
    for line in """What is photosynthesis|Plants use light to make sugar from water and air|Think of what a plant needs from the sun
What is gravity|Gravity is the force that pulls things towards each other|Think of what happens when you drop a ball
Why is the sky blue|Air scatters blue light more than red light|Think of the colours in sunlight
What is a fraction|A fraction is a part of a whole|Think of one slice of a pizza
What is a verb|A verb is a word for doing or being|Look for the word that says what someone does
What is a noun|A noun is a word for a person, a place or a thing|Look for the word that names something
What is an adjective|An adjective is a word that describes a noun|Look for the word that says what it is like
Why do we sleep|Sleep lets the body and the brain rest and repair|Think of how you feel after a short night
What is an atom|An atom is the smallest piece of an element|Think of cutting gold in half again and again
What is a cell|A cell is the smallest living part of the body|Think of a brick in a wall
Why does ice float|Ice is lighter than water of the same size|Compare the weight of ice and water
What is evaporation|Water turns into vapour when it warms up|Think of a puddle on a sunny day
What is democracy|People choose their government by voting|Think of what happens on election day
What is a prime number|A prime number can be divided only by one and itself|Try to divide seven by two and by three
What is the heart for|The heart pumps blood through the body|Feel your pulse and think of a pump
What do lungs do|Lungs take oxygen from the air into the blood|Breathe in and think of what you take in
Why do we have seasons|The Earth is tilted while it goes around the sun|Think of how the Earth leans
What is a volcano|A volcano is an opening where hot rock comes out of the Earth|Think of what is under the ground
What causes rain|Water vapour cools in clouds and falls as drops|Think of what clouds are made of
What is an angle|An angle is the space between two lines that meet|Think of the hands of a clock
What is an average|An average is the sum divided by how many numbers there are|First add the numbers, then think of how many there are
What is area|Area is how much space a flat shape covers|Count the small squares inside the shape
What is energy|Energy is the ability to do work|Think of what food gives you
What is electricity|Electricity is the flow of charge through a wire|Think of what flows in a wire
What is a planet|A planet is a large body that goes around a star|Think of the Earth and the sun
What is a synonym|A synonym is a word with the same meaning|Find another word for big
What is a metaphor|A metaphor calls one thing another to compare them|Why do we say that time is money
What is a magnet|A magnet is a thing that pulls iron|Think of what sticks to a fridge
What is sound|Sound is air that shakes and reaches the ear|Touch a drum while it plays
What is a contract|A contract is an agreement that the law protects|Think of what you sign when you rent a flat
What is inflation|Inflation means that prices rise over time|Compare the price of bread now and ten years ago
What is a vaccine|A vaccine trains the body to fight a disease|Think of practice before a match
What is DNA|DNA is the plan for a living thing|Think of a recipe for the body
What is a molecule|A molecule is a group of atoms held together|Think of water and its parts
What is friction|Friction is the force that slows things that rub|Rub your hands and feel them
What is a budget|A budget is a plan for money|Think of what you earn and what you spend
What is the capital of France|Paris is the capital of France|It is the city with the Eiffel Tower
What is the capital of Germany|Berlin is the capital of Germany|A wall once divided this city
What is the capital of Spain|Madrid is the capital of Spain|It lies in the middle of the country
What is the capital of Italy|Rome is the capital of Italy|The Colosseum stands there""".splitlines()
]
ONES = each(
    "zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|nineteen"
)
TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]


def number_words(n: int) -> str:
    """Say `n` in English.

    >>> number_words(342)
    'three hundred and forty-two'
    """
    if n < 20:
        return ONES[n]
    if n < 100:
        tail = n % 10
        return TENS[n // 10 - 2] + (f"-{ONES[tail]}" if tail else "")
    rest = f" and {number_words(n % 100)}" if n % 100 else ""
    return f"{ONES[n // 100]} hundred{rest}"
