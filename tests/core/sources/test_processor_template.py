"""A chat template that lies beside a processor is the model's, unless the tokenizer has its own."""

from __future__ import annotations

import json
from pathlib import Path

from evomerge_core.sources.pretrained import read_tokenizer
from evomerge_core.sources.vocabulary.chat_template import template_of
from support.source_models import write_tokenizer

OWN, BESIDE = "{{ messages[0].content }}", "user: {{ messages[0].content }}"


def model(folder: Path, beside: object, **special: str) -> Path:
    folder.mkdir()
    write_tokenizer(folder, ["a", "b"], tokenizer_class="PreTrainedTokenizerFast", **special)
    (folder / "chat_template.json").write_text(json.dumps(beside), encoding="utf-8")
    return folder


def test_the_processors_template_is_taken_where_the_tokenizer_has_none(tmp_path: Path) -> None:
    folder = model(tmp_path / "beside", {"chat_template": BESIDE})
    assert template_of(folder) == read_tokenizer(folder).chat_template == BESIDE
    own = model(tmp_path / "own", {"chat_template": BESIDE}, chat_template=OWN)
    assert template_of(own) == read_tokenizer(own).chat_template == OWN
    none = model(tmp_path / "none", {"chat_template": 5})
    assert template_of(none) is None
    assert not read_tokenizer(none).chat_template
