"""What is exported: a candidate of a run, or a model folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evomerge_core.files.json_file import read_json
from evomerge_core.merging.model_folder.card import public_name
from evomerge_core.sources.checkpoint import open_checkpoint
from evomerge_core.sources.source import Source
from evomerge_core.sources.tokens import vocabulary
from evomerge_core.sources.vision.families import family_of
from evomerge_quant.gguf.quantize.mixture import Shapes
from evomerge_quant.gguf.subject.export_paths import EXPORTS
from evomerge_quant.gguf.subject.naming import ModelName, name_model

if TYPE_CHECKING:
    from evomerge_core.merging.config import DType
    from evomerge_core.run.setup import Setup

_DTYPES: Mapping[str, DType] = {"BF16": "bfloat16", "F16": "float16", "F32": "float32"}


@dataclass(frozen=True)
class EyesFacts:
    """The family of a vision-language model, and how many numbers its tower and projector hold."""

    family: str
    kind: str
    parameters: int


@dataclass(frozen=True)
class Subject:
    """A model to export.

    `folder` holds it, or is None where `merge` must write it first: a candidate, and files that transformers alone can read.
    `kind` (BF16, F16 or F32) holds its weights without loss. `home` is where its files go by default. `vocabulary_bytes` is the
    approximate size of its tokenizer, `eyes` what a vision-language model sees with.
    """

    label: str
    name: ModelName
    shapes: Shapes
    kind: str
    vocabulary_bytes: int
    home: Path
    folder: Path | None
    merge: Callable[[Path], None] | None = None
    description: str = ""
    warnings: tuple[str, ...] = ()
    setup: Setup | None = None
    eyes: EyesFacts | None = None

    @property
    def seeing(self) -> bool:
        """Whether it is a vision-language model, which becomes two files."""
        return self.eyes is not None


def subject_of_folder(path: Path) -> Subject:
    """The model in a folder. InputError when it can't be read, or is quantised already."""
    source = Source(str(path), open_checkpoint(path))
    phi3, kind = is_phi3(source), _kind(source)
    shapes = shapes_of(source, {name: source.shape(name) for name in source.names})
    plain = source.checkpoint.plain
    return Subject(
        label=path.name,
        name=name_model(public_name(path.absolute()), shapes.parameters, phi3=phi3),
        shapes=shapes,
        kind=kind,
        vocabulary_bytes=vocabulary_bytes(source),
        home=path / EXPORTS,
        folder=path if plain else None,
        merge=None if plain else partial(_write_plainly, source=source, kind=kind),
        eyes=eyes_of(source),
    )


def eyes_of(source: Source) -> EyesFacts | None:
    """What a model sees with; None for a text model."""
    body = source.checkpoint.body
    if body is None:
        return None
    family = family_of(source.config).title
    return EyesFacts(family, str(source.config.get("model_type")), body.parameters(tuple(body.tensors)))


def _write_plainly(folder: Path, source: Source, kind: str) -> None:
    """The model as transformers reads it: a tied matrix under the embedding's name, and no layer beyond the last."""
    # The engine's loops take seconds to load.
    from evomerge_core.merging.config import whole_model
    from evomerge_core.merging.merge import write_merge

    itself = replace(whole_model(source.reference, source.reference), out_dtype=_DTYPES[kind])
    write_merge(folder, itself, {source.reference: source}, f"merge_method: passthrough\nmodels: [{{model: {folder.name}}}]\n")


def shapes_of(source: Source, tensors: Mapping[str, tuple[int, ...]], layers: int | None = None) -> Shapes:
    """What sizes are predicted from; `layers` where a child has another number of them than the source."""
    text = source.config.get("text_config")
    stated = text if isinstance(text, Mapping) else source.config

    def count(*names: str) -> int:
        return next((value for name in names if isinstance(value := stated.get(name), int)), 0)

    heads = count("num_attention_heads", "n_head")
    return Shapes(
        tensors,
        layers=layers or count("num_hidden_layers", "n_layer") or 1,
        grouped=max(1, heads // (count("num_key_value_heads") or heads or 1)),
        experts=count("num_local_experts", "num_experts", "n_routed_experts"),
    )


def _kind(source: Source) -> str:
    """The float type that holds every matrix without loss; vectors are float32 in a GGUF anyway."""
    checkpoint = source.checkpoint
    found = {checkpoint.facts(name).dtype for name in source.names if len(source.shape(name)) > 1}
    return found.pop() if len(found) == 1 else "F32"


def vocabulary_bytes(source: Source) -> int:
    """About how many bytes a tokenizer takes in a GGUF: tokens with lengths, types and scores, and about as many merges."""
    return sum(2 * len(token.encode()) + 25 for token in vocabulary(source) or {})


def is_phi3(source: Source) -> bool:
    """Whether special tokens swallow the white space after them, as Phi-3's do."""
    path = source.tokenizer_folder / "tokenizer.json"
    if source.config.get("model_type") != "phi3" or not path.is_file():
        return False
    return any(token.get("rstrip") for token in read_json(path).get("added_tokens") or ())


def metadata(subject: Subject) -> dict[str, Any]:
    """What is written into the GGUF in addition to the model's card and config."""
    described = {"general.description": subject.description} if subject.description else {}
    return {**subject.name.metadata(), **described, "general.quantized_by": "evomerge-tui"}
