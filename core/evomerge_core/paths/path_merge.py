"""The child of a path: an ordinary, longer model, whose every layer is a hop, with the path's scales folded into weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path as Folder

from torch import Tensor

from evomerge_core.errors import InputError
from evomerge_core.merging.config import MergeConfig
from evomerge_core.merging.engine import MergeEngine
from evomerge_core.merging.merge import DTYPES, is_tied, layer_origins
from evomerge_core.merging.model_folder.card import model_card
from evomerge_core.merging.model_folder.chat_template import chosen_template
from evomerge_core.merging.model_folder.child_config import LayerOrigin, child_config
from evomerge_core.merging.model_folder.folder import ModelFiles, write_model
from evomerge_core.merging.model_folder.vocabulary_settings import generation_config, with_vocabulary
from evomerge_core.merging.plan.eyes import eyes_of, require_places
from evomerge_core.merging.plan.layers import LayerStack, find_layers
from evomerge_core.merging.plan.plan import TensorMerge, make_plan
from evomerge_core.merging.plan.slices import plan_slices, references
from evomerge_core.paths.fold import Fold, require_fold
from evomerge_core.paths.path import Path
from evomerge_core.sources.source import Source
from evomerge_core.sources.tensors.names import is_head
from evomerge_core.sources.vocabulary.child_vocabulary import child_vocabulary


@dataclass(frozen=True)
class PathMerge:
    """A path through the layers of `members`, each a fixed merge (of one model as it is, or of several).

    The members' dtypes are the first one's; `seed` names their random masks. `tokenizer` names the model whose vocabulary and
    tokenizer the child has, and its eyes where no member sees; None: those of the first hop's member.
    """

    members: tuple[MergeConfig, ...]
    path: Path
    seed: int = 0
    tokenizer: str | None = None
    chat_template: str | None = None


@dataclass(frozen=True)
class PathTensor:
    """A tensor of the child: its name, what it is merged from, and the gain that it is divided by (1: none)."""

    name: str
    merge: TensorMerge
    gain: float = 1.0


@dataclass(frozen=True)
class MemberTensors:
    """A member's tensors, merge by name, and its layers."""

    plan: Mapping[str, TensorMerge]
    stack: LayerStack

    @property
    def layers(self) -> int:
        return len(self.stack.layers)

    def layer(self, index: int) -> Iterator[tuple[str, TensorMerge]]:
        """A layer's tensors, each with what follows the layer's number in its name."""
        for rest in self.stack.layers[index]:
            yield rest, self.plan[self.stack.name(index, rest)]

    def before(self) -> Iterator[TensorMerge]:
        """What comes before the layers: the embeddings."""
        return (self.plan[name] for name in self.stack.before if not is_head(name))

    def after(self) -> Iterator[TensorMerge]:
        """What comes after the layers: the final norm, and the head where there is one."""
        outside = (*self.stack.after, *self.stack.before)
        yield from (self.plan[name] for name in self.stack.after if not is_head(name))
        yield from (self.plan[name] for name in outside if is_head(name))


def plan_member(config: MergeConfig, sources: Mapping[str, Source], eyes: str | None = None) -> MemberTensors:
    """The tensors of a member; `eyes` and InputError as in `make_plan`."""
    plan = {merge.name: merge for merge in make_plan(config, sources, eyes)}
    return MemberTensors(plan, find_layers(plan, "child"))


def plan_path(child: PathMerge, sources: Mapping[str, Source]) -> tuple[PathTensor, ...]:
    """The child's tensors: embeddings of the first hop's member, every hop as a layer of its own, norm and head of the last's.

    InputError for a layer that a member doesn't have, and for scales that the architecture can't fold.
    """
    eyes = path_eyes(child, sources)
    members = [plan_member(config, sources, eyes) for config in child.members]
    fold = fold_of(child, sources)
    hops = child.path.hops
    placed = [PathTensor(merge.name, merge) for merge in members[hops[0].source].before()]
    prefix = members[hops[0].source].stack.prefix
    for number, (hop, gain) in enumerate(zip(hops, child.path.gains, strict=True)):
        member = members[hop.source]
        if not 0 <= hop.layer < member.layers:
            raise InputError(
                f"layer {hop.layer}: the model has layers 0 to {member.layers - 1}",
                where=f"path[{number}]",
                remedy="give one of them",
            )
        for rest, merge in member.layer(hop.layer):
            own = gain if fold is not None and fold.applies(rest) else 1.0
            placed.append(PathTensor(f"{prefix}{number}.{rest}", merge, own))
    return (*placed, *(PathTensor(merge.name, merge) for merge in members[hops[-1].source].after()))


