"""A whole export: merge if needed, check, convert once, quantise to each type, verify, and only then name the file."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from evomerge_core.errors import InputError
from evomerge_core.files.durable import flush_file, rename
from evomerge_core.files.full_disk import full_disk, is_full
from evomerge_core.merging.model_folder.folder import unwritable
from evomerge_core.sources.stored.fingerprint import sha256_of
from evomerge_quant.gguf.convert.convert import check_model, convert_eyes, run_converter
from evomerge_quant.gguf.convert.plain_view import plain_view
from evomerge_quant.gguf.full_disk import AGAIN_ELSEWHERE
from evomerge_quant.gguf.plan import ExportPlan, PlannedFile
from evomerge_quant.gguf.progress import ExportStep, OnStep
from evomerge_quant.gguf.proof.proof_items import ProofItem
from evomerge_quant.gguf.proof.sight_proof import SightProof
from evomerge_quant.gguf.quantize.quantize import quantize
from evomerge_quant.gguf.runners.handover import Handover, Runner, hand_over, require_handover
from evomerge_quant.gguf.subject.subject import Subject, metadata
from evomerge_quant.llama.mmproj_file import SUSPECT


class ProofLike(Protocol):
    """What an export needs to know about a proof."""

    @property
    def passed(self) -> bool: ...

    @property
    def failures(self) -> tuple[str, ...]: ...

    def to_json(self) -> dict[str, Any]: ...


# Verifies a GGUF and its `mmproj` with pictures, against the model folder that they were made of.
ProveSight = Callable[[Path, Path, Path, str, OnStep], SightProof]
# Verifies a GGUF against the model folder that it was made of; the string is its type.
Prove = Callable[[Path, Path, str, OnStep], ProofLike]


@dataclass(frozen=True)
class ExportedFile:
    """A finished file; `handover` says what was written for the runner and what comes next."""

    path: Path
    type: str
    bytes: int
    bits_per_weight: float
    sha256: str
    proof: ProofLike | None = None
    handover: Handover | None = None
    sight: SightProof | None = None

    @property
    def suspect(self) -> bool:
        return not _sound(self.proof, self.sight)

    def to_json(self) -> dict[str, Any]:
        return {
            "path": str(self.path),
            "type": self.type,
            "bytes": self.bytes,
            "bits_per_weight": round(self.bits_per_weight, 3),
            "sha256": self.sha256,
            "proof": None if self.proof is None else self.proof.to_json(),
            "handover": None if self.handover is None else self.handover.to_json(),
            **({} if self.sight is None else {"sight": self.sight.to_json()}),
        }


@dataclass(frozen=True)
class ExportedEyes:
    """The `mmproj` file of a vision-language model; `failures` says why it isn't what the model sees with."""

    path: Path
    bytes: int
    sha256: str
    failures: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {"path": str(self.path), "bytes": self.bytes, "sha256": self.sha256, "failures": list(self.failures)}


@dataclass(frozen=True)
class Exported:
    """All files of an export in the plan's order, and the warnings."""

    files: tuple[ExportedFile, ...]
    warnings: tuple[str, ...]
    eyes: ExportedEyes | None = None

    @property
    def passed(self) -> bool:
        return not any(file.suspect for file in self.files) and (self.eyes is None or not self.eyes.failures)


def export(
    plan: ExportPlan,
    converter: subprocess.Popen[bytes],
    on_step: OnStep,
    *,
    prove: Prove | None,
    calibration: Sequence[ProofItem] = (),
    runner: Runner | None = None,
    prove_sight: ProveSight | None = None,
    converter_folder: Path | None = None,
) -> Exported:
    """Carries a plan out; `converter` is waiting (`waiting_converter`), `calibration` the items for the importance matrix.

    The `mmproj` file of a vision-language model is made first, by another converter of `converter_folder`. A file that fails
    verification gets `.suspect` in its name. InputError for a model that the gate refuses, a failing step, and a place that
    can't be written. Finished files stay, and nothing else does, whatever ends the export.
    """
    with _workspace(plan) as place:
        model = _model(plan.subject, place, on_step)
        on_step(ExportStep("check"))
        warnings = check_model(converter, model)
        require_handover(runner, model)
        eyes = _eyes(plan, place, model, converter_folder, on_step)
        plain = place / "plain.part"
        run_converter(converter, model, plain, plan.subject.kind, metadata(plan.subject), on_step)
        imatrix = _imatrix(plan, place, model, plain, calibration, on_step)
        made = {}
        # The others are made from the plain file, so it comes last.
        for file in sorted(plan.files, key=lambda file: file.type.name == plan.subject.kind):
            made[file.path] = _make(file, plan, plain, model, imatrix, prove, runner, on_step, eyes, prove_sight)
        seen = None if eyes is None else _finish_eyes(plan, eyes, [file.sight for file in made.values()])
    return Exported(tuple(made[file.path] for file in plan.files), (*plan.warnings, *warnings), seen)


