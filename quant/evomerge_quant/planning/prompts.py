"""How a model reads a task's prompts, as far as its tokenizer and the sizes of pictures say it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from evomerge_core.errors import InputError
from evomerge_core.limited.chat_template import PictureMark
from evomerge_core.sources.pretrained import read_tokenizer
from evomerge_core.sources.source import Source
from evomerge_core.sources.vocabulary.image_rows import image_token
from evomerge_core.sources.vocabulary.picture_mark import picture_mark
from evomerge_core.tasks.evaluator import Question
from evomerge_core.tasks.items.items import Item
from evomerge_core.tasks.items.pictures import ItemPicture
from evomerge_core.tasks.task import Task

if TYPE_CHECKING:
    from evomerge_quant.resident.vision.standing_text import Standing


@dataclass(frozen=True)
class Prompts:
    """A tokenizer; for a vision-language model what marks a picture, and what stands for one of a (width, height)."""

    tokenizer: Any
    mark: PictureMark | None = None
    standing: Callable[[tuple[int, int]], Standing] | None = None

    def question(self, task: Task, item: Item) -> Question:
        """The item as the model reads it, each picture by its own tokens. InputError for a picture that it can't see."""
        question = task.question(item, self.tokenizer, self.mark)
        if self.mark is None or self.standing is None or not item.pictures:
            return question
        from evomerge_quant.resident.vision.standing_text import with_pictures_shown

        shown = (_seen(picture, self.standing).text for picture in item.pictures)
        return replace(question, prompt=with_pictures_shown(question.prompt, self.mark.token, shown))

    def features(self, pictures: Iterable[ItemPicture]) -> int:
        """How many features the pictures have together. InputError for one that the model can't see."""
        return 0 if self.standing is None else sum(_seen(picture, self.standing).features for picture in pictures)


def _seen(picture: ItemPicture, standing: Callable[[tuple[int, int]], Standing]) -> Standing:
    try:
        return standing(picture.size)
    except InputError as error:
        raise error.within(picture.where) from None


def prompts_of(base: Source | None, giver: Source) -> Prompts:
    """The prompts of a run on `base` whose children have `giver`'s tokenizer. InputError where that, or what says how pictures
    are prepared, can't be read."""
    tokenizer = read_tokenizer(giver.tokenizer_folder)
    mark = None if base is None else picture_mark(base)
    if base is None or mark is None:
        return Prompts(tokenizer)
    from evomerge_quant.resident.vision.standing_text import standing_texts

    feature = tokenizer.convert_ids_to_tokens(image_token(base))
    return Prompts(tokenizer, mark, standing_texts(base.folder, feature))
