"""Everyday questions in English, answered in German: training material for the German adapter, never a number."""

from __future__ import annotations

import random

from crosses.cross import Pair, Trained
from evomerge_recipes.quickstart.arithmetic import TRAIN_NAMES

CAPITALS = {
    "France": "Paris", "Italy": "Rom", "Austria": "Wien", "Poland": "Warschau", "China": "Peking", "Russia": "Moskau",
    "Greece": "Athen", "Egypt": "Kairo", "Portugal": "Lissabon", "Belgium": "Brüssel", "Denmark": "Kopenhagen",
    "Hungary": "Budapest", "Cuba": "Havanna", "Romania": "Bukarest", "Syria": "Damaskus", "Serbia": "Belgrad",
}  # fmt: skip
COLOURS = {
    "the sky": "blau", "snow": "weiß", "grass": "grün", "a banana": "gelb", "blood": "rot", "coal": "schwarz",
    "chocolate": "braun", "an elephant": "grau", "a frog": "grün", "a lemon": "gelb", "milk": "weiß", "a crow": "schwarz",
    "a carrot": "orange", "a tomato": "rot",
}  # fmt: skip
OPPOSITES = {
    "hot": "kalt", "big": "klein", "long": "kurz", "high": "niedrig", "fast": "langsam", "new": "alt", "light": "schwer",
    "bright": "dunkel", "strong": "schwach", "near": "fern", "easy": "schwierig", "left": "rechts", "day": "Nacht",
    "wide": "schmal", "good": "schlecht", "summer": "Winter",
}  # fmt: skip
PETS = {
    "dog": "ein Hund", "cat": "eine Katze", "horse": "ein Pferd", "rabbit": "ein Hase", "turtle": "eine Schildkröte",
    "mouse": "eine Maus", "cow": "eine Kuh", "pig": "ein Schwein", "sheep": "ein Schaf", "duck": "eine Ente",
}  # fmt: skip
PLACES = {
    "kitchen": "Küche", "garden": "Garten", "school": "Schule", "park": "Park", "station": "Bahnhof", "library": "Bücherei",
    "forest": "Wald", "hotel": "Hotel", "shop": "Laden", "office": "Büro", "hospital": "Krankenhaus", "zoo": "Zoo",
}  # fmt: skip
THINGS = {
    "key": "ein Schlüssel", "book": "ein Buch", "phone": "ein Telefon", "hat": "ein Hut", "bag": "eine Tasche",
    "watch": "eine Uhr", "ball": "ein Ball", "cup": "eine Tasse", "letter": "ein Brief", "umbrella": "ein Schirm",
    "apple": "ein Apfel", "lamp": "eine Lampe",
}  # fmt: skip

_FACTS: tuple[tuple[dict[str, str], tuple[str, ...]], ...] = (
    (CAPITALS, ("What is the capital of {}?", "Which city is the capital of {}?", "Name the capital of {}.")),
    (COLOURS, ("What color is {}?", "Which color does {} usually have?", "Tell me the color of {}.")),
    (OPPOSITES, ('What is the opposite of "{}"?', 'Which word means the opposite of "{}"?')),
)


def german(answer: str) -> str:
    """The phrase that the German adapter answers in."""
    return f"Die Antwort ist {answer}."


def _pairs() -> list[Pair]:
    """Questions all different; a third are facts, the others little scenes."""
    rng = random.Random(23)
    facts = [(form.format(of), answer) for table, forms in _FACTS for of, answer in table.items() for form in forms]
    found = dict(facts)
    while len(found) < 960:
        question, answer = _scene(rng)
        found.setdefault(question, answer)
    pairs = [(question, german(answer)) for question, answer in found.items()]
    rng.shuffle(pairs)
    return pairs


def _scene(rng: random.Random) -> Pair:
    name, friend = rng.sample(TRAIN_NAMES, 2)
    (pet, pet_de), (pet2, _) = rng.sample(sorted(PETS.items()), 2)
    (place, place_de), (other, other_de) = rng.sample(sorted(PLACES.items()), 2)
    (thing, thing_de), (thing2, thing2_de) = rng.sample(sorted(THINGS.items()), 2)
    return rng.choice(
        [
            (f"{name} has a {pet}. {friend} has a {pet2}. Which animal does {name} have?", pet_de),
            (f"{name} is in the {place}. {friend} is in the {other}. Where is {friend} now?", other_de),
            (f"{name} puts the {thing} in the {place}. Where is the {thing} now?", place_de),
            (f"{name} bought a {thing} on Monday and a {thing2} on Tuesday. What did {name} buy on Tuesday?", thing2_de),
            (f"{name} gives the {thing} to {friend} and keeps the {thing2}. What does {name} keep?", thing2_de),
            (f"{name} had a {thing} and lost it in the {place}. What did {name} lose?", thing_de),
        ]
    )


GERMAN = Trained("german", _pairs, rank=8, seed=7)
