"""The whole check of a card, on models that are generated for it."""

from __future__ import annotations

import gc
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from importlib.metadata import version
from pathlib import Path

import torch

from evomerge_core.errors import InputError, unknown_name
from evomerge_core.merging.model_folder.folder import require_space
from evomerge_core.sources.source import open_sources
from evomerge_core.tasks.evaluator import CandidateError
from evomerge_quant.card_check import steps
from evomerge_quant.card_check.generated_models import FINE_TUNES, write_models
from evomerge_quant.card_check.results import CardReport, CardResult
from evomerge_quant.planning.card_sizes.model_sizes import MODEL_SIZES, shapes_of
from evomerge_quant.planning.machine.timings import count_parameters
from evomerge_quant.resident.network.skeleton import Precision
from evomerge_quant.resident.out_of_memory import OutOfMemory, is_out_of_memory

_PRECISIONS: tuple[Precision, ...] = ("nf4", "int8", "bf16")
_ROWS, _NEW_TOKENS = 64, 64
_LIBRARIES = ("torch", "bitsandbytes", "transformers")


def check_card(size: str, folder: Path, on_result: Callable[[CardResult], None] = lambda _: None) -> CardReport:
    """Tries everything, on models of a size of `MODEL_SIZES` that are written to a temporary folder below `folder`.

    Raises InputError without a card, for an unknown size, and where the disk has no room for the models.
    """
    if not torch.cuda.is_available():
        remedy = "see `evomerge-tui doctor` for what is missing"
        raise InputError("torch finds no CUDA device", where="--card", remedy=remedy)
    if size not in MODEL_SIZES:
        raise unknown_name("size", size, MODEL_SIZES, where="--size")
    started = time.perf_counter()
    parameters = count_parameters(shapes_of(MODEL_SIZES[size]))
    require_space(folder, (1 + len(FINE_TUNES)) * 2 * parameters)
    results: list[CardResult] = []
    with tempfile.TemporaryDirectory(prefix=".evomerge-card-", dir=folder) as place:
        folders = write_models(Path(place), MODEL_SIZES[size])
        sources = open_sources([str(one) for one in folders], relative_to=Path(place))
        bench = steps.Bench(folders, sources, MODEL_SIZES[size].words)
        for found in _results(bench):
            on_result(found)
            results.append(found)
        del bench, sources
    versions = {name: version(name) for name in _LIBRARIES} | {"CUDA": str(torch.version.cuda)}
    seconds = time.perf_counter() - started
    return CardReport(_card(), versions, size, parameters, seconds, tuple(results))


def _results(bench: steps.Bench) -> Iterator[CardResult]:
    yield from _or_failure("kernels", steps.kernels)
    for precision in _PRECISIONS:
        yield from _or_failure(f"parity with the CPU, {precision}", partial(steps.parity, bench, precision))
    yield from _or_failure("merge and load", partial(steps.candidates, bench, "nf4"))
    for precision in _PRECISIONS:
        yield from _or_failure(f"answers, {precision}", partial(steps.speed, bench, precision, _ROWS, _NEW_TOKENS))
        yield from _or_failure(f"memory, {precision}", partial(steps.peak_memory, bench, precision, _ROWS, _NEW_TOKENS))
    yield from _or_failure("out of memory, nf4", partial(steps.out_of_memory, bench, "nf4"))
    yield from _or_failure("export's reference", partial(steps.export_reference, bench))


def _or_failure(subject: str, attempt: Callable[[], Iterable[CardResult]]) -> Iterator[CardResult]:
    """The attempt's results, as they come; then why the rest was left out for want of memory, or what failed."""
    gc.collect()
    torch.cuda.empty_cache()
    try:
        yield from attempt()
    # whatever a card makes of its work is a result: the other attempts and the report still come
    except (CandidateError, RuntimeError, MemoryError) as error:
        short = isinstance(error, OutOfMemory) or is_out_of_memory(error)
        yield CardResult(subject, "skipped" if short else "bad", " ".join(str(error).split()), {})


def _card() -> str:
    facts = torch.cuda.get_device_properties(0)
    return f"{facts.name}, {facts.total_memory / 1e9:.0f} GB, compute capability {facts.major}.{facts.minor}"
