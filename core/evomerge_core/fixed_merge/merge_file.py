"""Files that say one fixed merge: mergekit's configurations, and paths with scales, which mergekit has no words for."""

from __future__ import annotations

from dataclasses import dataclass, replace

from evomerge_core.files.yaml_file import YamlFile
from evomerge_core.fixed_merge.fixed_merge import FixedMerge
from evomerge_core.fixed_merge.mergekit import merge_in, notices_in, write_mergekit
from evomerge_core.fixed_merge.path_file import MARK, one_model, path_in, straight_runs, write_path_file
from evomerge_core.merging.config import MergeConfig, Slice, SliceSource
from evomerge_core.paths.path import Hop, Path
from evomerge_core.paths.path_merge import PathMerge

MERGEKIT_FILE = "mergekit_config.yml"
PATH_FILE = "evomerge_path.yml"


@dataclass(frozen=True)
class FixedFile:
    """A fixed merge as a file: the name that its kind of file has beside a model, and its text.

    `notices` are lines about what the file says that has no effect.
    """

    fixed: FixedMerge
    name: str
    text: str
    notices: tuple[str, ...] = ()


def fixed_in(file: YamlFile) -> FixedFile:
    """The merge that a file describes; models stay as written. InputError in one line when it is not right.

    mergekit's passthrough of layers (a frankenmerge) is a path without scales.
    """
    if MARK in file.data:
        return FixedFile(path_in(file), PATH_FILE, file.text)
    config = merge_in(file)
    return FixedFile(path_of_slices(config) or config, MERGEKIT_FILE, file.text, notices_in(file))


def write_fixed_file(fixed: FixedMerge) -> FixedFile:
    """The merge as a file that `fixed_in` reads back: mergekit's wherever that has the words."""
    config = fixed if isinstance(fixed, MergeConfig) else slices_of_path(fixed)
    if config is not None:
        return FixedFile(fixed, MERGEKIT_FILE, write_mergekit(config))
    assert isinstance(fixed, PathMerge)
    return FixedFile(fixed, PATH_FILE, write_path_file(fixed))


def path_of_slices(config: MergeConfig) -> PathMerge | None:
    """The path that passes layers through; None for any other merge, and where parameters change what passes."""
    own_tokenizer = config.tokenizer != "base" or config.tokens or config.pad_to_multiple_of is not None
    plain = config.method == "passthrough" and not own_tokenizer and not config.parameters and config.base is None
    slices = [part for part in config.slices if part.method is None and part.base is None and not part.parameters]
    passed = [part.sources[0] for part in slices if len(part.sources) == 1 and part.sources[0].layers]
    if not plain or len(passed) < len(config.slices) or any(source.parameters for source in passed):
        return None
    models = list(dict.fromkeys(source.model for source in passed))
    members = tuple(replace(config, slices=(Slice((SliceSource(model),)),), chat_template=None) for model in models)
    hops = [Hop(models.index(source.model), layer) for source in passed for layer in range(*(source.layers or (0, 0)))]
    tokenizer = models[0] if config.tokenizer_named else None
    return PathMerge(members, Path(tuple(hops)), config.seed, tokenizer, config.chat_template)


def slices_of_path(child: PathMerge) -> MergeConfig | None:
    """A path without scales through models as they are, as mergekit's slices; None for any other."""
    models = [one_model(config) for config in child.members]
    if child.path.is_scaled or child.tokenizer is not None or None in models:
        return None
    slices = tuple(
        Slice((SliceSource(str(models[run[0].source]), (run[0].layer, run[-1].layer + 1)),))
        for run in straight_runs(child.path)
    )
    first = child.members[0]
    return MergeConfig(
        "passthrough",
        slices,
        dtype=first.dtype,
        out_dtype=first.out_dtype,
        chat_template=child.chat_template,
        seed=child.seed,
    )
