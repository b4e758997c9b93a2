"""Makes the rows that `tests/core/fixed_merge/test_token_rows.py` compares with: mergekit 0.1.5's, on tiny models.

    python tests/benchmarks/token_rows.py [--work FOLDER]

Every file of `tests/core/fixed_merge/data/token_rows` is merged. Embedding and head are kept whole in `expected.safetensors`
under `FILE/TENSOR`, and each file's tokens with their ids in `tokens.json`.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from mergekit_environment import merge_all, mergekit_environment
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.token_models import write_token_models

FILES = Path(__file__).parents[1] / "core" / "fixed_merge" / "data" / "token_rows"
ENDS = ("model.embed_tokens.weight", "lm_head.weight")


def main() -> int:
    """Writes `expected.safetensors` and `tokens.json` anew."""
    parser = argparse.ArgumentParser(description="Merges models of different vocabularies with mergekit.")
    parser.add_argument("--work", type=Path, help="keep mergekit's environment here (default: a temporary folder)")
    work = parser.parse_args().work
    with tempfile.TemporaryDirectory() as place:
        python = mergekit_environment((work or Path(place)) / "environment").absolute()
        models = Path(place) / "models"
        write_token_models(models)
        names = [file.stem for file in sorted(FILES.glob("*.yml"))]
        for name in names:
            (models / f"{name}.yml").write_text((FILES / f"{name}.yml").read_text(encoding="utf-8"), encoding="utf-8")
        print(merge_all(python, [(f"{name}.yml", f"{name}-out", 1) for name in names], models))
        children = {name: load_file(models / f"{name}-out" / "model.safetensors") for name in names}
        tokens = {name: Tokenizer.from_file(str(models / f"{name}-out" / "tokenizer.json")).get_vocab() for name in names}
    save_file({f"{name}/{end}": child[end] for name, child in children.items() for end in ENDS}, FILES / "expected.safetensors")
    kept = {name: dict(sorted(ids.items(), key=lambda entry: entry[1])) for name, ids in tokens.items()}
    (FILES / "tokens.json").write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