def fold_of(child: PathMerge, sources: Mapping[str, Source]) -> Fold | None:
    """How the child's scales are folded; None when it has none."""
    return require_fold(template_of(child.members[0], sources)) if child.path.is_scaled else None


def template_of(config: MergeConfig, sources: Mapping[str, Source]) -> Source:
    """The model whose config a merge's child has."""
    return sources[plan_slices(config, sources)[0].template.model]


def stream_path(placed: Sequence[PathTensor], engine: MergeEngine, fold: Fold | None) -> Iterator[tuple[str, Tensor]]:
    """The child's tensors by name, one at a time: each as its member has it on disk, then divided by its gain."""
    for planned, (_, tensor) in zip(placed, engine.stream([planned.merge for planned in placed]), strict=True):
        yield planned.name, tensor if fold is None or planned.gain == 1.0 else fold.divide(tensor, planned.gain)


def write_path(folder: Folder, child: PathMerge, sources: Mapping[str, Source], recipe: str, recipe_file: str) -> None:
    """Writes the child as a model folder, with `recipe` as the file `recipe_file`.

    `sources` holds an open source for each of the members' references and the tokenizer's. Raises InputError as `plan_path`,
    and when the folder can't be written.
    """
    first = child.members[0]
    placed = plan_path(child, sources)
    engine = MergeEngine(sources, DTYPES[first.dtype], DTYPES[first.out_dtype], child.seed)
    files = path_files(child, placed, sources, recipe, recipe_file)
    write_model(folder, stream_path(placed, engine, fold_of(child, sources)), files)


def path_files(
    child: PathMerge, placed: Sequence[PathTensor], sources: Mapping[str, Source], recipe: str, recipe_file: str
) -> ModelFiles:
    """All that the child's folder holds besides the numbers."""
    used = {reference: sources[reference] for config in child.members for reference in references(config)}
    layers = path_layers(child, sources)
    eyes = path_eyes(child, sources)
    if eyes is None:
        template = template_of(child.members[child.path.hops[0].source], sources)
        tokenizer = template if child.tokenizer is None else sources[child.tokenizer]
    else:
        template = tokenizer = sources[eyes]
        require_places(template, [layer for _, layer in layers])
    chat_template = chosen_template(child.chat_template, used)
    speaks = child_vocabulary(tokenizer, used.values(), chat_template)
    tied = is_tied(planned.name for planned in placed)
    out_dtype = child.members[0].out_dtype
    stated = child_config(template, layers, tied, out_dtype)
    return ModelFiles(
        shapes=path_shapes(placed, sources),
        dtype=DTYPES[out_dtype],
        config=with_vocabulary(stated, template, speaks),
        model_folder=template.folder,
        tokenizer_folder=speaks.folder,
        card=model_card("passthrough", list(used.values()), recipe, recipe_file),
        recipe=recipe,
        recipe_file=recipe_file,
        chat_template=chat_template,
        generation=generation_config(template, speaks),
        body=template.checkpoint.body,
    )


def path_shapes(placed: Sequence[PathTensor], sources: Mapping[str, Source]) -> dict[str, tuple[int, ...]]:
    """The shape of each of the child's tensors."""
    return {planned.name: sources[planned.merge.inputs[0].model].shape(planned.merge.inputs[0].name) for planned in placed}


def path_layers(child: PathMerge, sources: Mapping[str, Source]) -> list[LayerOrigin]:
    """For each hop the model whose config describes its layer, and which layer of that model it is."""
    origins = [layer_origins(plan_slices(config, sources), sources) for config in child.members]
    return [origins[hop.source][hop.layer] for hop in child.path.hops]


def path_references(child: PathMerge) -> tuple[str, ...]:
    """Every model that the members name, each once, the one whose names the child has first."""
    first = child.members[child.path.hops[0].source]
    return tuple(dict.fromkeys(reference for config in (first, *child.members) for reference in references(config)))


def path_eyes(child: PathMerge, sources: Mapping[str, Source]) -> str | None:
    """The model that the child sees with: the first of its members', else the one that gives the tokenizer; None for a text
    model."""
    return eyes_of((*path_references(child), *filter(None, [child.tokenizer])), sources)


def only_used(child: PathMerge) -> PathMerge:
    """The same child without the members that its path doesn't visit."""
    used = sorted({hop.source for hop in child.path.hops})
    hops = tuple(replace(hop, source=used.index(hop.source)) for hop in child.path.hops)
    return replace(child, members=tuple(child.members[source] for source in used), path=Path(hops))
