"""Where a candidate's files lie: in its run, whatever its recipe calls it."""

from __future__ import annotations

from pathlib import Path

import pytest

from evomerge_quant.gguf.subject.export_paths import candidate_exports


@pytest.mark.parametrize("name", ["../../../x", "/x", "..", "a/../../../../x", "..\\..\\x", "x\ny"])
def test_a_parents_name_leads_no_export_outside(tmp_path: Path, name: str) -> None:
    place = candidate_exports(tmp_path, name)
    assert place.parent.parent == tmp_path / "candidates"
    assert place.resolve().is_relative_to(tmp_path.resolve() / "candidates")


def test_ordinary_candidates_keep_their_folders(tmp_path: Path) -> None:
    for label, folder in (("g4.5", "g4.5"), ("uniform 0.5", "uniform-0.5"), ("Qwen2.5-Math", "Qwen2.5-Math")):
        assert candidate_exports(tmp_path, label) == tmp_path / "candidates" / folder / "gguf"
