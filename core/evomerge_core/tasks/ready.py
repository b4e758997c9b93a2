"""Ready definitions: GSM8K (Cobbe et al. 2021), MGSM (Shi et al. 2022), and Japanese questions about pictures, JA-VG-VQA-500
and JA-VLM-Bench-In-the-Wild (both Akiba et al. 2024). All of them zero-shot."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from evomerge_core.errors import unknown_name
from evomerge_core.tasks.items.items import Item, make_item


@dataclass(frozen=True)
class ReadyTask:
    """What a recipe gets by naming the task; each of its keys can be given otherwise there.

    `columns` are the names that a field's column may have, best first; `numbers` the columns of a TSV without header.
    `refine` makes the final fields of an item. `licence` is what the data set's page says.
    """

    dataset: str
    config: str | None
    split: str
    columns: Mapping[str, tuple[str, ...]]
    numbers: Mapping[str, int]
    prompt: str
    gold: str
    language: str
    licence: str
    scorer: str = "final_number"
    max_new_tokens: int = 1024
    refine: Callable[[Item], Item] = lambda item: item


def get_ready(name: str, *, key: str = "task") -> ReadyTask:
    """The ready definition of that name. Raises `InputError` with the nearest name."""
    if name not in READY:
        raise unknown_name("ready task", name, READY, where=key)
    return READY[name]


def _gsm8k_item(item: Item) -> Item:
    """The number after `####` as `answer`, and the worked `solution` without the calculator's `<<...>>` notes."""
    if "question" not in item.fields or "answer" not in item.fields:
        return item
    steps, _, number = item.texts("answer")[0].rpartition("####")
    worked = f"{re.sub('<<.*?>>', '', steps).strip()}\nThe answer is {number.strip()}.".strip()
    return make_item({**item.fields, "answer": number.strip(), "solution": worked}, item.origin)


_GSM8K = ReadyTask(
    dataset="openai/gsm8k",
    config="main",
    split="test",
    columns={"question": ("question",), "answer": ("answer",)},
    numbers={"question": 0, "answer": 1},
    prompt="{question}\n\nSolve this step by step, then write the final number in the last line.",
    gold="{solution}",
    language="",
    licence="MIT",
    refine=_gsm8k_item,
)

# Language: what is asked after the question, and how a sentence with the answer reads.
_MGSM_TEXTS: Mapping[str, tuple[str, str]] = {
    "bn": ("বাংলায় ধাপে ধাপে সমাধান করুন এবং শেষ লাইনে চূড়ান্ত সংখ্যাটি লিখুন।", "উত্তর হল {answer}।"),
    "de": (
        "Löse diese Aufgabe Schritt für Schritt auf Deutsch und schreibe die endgültige Zahl in die letzte Zeile.",
        "Die Antwort ist {answer}.",
    ),
    "en": ("Solve this step by step, then write the final number in the last line.", "The answer is {answer}."),
    "es": (
        "Resuelve este problema paso a paso en español y escribe el número final en la última línea.",
        "La respuesta es {answer}.",
    ),
    "fr": (
        "Résous ce problème étape par étape en français, puis écris le nombre final à la dernière ligne.",
        "La réponse est {answer}.",
    ),
    "ja": ("この問題を日本語で一歩ずつ解き、最後の行に答えの数を書いてください。", "答えは{answer}です。"),
    "ru": (
        "Решите эту задачу шаг за шагом на русском языке и напишите итоговое число в последней строке.",
        "Ответ: {answer}.",
    ),
    "sw": (
        "Tatua swali hili hatua kwa hatua kwa Kiswahili, kisha andika nambari ya mwisho kwenye mstari wa mwisho.",
        "Jibu ni {answer}.",
    ),
    "te": ("ఈ సమస్యను తెలుగులో దశలవారీగా పరిష్కరించి, చివరి వరుసలో తుది సంఖ్యను రాయండి.", "సమాధానం {answer}."),
    "th": ("จงแก้โจทย์นี้ทีละขั้นตอนเป็นภาษาไทย แล้วเขียนตัวเลขคำตอบสุดท้ายในบรรทัดสุดท้าย", "คำตอบคือ {answer}"),
    "zh": ("请用中文逐步解答这道题，并在最后一行写出最终的数字。", "答案是{answer}。"),
}


def _mgsm(language: str) -> ReadyTask:
    request, gold = _MGSM_TEXTS[language]
    return ReadyTask(
        dataset="juletxara/mgsm",
        config=language,
        split="test",
        # The hub's files keep the number in a column of its own.
        columns={"question": ("question",), "answer": ("answer_number", "answer")},
        numbers={"question": 0, "answer": 1},
        prompt=f"{{question}}\n\n{request}",
        gold=gold,
        # As in the paper (section 4.1), which asks for the language wherever it isn't the models' own.
        language="" if language == "en" else language,
        licence="CC BY-SA 4.0",
    )


def _about_pictures(dataset: str, question: str, answer: str, licence: str, max_new_tokens: int) -> ReadyTask:
    """Answers in Japanese, scored as in section 4.2 of the paper; its instruction isn't published, this one is ours."""
    return ReadyTask(
        dataset=dataset,
        config=None,
        split="test",
        columns={"question": (question, "question"), "answer": (answer, "answer"), "image": ("image",)},
        numbers={"question": 0, "answer": 1, "image": 2},
        prompt="{image}{question}\n\n日本語で答えてください。",
        gold="{answer}",
        language="ja",
        licence=licence,
        scorer="rouge_l_ja",
        max_new_tokens=max_new_tokens,
    )


# Each picture has several questions, of which the paper takes the first.
_JA_VG_VQA = _about_pictures("SakanaAI/JA-VG-VQA-500", "qas.0.question", "qas.0.answer", "CC BY 4.0", 64)
_JA_WILD = _about_pictures(
    "SakanaAI/JA-VLM-Bench-In-the-Wild", "question", "answer", "none named; pictures under the Unsplash licence", 256
)


READY: Mapping[str, ReadyTask] = MappingProxyType(
    {
        "gsm8k": _GSM8K,
        **{f"mgsm-{language}": _mgsm(language) for language in _MGSM_TEXTS},
        "ja-vg-vqa-500": _JA_VG_VQA,
        "ja-vlm-bench-in-the-wild": _JA_WILD,
    }
)
