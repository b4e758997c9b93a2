"""What a vision-language model is made of, as facts for a table or JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from evomerge_core.sources.architecture import settings, tower_settings
from evomerge_core.sources.checks.bodies import language_kind
from evomerge_core.sources.source import Source
from evomerge_core.sources.tensors.names import EMBEDDING
from evomerge_core.sources.tokens import vocabulary
from evomerge_core.sources.vision.body import Body, processor_files
from evomerge_core.sources.vision.families import family_of
from evomerge_core.sources.vocabulary.image_rows import image_rows, image_token


@dataclass(frozen=True)
class TowerFacts:
    """The vision tower: its model type, layers, width, and the sides of its pictures and patches in pixels."""

    kind: str
    layers: int | None
    width: int | None
    image_size: int | None
    patch_size: int | None
    parameters: int


@dataclass(frozen=True)
class ProjectorFacts:
    """What leads from the tower to the language part: what its tensors' names begin with."""

    names: tuple[str, ...]
    parameters: int


@dataclass(frozen=True)
class VisionFacts:
    """A vision-language model. `stored_as` is what its language part's names begin with on disk.

    `image_rows` counts the rows of the embedding that stand for pictures and are never merged, `fitting` says which text models
    can be merged into it, and `limits` what can't be done with it.
    """

    family: str
    tower: TowerFacts
    projector: ProjectorFacts
    stored_as: str
    image_token: str | None
    image_rows: int
    processor: tuple[str, ...]
    fitting: str
    limits: tuple[str, ...]


def vision_facts(source: Source) -> VisionFacts | None:
    """The facts of a model with eyes; None for a text model."""
    body = source.checkpoint.body
    if body is None:
        return None
    return VisionFacts(
        family=family_of(source.config).title,
        tower=_tower(source, body),
        projector=ProjectorFacts(_beginnings(body), body.parameters(body.projector)),
        stored_as=body.layout.model,
        image_token=_image_token(source),
        image_rows=len(image_rows(source)),
        processor=tuple(path.name for path in processor_files(source.folder)),
        fitting=_fitting(source),
        limits=tuple(_limits(source)),
    )


def _tower(source: Source, body: Body) -> TowerFacts:
    stated = tower_settings(source)
    return TowerFacts(
        kind=str(stated.get("model_type", "unknown")),
        layers=_first(stated, "num_hidden_layers", "depth"),
        width=_first(stated, "embed_dim", "hidden_size"),
        image_size=_first(stated, "image_size"),
        patch_size=_first(stated, "patch_size"),
        parameters=body.parameters(body.tower),
    )


def _first(stated: Mapping[str, Any], *keys: str) -> int | None:
    return next((value for key in keys if type(value := stated.get(key)) is int), None)


def _beginnings(body: Body) -> tuple[str, ...]:
    """The modules that the projector's tensors belong to, such as `model.connector`."""
    prefixes = ("model.visual", "visual", "model")
    found = []
    for name in body.projector:
        before = next((prefix for prefix in prefixes if name.startswith(f"{prefix}.")), "")
        module = name.removeprefix(f"{before}.").partition(".")[0] if before else name.partition(".")[0]
        found.append(f"{before}.{module}" if before else module)
    return tuple(dict.fromkeys(found))


def _image_token(source: Source) -> str | None:
    row = image_token(source)
    if row is None:
        return None
    strings = {own: token for token, own in (vocabulary(source) or {}).items()}
    return f"{strings[row]} ({row})" if row in strings else str(row)


def _fitting(source: Source) -> str:
    stated = settings(source)
    rows = next((source.shape(name)[0] for name in source.names if EMBEDDING.search(name)), 0)
    widths = f"hidden size {stated.get('hidden_size')}, intermediate size {stated.get('intermediate_size')}"
    heads = f"{stated.get('num_attention_heads')} heads ({stated.get('num_key_value_heads')} for keys)"
    layers = f"{stated.get('num_hidden_layers')} layers"
    rope = stated.get("rope_parameters") or {}
    base = f", rope_theta {rope['rope_theta']:g}" if "rope_theta" in rope else ""
    return (
        f"text models of type {language_kind(source)}: {layers}, {widths}, {heads}{base}, a vocabulary like its {rows} tokens"
    )


def _limits(source: Source) -> Iterator[str]:
    family = family_of(source.config)
    if family.fixed_layers:
        yield f"no paths: {family.fixed_layers}"
    if family.beyond:
        yield f"merged by `merge`, not scored by `run`: {family.beyond}"
