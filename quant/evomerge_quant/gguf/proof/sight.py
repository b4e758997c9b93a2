"""Two GGUF files, a language part and its `mmproj`, compared with the vision-language model that they were made of."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from evomerge_core.errors import InputError
from evomerge_quant.gguf.proof.bounds import ProofBounds, bounds_of
from evomerge_quant.gguf.proof.comparison import divergences
from evomerge_quant.gguf.proof.seeing_reference import ReadItem, SeeingReference, ShownItem
from evomerge_quant.gguf.proof.sight_proof import SightProof
from evomerge_quant.llama.context import UBATCH, LlamaContext, LlamaError
from evomerge_quant.llama.eyes import (
    LlamaEyes,
    PictureSpan,
    Unit,
    cells_of,
    open_eyes,
    positions_of,
    prompt_units,
    read_units,
)
from evomerge_quant.llama.model import LlamaModel, open_gguf

# Tokens of an answer that is compared.
_ANSWER = 16
# How far features may be from transformers', as a share of their length. Measured on pictures that needn't be resized, in F16,
# tiny random SmolVLM, Idefics3, Qwen2-VL, Qwen2.5-VL, Qwen3-VL and Gemma 3: 0.0007 to 0.0016; where a tile was resized 0.004.
# Two rows of a projector exchanged: above 0.1; another model's eyes: about 1.
MOST_FEATURE_ERROR = 0.03
# What the eyes' 16 bits cost: measured on tiny random models 0.0000003 to 0.00025.
EYES_NOISE = 2e-3


@dataclass(frozen=True)
class _Seen:
    """An item through the files: how far the features are off, whether the tokens are the model's, KL and agreement."""

    error: float
    same_tokens: bool
    kl: torch.Tensor
    top1: torch.Tensor
    agreed: int
    written: int


def prove_sight(reference: SeeingReference, gguf: Path, mmproj: Path, *, type_name: str) -> SightProof:
    """Shows drawn pictures to both. A file that can't be used fails; nothing is raised."""
    started = time.perf_counter()
    bounds = _bounds(reference, type_name)
    seen: list[_Seen] = []
    trouble: list[str] = []
    try:
        with open_gguf(gguf) as model, open_eyes(model, mmproj) as eyes:
            seen += [_look(reference, model, eyes, item) for item in reference.items()]
    except (InputError, LlamaError) as error:
        trouble.append(f"the files can't be used: {error}")
    kl = torch.cat([one.kl for one in seen]) if seen else torch.empty(0)
    mean_kl = float(kl.mean()) if len(kl) else None
    written = sum(one.written for one in seen)
    eyes_failures = (*trouble, *_faults_of_eyes(seen))
    is_far = mean_kl is not None and not eyes_failures and not mean_kl <= bounds.mean_kl
    far = f"with pictures, mean KL {mean_kl:.2g} is above {bounds.mean_kl:g} ({bounds.reason})" if is_far else ""
    return SightProof(
        type_name=type_name,
        items=len(seen),
        positions=len(kl),
        feature_error=_furthest(seen),
        token_mismatches=_mismatches(seen),
        mean_kl=mean_kl,
        max_kl=float(kl.max()) if len(kl) else None,
        top1_agreement=float(torch.cat([one.top1 for one in seen]).float().mean()) if seen else None,
        greedy_agreement=sum(one.agreed for one in seen) / written if written else None,
        reference_precision=reference.precision,
        bounds=bounds,
        most_feature_error=MOST_FEATURE_ERROR,
        eyes_failures=eyes_failures,
        failures=(far,) if far else (),
        seconds=time.perf_counter() - started,
    )


def _furthest(seen: Sequence[_Seen]) -> float | None:
    return max((one.error for one in seen), default=None)


def _mismatches(seen: Sequence[_Seen]) -> int:
    return sum(not one.same_tokens for one in seen)


def _faults_of_eyes(seen: Sequence[_Seen]) -> Iterator[str]:
    """What the `mmproj` file makes of pictures that transformers doesn't."""
    furthest, mismatches = _furthest(seen), _mismatches(seen)
    if furthest is not None and not furthest <= MOST_FEATURE_ERROR:
        most = f"more than {MOST_FEATURE_ERROR:g}"
        yield f"what it makes of pictures is {furthest:.2g} of its length away from transformers', {most}"
    if mismatches:
        yield f"{mismatches} of {len(seen)} pictures have other tokens in the prompt than transformers writes"


def _bounds(reference: SeeingReference, type_name: str) -> ProofBounds:
    text = bounds_of(type_name, parameters=reference.parameters, reference_precision=reference.precision)
    return replace(text, mean_kl=text.mean_kl + EYES_NOISE, reason=f"{text.reason}; the eyes have 16 bits")


def _look(reference: SeeingReference, model: LlamaModel, eyes: LlamaEyes, item: ShownItem) -> _Seen:
    read = reference.read(item)
    before, after = item.prompt.split(reference.shown, 1)
    # The model's own tokens around the picture: whether the file makes the same of a text is compared without pictures.
    units = prompt_units((before, eyes.look(item.picture), after), reference.encode, eyes.around)
    behind = next(at for at, unit in enumerate(reversed(units)) if isinstance(unit, PictureSpan))
    found, answer = _written(model, eyes, units, behind)
    wanted = reference.logits(read, answer[:-1], len(found))
    shared = min(wanted.shape[-1], found.shape[-1])
    likeliest = wanted[:, :shared].argmax(dim=-1)
    own = likeliest[behind - 1 :].tolist()
    agreed = next((at for at, (ours, theirs) in enumerate(zip(answer, own, strict=True)) if ours != theirs), len(answer))
    return _Seen(
        error=_error(read, units),
        same_tokens=_ids(units, reference.image_token) == read.tokens,
        kl=divergences(wanted, found),
        top1=likeliest == found[:, :shared].argmax(dim=-1),
        agreed=agreed,
        written=len(answer),
    )


def _written(model: LlamaModel, eyes: LlamaEyes, units: Sequence[Unit], behind: int) -> tuple[torch.Tensor, list[int]]:
    """The file's logits after the tokens behind the picture and after all but the last of its own greedy tokens, and these."""
    cells = cells_of(units) + _ANSWER
    with LlamaContext(model, cells=max(cells, UBATCH)) as context:
        logits = [read_units(context, eyes, units, wanted=behind)]
        position = positions_of(units)
        answer = [int(logits[-1][-1].argmax())]
        while len(answer) < _ANSWER and answer[-1] not in model.ends:
            logits.append(read_units(context, eyes, answer[-1:], position=position, wanted=1))
            position += 1
            answer.append(int(logits[-1][-1].argmax()))
    return torch.from_numpy(np.concatenate(logits)), answer


def _error(read: ReadItem, units: Sequence[Unit]) -> float:
    """1 where there are more or fewer features than transformers has."""
    own = torch.from_numpy(np.concatenate([unit.features for unit in units if isinstance(unit, PictureSpan)]))
    wanted = read.features
    if len(own) != len(wanted):
        return 1.0
    # Behind a feature Qwen3-VL's have what is added to the first layers' output.
    return float((own[:, : wanted.shape[1]] - wanted).norm() / wanted.norm())


def _ids(units: Sequence[Unit], image_token: int) -> list[int]:
    return [token for unit in units for token in ([unit] if isinstance(unit, int) else [image_token] * unit.tokens)]
