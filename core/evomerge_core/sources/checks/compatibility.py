"""Whether sources can be merged into a base, checked before anything starts: an error for each thing in the way."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from evomerge_core.errors import InputError
from evomerge_core.sources.architecture import settings
from evomerge_core.sources.checks.bodies import body_differences, has_eyes, language_kind, unread_eyes
from evomerge_core.sources.checks.finite import check_finite, refuse
from evomerge_core.sources.checks.soundness import own_problems
from evomerge_core.sources.checks.special_tokens import special_token_differences
from evomerge_core.sources.source import Source
from evomerge_core.sources.stored.fingerprint import sha256_of
from evomerge_core.sources.stored.tokenizer_files import vocabulary_file
from evomerge_core.sources.tensors.names import EMBEDDING, HEAD, is_head
from evomerge_core.sources.tensors.tie import second_copies
from evomerge_core.sources.tokens import shared_tokens, vocabulary, why_without_tokens

# Below this part of shared tokens two vocabularies are different ones, and rows would be aligned by accident.
SHARED_TOKENS = 0.9
SAME_FAMILY = "choose a source that was fine-tuned from the same model as the base"
# Settings that change what the same weights compute.
SETTINGS = (
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "head_dim",
    "rope_parameters",
    "partial_rotary_factor",
    "position_embedding_type",
    "alibi",
    "rms_norm_eps",
    "layer_norm_eps",
    "layer_norm_epsilon",
    "norm_eps",
    "norm_epsilon",
    "norm_type",
    "normalization_type",
    "use_qk_norm",
    "qk_layernorm",
    "hidden_act",
    "hidden_activation",
    "activation_function",
    "use_parallel_residual",
    "attention_bias",
    "mlp_bias",
    "layer_types",
    "num_local_experts",
    "num_experts",
    "num_experts_per_tok",
    "norm_topk_prob",
    "attn_logit_softcapping",
    "final_logit_softcapping",
    "query_pre_attn_scalar",
    "logit_scale",
    "logits_scaling",
    "embedding_multiplier",
    "residual_multiplier",
    "attention_multiplier",
)


def check(base: Source, sources: Sequence[Source], *, tokenizer: Source | None = None) -> list[InputError]:
    """An error for each config field or tensor that keeps a source from being merged into the base.

    Vocabularies that differ in height or order are no obstacle: rows are aligned by token. `tokenizer` is the model that was
    chosen to give the child its tokenizer; where nobody chose, it is the base's, and special tokens must be the same ones.
    Weights aren't scanned.
    """
    errors = [error for model in (base, *sources) for error in own_problems(model)]
    eyes = next((model for model in (base, *sources) if has_eyes(model)), None)
    for source in sources:
        if source is not base:
            errors += _differences(base, source, eyes, chosen=tokenizer is not None)
    return _without_repeats(errors)


def require(base: Source, sources: Sequence[Source], *, tokenizer: Source | None = None) -> None:
    """Raises InputError with the first obstacle to merging, and the number of others; scans for NaN and Inf as well."""
    scan = [error for model in (base, *sources) for error in check_finite(model)]
    refuse(_without_repeats([*check(base, sources, tokenizer=tokenizer), *scan]))


def require_compatible(base: Source, sources: Sequence[Source], *, tokenizer: Source | None = None) -> None:
    """As `require`, without the scan of all weights: for sources that were scanned when their run was made."""
    refuse(check(base, sources, tokenizer=tokenizer))


def _without_repeats(errors: Sequence[InputError]) -> list[InputError]:
    return list({str(error): error for error in errors}.values())


def _differences(base: Source, source: Source, eyes: Source | None, *, chosen: bool) -> Iterator[InputError]:
    """`eyes` is the model that the child sees with, `chosen` whether somebody chose whose tokenizer the child takes."""
    where = f"{source.reference}: config.json"
    read = _model_type if eyes is None else language_kind
    ours, theirs = read(base), read(source)
    if ours != theirs:
        unread = [error for model in (base, source) if (error := unread_eyes(model))]
        if unread:
            yield from unread
            return
        said = "its language part's model_type" if has_eyes(source) else "model_type"
        yield InputError(f"{said} is {theirs!r}, but {ours!r} in {base.reference}", where=where, remedy=SAME_FAMILY)
        return
    if eyes is not None:
        yield from body_differences(eyes, source)
    yield from _config_differences(base, source, where, own_heads=eyes is not None and not eyes.tied)
    yield from _tensor_differences(base, source)
    yield from _vocabulary_differences(base, source)
    # A child with eyes speaks as the model that gives them: there is nothing to choose.
    if not chosen and eyes is None and vocabulary_matches(base, source):
        yield from special_token_differences(base, source)


def _model_type(source: Source) -> object:
    return source.config.get("model_type")


def _config_differences(base: Source, source: Source, where: str, *, own_heads: bool) -> Iterator[InputError]:
    """`own_heads`: whether tied models come with their embedding for a head (`vocabulary.own_head`)."""
    ours, theirs = base.config.get("architectures"), source.config.get("architectures")
    if ours and theirs and ours != theirs and has_eyes(base) == has_eyes(source):
        yield InputError(f"architectures is {theirs}, but {ours} in {base.reference}", where=where, remedy=SAME_FAMILY)
    our_settings, their_settings = settings(base), settings(source)
    for field in SETTINGS:
        ours, theirs = _for_text(our_settings.get(field)), _for_text(their_settings.get(field))
        yield from _field_differences(field, ours, theirs, where, base.reference)
    if base.tied != source.tied and not own_heads:
        problem = f"tie_word_embeddings: the head is {_tie(source)}, but {_tie(base)} in {base.reference}"
        yield InputError(problem, where=where, remedy=_tie_remedy(base, source))


def _for_text(value: Any) -> Any:
    """Without what only pictures see, and what another class leaves unsaid.

    Positions of three parts (`mrope_section`) are those of a text model wherever there is no picture.
    """
    if isinstance(value, list) and set(value) == {"full_attention"}:
        return None
    if not isinstance(value, Mapping):
        return value
    return {key: one for key, one in value.items() if not key.startswith("mrope")}


def _field_differences(field: str, ours: Any, theirs: Any, where: str, base: str) -> Iterator[InputError]:
    if isinstance(ours, Mapping) and isinstance(theirs, Mapping):
        for key in sorted(ours.keys() | theirs.keys()):
            yield from _field_differences(f"{field}.{key}", ours.get(key), theirs.get(key), where, base)
    elif not _is_same(ours, theirs):
        yield InputError(f"{field} is {theirs!r}, but {ours!r} in {base}", where=where, remedy=SAME_FAMILY)


def _is_same(ours: Any, theirs: Any) -> bool:
    if isinstance(ours, (int, float)) and isinstance(theirs, (int, float)):
        # A value that went through float32 is written with other digits.
        return math.isclose(ours, theirs, rel_tol=1e-6)
    return bool(ours == theirs)


def _tie(source: Source) -> str:
    return "tied" if source.tied else "not tied"


def _tie_remedy(base: Source, source: Source) -> str:
    """A model may be saved as untied, its head a copy of the embedding; then nothing but its config stands in the way."""
    untied = source if base.tied else base
    head = next(name for name in untied.names if is_head(name))
    here = all(path.exists() for path in untied.checkpoint.files)
    if here and second_copies({}, untied.checkpoint.tensors):
        return f"set it to true in {untied.folder / 'config.json'}, since {head} there is a copy of the embedding"
    return f"choose a source that is {_tie(base)} like the base"


def _tensor_differences(base: Source, source: Source) -> Iterator[InputError]:
    tied_alike = base.tied == source.tied
    missing = [name for name in base.names if name not in source.checkpoint.tensors and (tied_alike or not HEAD.search(name))]
    extra = [name for name in source.names if name not in base.checkpoint.tensors and (tied_alike or not HEAD.search(name))]
    if missing:
        problem = f"{_listed(missing)} is missing, {base.reference} has it{_norm_hint(missing)}"
        yield InputError(problem, where=source.reference, remedy=SAME_FAMILY)
    if extra:
        problem = f"{_listed(extra)} is not in {base.reference}{_norm_hint(extra)}"
        yield InputError(problem, where=source.reference, remedy=SAME_FAMILY)
    for name in base.names:
        if name not in source.checkpoint.tensors:
            continue
        free = 1 if EMBEDDING.search(name) or HEAD.search(name) else 0
        ours, theirs = base.shape(name), source.shape(name)
        if len(ours) != len(theirs) or ours[free:] != theirs[free:]:
            problem = f"{name} is {list(theirs)}, but {list(ours)} in {base.reference}"
            yield InputError(problem, where=source.reference, remedy=SAME_FAMILY)
            return


def _listed(names: Sequence[str]) -> str:
    return names[0] + (f" (and {len(names) - 1} more tensors)" if len(names) > 1 else "")


def _norm_hint(names: Sequence[str]) -> str:
    return " (another norm type)" if re.search(r"norm|\.ln_", names[0]) else ""


def vocabulary_matches(base: Source, source: Source) -> bool:
    """Whether two models' tokens are the same ones, up to order and additions."""
    return shared_tokens(base, source) >= SHARED_TOKENS