@contextlib.contextmanager
def _workspace(plan: ExportPlan) -> Iterator[Path]:
    """A hidden folder in the destination, on the same disk, so that a finished file only needs its name."""
    place = plan.destination / f".{plan.subject.name.stem}.part"
    created = [folder for folder in (plan.destination, *plan.destination.parents) if not folder.exists()]
    try:
        shutil.rmtree(place, ignore_errors=True)
        try:
            place.mkdir(parents=True)
        except OSError as error:
            if is_full(error):
                raise
            raise InputError(
                f"{plan.destination}: can't be written ({error.strerror}); give another place with --out"
            ) from None
        yield place
    except InputError as error:
        raise error.naming(_meant(plan, place)) from error
    except OSError as error:
        if is_full(error):
            raise full_disk(plan.destination, plan.needed, then=AGAIN_ELSEWHERE) from error
        reason = unwritable(error)
        if reason is None:
            raise
        raise InputError(f"{plan.destination}: {reason}; give another place with --out") from None
    finally:
        shutil.rmtree(place, ignore_errors=True)
        for folder in created:
            with contextlib.suppress(OSError):
                folder.rmdir()  # only when it is still empty


def _meant(plan: ExportPlan, place: Path) -> dict[str, str]:
    """What the user calls the files of the workspace."""
    parts = {f"{file.type.name}.part": file.path for file in plan.files}
    files = {"plain.part": plan.files[0].path, **parts, "model": plan.subject.label, "": plan.destination}
    return {str(place / name): str(meant) for name, meant in files.items()}


def _model(subject: Subject, place: Path, on_step: OnStep) -> Path:
    if subject.folder is not None:
        return subject.folder
    assert subject.merge is not None
    on_step(ExportStep("merge"))
    subject.merge(place / "model")
    return place / "model"


def _imatrix(
    plan: ExportPlan, place: Path, model: Path, plain: Path, calibration: Sequence[ProofItem], on_step: OnStep
) -> Path | None:
    if not plan.imatrix or all(file.type.is_float for file in plan.files):
        return None
    from evomerge_quant.gguf.quantize.imatrix import collect, save_imatrix
    from evomerge_quant.llama.model import Offload, open_gguf

    with open_gguf(plain, offload=Offload(0)) as opened:
        architecture = opened.metadata["general.architecture"]
    path = place / "imatrix.npz"
    # An adapter that lies in the folder is not part of the model, but transformers would load it and what its settings name.
    with plain_view(model, place / "view") as view:
        save_imatrix(path, collect(view, architecture, calibration, on_step))
    return path


def _make(
    file: PlannedFile,
    plan: ExportPlan,
    plain: Path,
    model: Path,
    imatrix: Path | None,
    prove: Prove | None,
    runner: Runner | None,
    on_step: OnStep,
    eyes: Path | None,
    prove_sight: ProveSight | None,
) -> ExportedFile:
    made = plain
    if file.type.name != plan.subject.kind:
        made = plain.with_name(f"{file.type.name}.part")
        quantize(plain, made, file.type, on_step, imatrix)
    proof = None if prove is None else prove(made, model, file.type.name, on_step)
    sight = None if eyes is None or prove_sight is None else prove_sight(made, eyes, model, file.type.name, on_step)
    suspect = not _sound(proof, sight)
    final = file.path.with_name(f"{file.path.stem}{SUSPECT}.gguf") if suspect else file.path
    flush_file(made)
    rename(made, final)
    size = final.stat().st_size
    bits = 8 * size / max(1, plan.subject.shapes.parameters)
    seen_with = None if plan.eyes is None else plan.eyes.path
    usable = not suspect and not (sight and sight.eyes_failures)
    handover = hand_over(runner, final, model, plan.subject.name, seen_with) if runner is not None and usable else None
    return ExportedFile(final, file.type.name, size, bits, sha256_of(final), proof, handover, sight)


def _sound(proof: ProofLike | None, sight: SightProof | None) -> bool:
    """Whether a file passed all that it was tried by; where the eyes are at fault, it isn't."""
    return (proof is None or proof.passed) and (sight is None or not sight.failures)


def _eyes(plan: ExportPlan, place: Path, model: Path, converter: Path | None, on_step: OnStep) -> Path | None:
    """The `mmproj` file: what is there already, a copy of the user's, or converted."""
    planned, subject = plan.eyes, plan.subject
    if planned is None or subject.eyes is None or planned.ready:
        return None if planned is None else planned.path
    made = place / "mmproj.part"
    if planned.given is not None:
        shutil.copyfile(planned.given, made)
    else:
        assert converter is not None
        convert_eyes(converter, model, made, subject.eyes.family, metadata(subject), on_step)
    return made


def _finish_eyes(plan: ExportPlan, made: Path, sights: Sequence[SightProof | None]) -> ExportedEyes:
    planned = plan.eyes
    assert planned is not None
    failures = next((sight.eyes_failures for sight in sights if sight is not None and sight.eyes_failures), ())
    final = planned.path
    if made != final:
        final = final.with_name(f"{final.stem}{SUSPECT}.gguf") if failures else final
        flush_file(made)
        rename(made, final)
    return ExportedEyes(final, final.stat().st_size, sha256_of(final), failures)
