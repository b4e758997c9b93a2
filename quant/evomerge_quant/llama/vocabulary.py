"""A GGUF file's tokenizer where a transformers one is expected."""

from __future__ import annotations

from dataclasses import dataclass

from evomerge_quant.llama.model import LlamaModel
from evomerge_quant.resident.answering.vocabulary import Vocabulary


@dataclass(frozen=True)
class _Encoded:
    ids: list[int]


@dataclass(frozen=True)
class _Tokenizer:
    model: LlamaModel

    def encode(self, sequence: str, *, add_special_tokens: bool) -> _Encoded:
        return _Encoded(self.model.tokenize(sequence, special=add_special_tokens))

    def decode(self, ids: list[int], *, skip_special_tokens: bool) -> str:
        if not skip_special_tokens:
            return "".join(self.model.token_text(token) for token in ids)
        return self.model.text(ids)


def gguf_vocabulary(model: LlamaModel) -> Vocabulary:
    """The vocabulary that is in the file, with the tokens that end an answer."""
    return Vocabulary(_Tokenizer(model), model.ends, model.end)