def _vocabulary_differences(base: Source, source: Source) -> Iterator[InputError]:
    shared = shared_tokens(base, source)
    if shared < SHARED_TOKENS:
        problem = f"only {shared:.0%} of its tokens are those of {base.reference}"
        yield InputError(problem, where=source.tokenizer_folder / "tokenizer.json", remedy=SAME_FAMILY)
    for model in (base, source):
        if vocabulary(model) is not None or not _needs_tokens(base, source):
            continue
        reason, ours, theirs = why_without_tokens(model), _heights(base), _heights(source)
        other = "the tokenizers differ" if ours == theirs else f"the vocabularies have {theirs} and {ours} rows"
        yield InputError(
            f"{reason.problem}, and {other}",
            where=reason.where,
            remedy=f"{reason.remedy}, so that rows can be aligned by token",
        )


def _needs_tokens(base: Source, source: Source) -> bool:
    """Whether rows have to be matched: their number differs, or files of one name that can't be read do."""
    ours, theirs = (vocabulary_file(model.tokenizer_folder) for model in (base, source))
    if _heights(base) != _heights(source):
        return True
    return ours is not None and theirs is not None and ours.name == theirs.name and sha256_of(ours) != sha256_of(theirs)


def _heights(source: Source) -> int:
    return next((source.shape(name)[0] for name in source.names if EMBEDDING.search(name)), 0)
