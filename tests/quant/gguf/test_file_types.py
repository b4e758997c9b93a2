"""Types are known by name; what can't be made, or would be garbage, is refused before anything starts."""

from __future__ import annotations

import pytest

from evomerge_core.errors import InputError
from evomerge_quant.gguf.quantize.file_types import FILE_TYPES, find_types


def test_every_type_has_the_number_that_llama_cpp_gives_it() -> None:
    llama_cpp = pytest.importorskip("llama_cpp")
    gguf = pytest.importorskip("gguf")
    for file_type in FILE_TYPES.values():
        assert isinstance(getattr(llama_cpp, file_type.constant), int)
    for name in ("F32", "F16", "BF16", "Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "IQ4_XS", "Q3_K_M", "IQ1_M"):
        number = getattr(llama_cpp, FILE_TYPES[name].constant)
        assert gguf.LlamaFileType(number).name.partition("_")[2] == name


def test_names_are_found_in_any_case_and_by_llama_cpps_aliases_each_once() -> None:
    assert [kind.name for kind in find_types(["q8_0", "Q4_K", "q4-k-m", "f16"], imatrix=False)] == ["Q8_0", "Q4_K_M", "F16"]


def test_an_unknown_type_is_answered_with_the_nearest() -> None:
    with pytest.raises(InputError, match=r"unknown type 'Q4_K_N'; did you mean 'Q4_K_[MS]'"):
        find_types(["Q4_K_N"], imatrix=False)


def test_very_low_types_need_an_importance_matrix() -> None:
    with pytest.raises(InputError, match="--imatrix"):
        find_types(["IQ2_XS"], imatrix=False)
    assert find_types(["IQ2_XS"], imatrix=True)[0].name == "IQ2_XS"
