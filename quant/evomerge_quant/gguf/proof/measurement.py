"""What verification measures: a GGUF and its reference on the same items."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import torch

from evomerge_core.errors import InputError
from evomerge_core.tasks.evaluator import Answer
from evomerge_quant.gguf.proof.comparison import Divergence, Stretch, compare
from evomerge_quant.gguf.proof.file_logits import FileLogits
from evomerge_quant.gguf.proof.proof_items import ProofItem
from evomerge_quant.gguf.proof.reference import ModelReference
from evomerge_quant.llama.answering import GgufAnswer, answer_rows, batch_tokens
from evomerge_quant.llama.context import UBATCH
from evomerge_quant.llama.model import LlamaModel
from evomerge_quant.llama.vocabulary import gguf_vocabulary
from evomerge_quant.resident.answering.rows import QuestionRow, make_rows
from evomerge_quant.resident.answering.vocabulary import Vocabulary

# What is being compared (`tokens`, `distributions`, `answers`), and how much of the whole proof is done, 0 to 1.
OnProgress = Callable[[str, float], None]
_SPACE = "\u2581"
# Logits of one text, float32: 256 MiB. Of a longer one the last positions are compared.
_LOGITS_OF_ONE = 2**26
# The share of a proof's time that has passed when the distributions, and when the file's answers are there.
_DISTRIBUTIONS, _ANSWERS = 0.6, 0.85


@dataclass
class Measured:
    """What is known so far; the rest stays None when the file breaks down on the way.

    `mismatches` counts items with other token ids, and `why_other_ids` says why where only the token that begins every text
    differs, or spaces. `trouble` are further failures in words.
    """

    mismatches: int | None = None
    why_other_ids: str = ""
    divergence: Divergence | None = None
    greedy: float | None = None
    score: float | None = None
    reference_score: float | None = None
    trouble: list[str] = field(default_factory=list)


def measure(model: LlamaModel, reference: ModelReference, found: Measured, report: OnProgress) -> None:
    """Fills `found` step by step. InputError, LlamaError or CandidateError where the file breaks down."""
    report("tokens", 0.0)
    vocabulary = gguf_vocabulary(model)
    rows = make_rows([item.question for item in reference.items], vocabulary, model.training_context)
    differing = [
        (own.prompt, wanted.prompt)
        for own, wanted in zip(rows, reference.rows, strict=True)
        if _ids(own, vocabulary) != _ids(wanted, reference.vocabulary)
    ]
    found.mismatches = len(differing)
    found.why_other_ids = _begin_token_trouble(model, differing) or _space_trouble(model, differing)
    found.trouble += _end_troubles(model, reference.vocabulary)
    found.divergence = _divergence(model, reference, report)
    report("answers", _DISTRIBUTIONS)
    written = answer_rows(model, rows, vocabulary)
    report("answers", _ANSWERS)
    found.greedy = _greedy_agreement(reference, written)
    found.score = score_of(reference.items, [row.answer for row in written])
    if found.score is not None:
        found.reference_score = score_of(reference.items, reference.answers)
    report("answers", 1.0)


def score_of(items: Sequence[ProofItem], answers: Sequence[Answer]) -> float | None:
    """The weighted mean of the items' scores; None when none is scored."""
    scored = [(item.weight, item.score(answer)) for item, answer in zip(items, answers, strict=True) if item.score]
    return sum(weight * value for weight, value in scored) / sum(weight for weight, _ in scored) if scored else None


def _ids(row: QuestionRow, vocabulary: Vocabulary) -> tuple[list[int], list[int], tuple[list[int], ...]]:
    """Prompt, gold answer without its end token, choices."""
    gold = row.gold if vocabulary.end is None else row.gold[:-1]
    return row.prompt, gold, row.choices


def _begin_token_trouble(model: LlamaModel, prompts: Sequence[tuple[list[int], list[int]]]) -> str:
    """Why the file's prompts differ from the model's, where the token that begins every text is all; "" otherwise.

    llama.cpp has a default for each kind of tokenizer, which holds where neither tokenizer.json nor tokenizer_config.json says.
    """
    if model.begin is None or not prompts:
        return ""
    begin = model.token_text(model.begin)
    if all(own == [model.begin, *wanted] for own, wanted in prompts):
        return f"the file begins every text with {begin}; set add_bos_token to false in the model's tokenizer_config.json"
    if all([model.begin, *own] == wanted for own, wanted in prompts):
        return f"the file leaves out {begin}, which begins every text"
    return ""


