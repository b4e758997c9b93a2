"""The types of GGUF files: names, sizes, and what is published about their loss."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from evomerge_core.errors import InputError, unknown_name

LOSS_SOURCE = "Llama-3-8B on Wikitext-2, llama.cpp tools/perplexity/README.md"
_TERNARY = "only for models trained in such weights"


@dataclass(frozen=True)
class FileType:
    """One type of GGUF file.

    `tensors` is the ggml type of most of its tensors. `loss` is the published change of perplexity against 16 bits, and
    `loss_imatrix` the same with an importance matrix; None where nothing is published (see LOSS_SOURCE).
    """

    name: str
    tensors: str
    loss: float | None = None
    loss_imatrix: float | None = None
    needs_imatrix: bool = False
    note: str = ""

    @property
    def constant(self) -> str:
        """The name of llama.cpp's number for it, as llama_cpp has it."""
        return "LLAMA_FTYPE_ALL_F32" if self.name == "F32" else f"LLAMA_FTYPE_MOSTLY_{self.name}"

    @property
    def is_float(self) -> bool:
        """Whether it holds plain numbers, so that nothing is quantised."""
        return self.name in ("F32", "F16", "BF16")

    def expected_loss(self, *, imatrix: bool) -> float | None:
        """The published change of perplexity; with an importance matrix, where one was published."""
        return self.loss_imatrix if imatrix and self.loss_imatrix is not None else self.loss


FILE_TYPES = {
    file_type.name: file_type
    for file_type in (
        FileType("F32", "F32", 0.0),
        FileType("BF16", "BF16", 0.0),
        FileType("F16", "F16", 0.002),
        FileType("Q8_0", "Q8_0", 0.003),
        FileType("Q6_K", "Q6_K", 0.022),
        FileType("Q5_K_M", "Q5_K", 0.057),
        FileType("Q5_K_S", "Q5_K", 0.105),
        FileType("Q5_1", "Q5_1", 0.106),
        FileType("Q5_0", "Q5_0", 0.132),
        FileType("Q4_K_M", "Q4_K", 0.175, 0.151),
        FileType("Q4_K_S", "Q4_K", 0.269, 0.178),
        FileType("Q4_1", "Q4_1", 0.451),
        FileType("Q4_0", "Q4_0", 0.469),
        FileType("IQ4_NL", "IQ4_NL", None, 0.224),
        FileType("IQ4_XS", "IQ4_XS", None, 0.228),
        FileType("Q3_K_L", "Q3_K", 0.556, 0.440),
        FileType("Q3_K_M", "Q3_K", 0.657, 0.503),
        FileType("Q3_K_S", "Q3_K", 1.632, 1.371),
        FileType("IQ3_M", "IQ3_S", None, 0.667),
        FileType("IQ3_S", "IQ3_S", None, 0.734),
        FileType("IQ3_XS", "IQ3_S", None, 0.931, needs_imatrix=True),
        FileType("IQ3_XXS", "IQ3_XXS", None, 1.227, needs_imatrix=True),
        FileType("Q2_K", "Q2_K", 3.520, 2.416),
        FileType("Q2_K_S", "Q2_K", None, 3.092, needs_imatrix=True),
        FileType("IQ2_M", "IQ2_S", None, 2.369, needs_imatrix=True),
        FileType("IQ2_S", "IQ2_XS", None, 3.419, needs_imatrix=True),
        FileType("IQ2_XS", "IQ2_XS", None, 4.530, needs_imatrix=True),
        FileType("IQ2_XXS", "IQ2_XXS", None, 7.860, needs_imatrix=True),
        FileType("IQ1_M", "IQ1_M", None, 19.262, needs_imatrix=True),
        FileType("IQ1_S", "IQ1_S", None, 54.463, needs_imatrix=True),
        FileType("TQ2_0", "TQ2_0", note=_TERNARY),
        FileType("TQ1_0", "TQ1_0", note=_TERNARY),
        FileType("Q2_0", "Q2_0", note=_TERNARY),
        FileType("Q1_0", "Q1_0", note=_TERNARY),
        FileType("MXFP4_MOE", "MXFP4", note="experts in MXFP4, everything else in Q8_0"),
    )
}
# What llama.cpp's own tool understands by these.
_ALIASES = {"Q3_K": "Q3_K_M", "Q4_K": "Q4_K_M", "Q5_K": "Q5_K_M"}


def find_types(names: Iterable[str], *, imatrix: bool) -> tuple[FileType, ...]:
    """The types by name, in any case, each once.

    InputError for a name that isn't known, and for a type that needs an importance matrix where there is none.
    """
    found = {file_type.name: file_type for file_type in map(_find, names)}
    for file_type in found.values():
        if file_type.needs_imatrix and not imatrix:
            raise InputError(
                f"--type {file_type.name}: needs an importance matrix; add --imatrix, or use a type such as Q4_K_M"
            )
    return tuple(found.values())


def _find(name: str) -> FileType:
    wanted = name.upper().replace("-", "_")
    wanted = _ALIASES.get(wanted, wanted)
    if wanted not in FILE_TYPES:
        raise unknown_name("type", wanted, FILE_TYPES, where="--type")
    return FILE_TYPES[wanted]
