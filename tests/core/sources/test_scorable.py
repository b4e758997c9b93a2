from __future__ import annotations

from pathlib import Path

import pytest
from transformers import AutoModelForCausalLM, Glm4MoeConfig, LlamaConfig, MixtralConfig, PreTrainedConfig, Qwen3MoeConfig

from evomerge_core.sources.checks.scorable import scoring_problems
from evomerge_core.sources.source import open_source
from support.source_models import SIZES

FAMILIES: dict[str, PreTrainedConfig] = {
    "llama": LlamaConfig(**SIZES),
    "mixtral": MixtralConfig(**SIZES, num_local_experts=4),
    "qwen3_moe": Qwen3MoeConfig(**SIZES, num_experts=4, num_experts_per_tok=2, moe_intermediate_size=32, head_dim=16),
    "glm4_moe": Glm4MoeConfig(**SIZES, n_routed_experts=4, num_experts_per_tok=2, moe_intermediate_size=32, head_dim=16),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_can_be_scored_whose_parameters_are_named_as_they_are_stored(tmp_path: Path, family: str) -> None:
    network = AutoModelForCausalLM.from_config(FAMILIES[family])
    network.save_pretrained(tmp_path / family)
    source = open_source(family, relative_to=tmp_path)
    named = set(source.names) <= {name for name, _ in network.named_parameters()}
    lines = [str(problem) for problem in scoring_problems(source)]
    assert (lines == []) == named
    for line in lines:
        assert line.startswith(f"{tmp_path / family / 'config.json'}: a run can't score {family} yet")
        assert "evomerge-tui merge" in line