def _space_trouble(model: LlamaModel, prompts: Sequence[tuple[list[int], list[int]]]) -> str:
    """Why the file's prompts differ where it is only in spaces; "" otherwise.

    As SentencePiece does, llama.cpp puts one before every text, and also after each special token. transformers puts none
    before a text that begins with one, and in its newer way none after special tokens. llama.cpp has one switch for all of it.
    """
    if not prompts:
        return ""
    written = [("".join(map(model.token_text, own)), "".join(map(model.token_text, wanted))) for own, wanted in prompts]
    if not all(own != wanted and own.replace(_SPACE, "") == wanted.replace(_SPACE, "") for own, wanted in written):
        return ""
    return (
        "llama.cpp puts a space before every text and after every special token, transformers none before a text that begins "
        "with one; begin no prompt with a space, or, where prompts begin with a special token, set add_prefix_space to false "
        "in the model's tokenizer_config.json"
    )


def _end_troubles(model: LlamaModel, vocabulary: Vocabulary) -> list[str]:
    if vocabulary.end is None or vocabulary.end in model.ends:
        return []
    return [f"the token that ends an answer, {model.token_text(vocabulary.end)!r}, does not end it in the file"]


def _divergence(model: LlamaModel, reference: ModelReference, report: OnProgress) -> Divergence:
    most = max(1, _LOGITS_OF_ONE // model.vocabulary_size)
    texts = [_latest((*row.prompt, *row.gold[:-1]), len(reference.prefix), most) for row in reference.rows]
    largest = max((token for text in texts for token in text.tokens), default=0)
    if largest >= model.vocabulary_size:
        raise InputError(f"its vocabulary has {model.vocabulary_size} tokens, the model uses token {largest}")
    batches = list(_batches(texts, len(reference.prefix), batch_tokens(model)))
    if reference.prefix:
        batches.insert(0, [_latest(reference.prefix, 0, most)])
    with FileLogits(model, reference.prefix, batches) as file:
        return compare(_reported(batches, report), reference.logits, file.logits)


def _latest(tokens: tuple[int, ...], start: int, most: int) -> Stretch:
    return Stretch(tokens, max(start, len(tokens) - most))


def _batches(texts: Sequence[Stretch], skipped: int, most_tokens: int) -> Iterator[list[Stretch]]:
    """Texts of about the same length together, at most `most_tokens` with padding, the first `skipped` not counted."""
    batch: list[Stretch] = []
    for text in sorted(texts, key=lambda text: -len(text.tokens)):
        longest = len((batch or [text])[0].tokens) - skipped
        if batch and (len(batch) + 1) * longest > most_tokens:
            yield batch
            batch = []
        batch.append(text)
    if batch:
        yield batch


def _reported(batches: Sequence[Sequence[Stretch]], report: OnProgress) -> Iterator[Sequence[Stretch]]:
    for number, batch in enumerate(batches):
        report("distributions", _DISTRIBUTIONS * number / len(batches))
        yield batch


def _greedy_agreement(reference: ModelReference, answers: Sequence[GgufAnswer]) -> float | None:
    """The reference reads the file's answers: up to where its own most likely token is another, both would write the same."""
    texts = [
        Stretch((*row.prompt, *answer.tokens), len(row.prompt) - 1)
        for row, answer in zip(reference.rows, answers, strict=True)
        if answer.tokens
    ]
    agreed = total = 0
    for batch in _batches(texts, len(reference.prefix), UBATCH):
        for text, logits in zip(batch, reference.logits(batch), strict=True):
            same = logits[:-1].argmax(dim=-1).cpu() == torch.tensor(text.tokens[text.start + 1 :])
            agreed += int(same.long().cumprod(dim=0).sum())
            total += len(same)
    return agreed / total if total else None
