"""Names follow ggml's convention, and never make llama.cpp take one family for another."""

from __future__ import annotations

import re

import pytest

from evomerge_quant.gguf.subject.naming import name_model

# ggml, docs/gguf.md, "Validating Above Naming Convention", with Python's spelling of named groups.
CONVENTION = re.compile(
    r"^(?:(?P<Sidecar>mmproj|mtp)-)?(?P<BaseName>[A-Za-z0-9\s]*(?:(?:-(?:(?:[A-Za-z\s][A-Za-z0-9\s]*)|(?:[0-9\s]*)))*))-"
    r"(?:(?P<SizeLabel>(?:\d+x)?(?:\d+\.)?\d+[A-Za-z](?:-[A-Za-z]+(\d+\.)?\d+[A-Za-z]+)?)(?:-(?P<FineTune>[A-Za-z0-9\s-]+))?)?-"
    r"(?:(?P<Version>v\d+(?:\.\d+)*))(?:-(?P<Encoding>(?!LoRA|vocab)[\w_]+))?(?:-(?P<Type>LoRA|vocab))?"
    r"(?:-(?P<Shard>\d{5}-of-\d{5}))?\.gguf$"
)


@pytest.mark.parametrize(
    ("public", "parameters", "made", "parts"),
    [
        ("HuggingFaceTB/SmolLM2-135M-Instruct", 134_515_008, "", ("SmolLM2", "135M", "Instruct", "v1.0")),
        ("SmolLM2-135M-Instruct", 134_515_008, "quickstart", ("SmolLM2", "135M", "quickstart", "v1.0")),
        ("owner/Mistral-7B-Instruct-v0.3", 7_248_023_552, "", ("Mistral", "7.2B", "Instruct", "v0.3")),
        ("owner/Mistral-7B-v0.1", 7_241_732_096, "maths g3.12", ("Mistral", "7.2B", "maths-g3-12", "v1.0")),
        ("Hermes-2-Pro-Llama-3-8B", 8_030_261_248, "", ("Hermes-2-Pro-Llama-3", "8.0B", None, "v1.0")),
        ("my_folder", 146_000, "", ("my-folder", "146K", None, "v1.0")),
    ],
)
def test_file_names_validate(public: str, parameters: int, made: str, parts: tuple[str | None, ...]) -> None:
    found = CONVENTION.match(name_model(public, parameters, made=made).file_name("Q4_K_M"))
    assert found is not None
    assert (found["BaseName"], found["SizeLabel"], found["FineTune"], found["Version"]) == parts
    assert found["Encoding"] == "Q4_K_M"


@pytest.mark.parametrize("public", ["phi3-killer", "My-Phi-3-Beater-7B", "PHI3"])
def test_only_phi3_is_called_phi3(public: str) -> None:
    """llama-vocab.cpp looks for phi-3 and phi3 in the lower-cased name."""
    other, phi = (name_model(public, 1000, phi3=flag).title.lower() for flag in (False, True))
    assert not any(mark in other for mark in ("phi-3", "phi3"))
    assert "phi-3" in phi
    assert "phi-3" in name_model("finetune-of-mine", 1000, phi3=True).title.lower()
