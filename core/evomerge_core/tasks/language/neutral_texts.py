"""Short plain texts in several languages, whose likelihood shows whether a child still speaks them as its parents do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from evomerge_core.tasks.evaluator import Question

# Everyday prose that no task asks for. The first part is read, the second one's likelihood is wanted. Every candidate reads
# them, so they are few and short: what separates a broken child from a sound one is far more than the luck of a sentence.
TEXTS: Mapping[str, tuple[tuple[str, str], ...]] = MappingProxyType({
    "ar": (("استيقظت المدينة ببطء بعد ليلة طويلة من المطر.", "فتح الخباز دكانه، وامتلأ الشارع برائحة الخبز الطازج."),),
    "de": (
        ("Am Morgen lag noch Nebel über dem Fluss, und die Fähre fuhr langsamer als sonst.",
         " Am anderen Ufer warteten schon einige Leute mit ihren Fahrrädern."),
    ),
    "en": (
        ("The library opens at nine, but most people arrive a little later.",
         " They look for a quiet seat near the window and read until it gets dark."),
    ),
    "es": (
        ("La abuela guardaba las cartas en una caja de madera, debajo de la cama.",
         " Los domingos las leía en voz alta y todos escuchábamos en silencio."),
    ),
    "fr": (
        ("Le marché commence tôt le samedi, quand les rues sont encore vides.",
         " Les marchands posent leurs légumes sur de longues tables et boivent un café ensemble."),
    ),
    "hi": (("सुबह होते ही गाँव के लोग खेतों की ओर चल पड़ते हैं।", "शाम को वे घर लौटते हैं और साथ बैठकर खाना खाते हैं।"),),
    "it": (
        ("Il treno per il mare parte ogni mattina alle otto.",
         " D'estate è pieno di famiglie con borse, ombrelloni e bambini impazienti."),
    ),
    "ja": (("駅の前に小さな本屋があります。", "店の主人は毎朝早く来て、新しい本を棚に並べます。"),),
    "ko": (("할머니 댁은 산 아래 작은 마을에 있습니다.", "여름이면 우리는 그곳에서 개울물에 발을 담그고 수박을 먹었습니다."),),
    "pt": (
        ("O pescador sai de casa antes do nascer do sol.",
         " Quando volta, o porto já está cheio de gente à espera do peixe fresco."),
    ),
    "ru": (
        ("Зимой в деревне рано темнеет, и вечера кажутся длинными.",
         " Соседи собираются у печки, пьют чай и рассказывают друг другу старые истории."),
    ),
    "th": (("ตลาดริมน้ำเปิดตั้งแต่เช้าตรู่", "พ่อค้าแม่ค้าพายเรือขายผลไม้และอาหารให้นักท่องเที่ยว"),),
    "zh": (("清晨的公园里有很多老人在散步。", "他们一边走一边聊天，有时候坐在树下喝茶、下棋。"),),
})  # fmt: skip


def neutral_questions(languages: Iterable[str]) -> dict[tuple[str, str], Question]:
    """What to ask, by (language, number of the text): the texts of these languages, of English where none is known."""
    known = [language for language in TEXTS if language in set(languages)] or ["en"]
    return {
        (language, str(number)): Question(opening, gold=rest, max_new_tokens=0)
        for language in known
        for number, (opening, rest) in enumerate(TEXTS[language])
    }
