"""A task: what it asks of a model, and how it scores the answer."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from evomerge_core.errors import InputError
from evomerge_core.limited.chat_template import PLACE, ChatTokenizer, PictureMark
from evomerge_core.limited.expression import SlowExpression
from evomerge_core.tasks.early_end import Decision
from evomerge_core.tasks.evaluator import Answer, Question
from evomerge_core.tasks.items.items import Item, Value
from evomerge_core.tasks.items.pictures import IMAGE
from evomerge_core.tasks.language.detection import is_language
from evomerge_core.tasks.prompt import field_names, fill, render_chat
from evomerge_core.tasks.scorers.scorer import Expected, Scorer


@dataclass(frozen=True)
class Score:
    """One answer's score.

    `value` is 0..1, and 0 when the language is wrong; `loss` is the correct answer's mean negative log-likelihood per token
    in nats (for multiple choice, the correct choice's), nan when there is none; `truncated` answers met the token limit.
    """

    value: float
    loss: float
    truncated: bool
    language_ok: bool


@dataclass(frozen=True)
class Task:
    """How items become questions, and answers scores.

    `prompt`, `system` and `gold` are templates of the items' fields. `choices` are texts, or the name of the field that
    holds them. The scorer compares with the field `answer`; `gold` is the correct answer, whose log-likelihood is measured.
    `language` is the code that an answer must be in, "" for any. `weight` is the task's share of the score.
    """

    name: str
    prompt: str
    scorer: Scorer
    system: str | None = None
    chat: bool = True
    gold: str = ""
    pattern: str | None = None
    choices: tuple[str, ...] | str = ()
    language: str = ""
    weight: float = 1.0
    max_new_tokens: int = 256
    stop: tuple[str, ...] = ()

    def question(self, item: Item, tokenizer: ChatTokenizer, mark: PictureMark | None = None) -> Question:
        """The item as a question; the prompt is in the tokenizer's chat template, or plain when `chat` is off. `mark` is how a
        vision-language model's prompts show pictures, None for a text model.

        Raises `InputError` when the tokenizer has no chat template, a template names a field that isn't there, the item shows
        a picture to a text model, or a text holds what stands for one.
        """
        prompt = self.plain_prompt(item) if mark is None and not item.pictures else self._placed(item, mark)
        if self.chat:
            system = None if self.system is None else self._filled("system", self.system, item.fields)
            prompt = render_chat(prompt, system, tokenizer, task=self.name, mark=mark)
        elif mark is not None:
            prompt = prompt.replace(PLACE, mark.written)
        gold, choices = self.gold_text(item), self.expected(item).choices
        if mark is not None and any(mark.token in text for text in (gold, *choices)):
            raise _stands_for_picture("an answer", mark, f"{item.origin}: {self.name}", "take it out")
        return Question(
            prompt=prompt,
            gold=gold,
            choices=choices,
            max_new_tokens=self.max_new_tokens,
            stop=self.stop,
            add_special_tokens=not self.chat,
            pictures=tuple(picture.sha256 for picture in item.pictures),
        )

    def _placed(self, item: Item, mark: PictureMark | None) -> str:
        """The prompt with a `PLACE` for each picture: where the template names `{image}`, else where the text itself has the
        model's token for one, else in front."""
        where = f"{item.origin}: {self.name}"
        if mark is None:
            remedy = "choose a vision-language base, or name the columns without `image` under `fields`"
            raise InputError("shows a picture, which a text model can't see", where=where, remedy=remedy)
        count = len(item.pictures)
        named = IMAGE in field_names(self.prompt, key=f"{self.name}: prompt")
        prompt = self._filled("prompt", self.prompt, {**item.fields, IMAGE: PLACE * count} if count else item.fields)
        if not named and count and prompt.count(mark.token) == count:
            return prompt.replace(mark.token, PLACE)
        if mark.token in prompt:
            raise _stands_for_picture("the text", mark, where, "take it out, or give the item as many pictures under `image`")
        if named and prompt.count(PLACE) != count:
            remedy = "write it once: all pictures of an item stand there"
            raise InputError("shows {image} more than once", where=f"{self.name}: prompt", remedy=remedy)
        return prompt if named else PLACE * count + prompt

    def score(self, item: Item, answer: Answer) -> Score:
        """The answer's score: the scorer's value, when the language is right too."""
        expected = self.expected(item)
        language_ok = not self.language or is_language(answer.text, self.language)
        return Score(
            value=self._value(answer, expected) if language_ok else 0.0,
            loss=_choice_loss(answer, expected) if self.scorer.choices else _gold_loss(answer),
            truncated=answer.truncated,
            language_ok=language_ok,
        )

    def right(self, item: Item, answer: Answer) -> float:
        """The scorer's value, whatever the answer's language."""
        return self._value(answer, self.expected(item))

    def _value(self, answer: Answer, expected: Expected) -> float:
        try:
            return self.scorer.score(answer, expected)
        except SlowExpression as error:
            raise error.within(f"{self.name}: pattern") from None

    @property
    def named_fields(self) -> frozenset[str]:
        """The fields that templates and `choices` name."""
        templates = {"prompt": self.prompt, "system": self.system or "", "gold": self.gold}
        names = {name for key, text in templates.items() for name in field_names(text, key=f"{self.name}: {key}")}
        return frozenset(names | ({self.choices} if isinstance(self.choices, str) else set()))

    @property
    def decides_early(self) -> bool:
        """Whether an answer's score can be certain before its end. Where a language is required, only the end shows that."""
        return not self.language and self.scorer.name in ("exact", "contains")

    def decision(self, item: Item) -> Decision | None:
        """When an answer's score is certain; None for tasks where only the end shows that."""
        if not self.decides_early:
            return None
        return Decision("exact" if self.scorer.name == "exact" else "contains", self.expected(item).references)

    def plain_prompt(self, item: Item) -> str:
        """The prompt before the chat template, without the pictures."""
        return self._filled("prompt", self.prompt, {**item.fields, IMAGE: ""} if item.pictures else item.fields)

    def gold_text(self, item: Item) -> str:
        """The correct answer as text; of several, the first."""
        fields = {name: item.texts(name)[0] for name in item.fields}
        return self._filled("gold", self.gold, fields)

    def expected(self, item: Item) -> Expected:
        """What the scorer compares with."""
        choices = item.texts(self.choices) if isinstance(self.choices, str) else self.choices
        references = item.texts("answer") if "answer" in item.fields else ()
        return Expected(references, choices, self.pattern, self.language, item.right)

    def _filled(self, key: str, template: str, fields: Mapping[str, Value]) -> str:
        return fill(template, fields, key=f"{self.name}: {key}")


def weighted_mean(values: Mapping[str, float], weights: Mapping[str, float]) -> float:
    """The mean of the tasks' values, each weighted by its share of the sum of all weights.

    Raises `KeyError` when a task has no weight, `ValueError` when there is no task.
    """
    total = sum(weights[task] for task in values)
    if not values or total <= 0:
        raise ValueError("a score needs at least one task with a weight above 0")
    return sum(weights[task] / total * value for task, value in values.items())


def _stands_for_picture(what: str, mark: PictureMark, where: str, remedy: str) -> InputError:
    return InputError(f"{what} has {mark.token!r}, which stands for a picture", where=where, remedy=remedy)


def _gold_loss(answer: Answer) -> float:
    return -answer.gold_logprob / answer.gold_tokens if answer.gold_tokens else math.nan


def _choice_loss(answer: Answer, expected: Expected) -> float:
    if expected.right is None or expected.right >= len(answer.choice_logprobs):
        return math.nan
    logprob, tokens = answer.choice_logprobs[expected.right]
    return -logprob / tokens if tokens else math.nan
