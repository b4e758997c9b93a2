"""Makes the results that `tests/core/fixed_merge/test_published_merges.py` compares with: mergekit 0.1.5's, on tiny models.

    python tests/benchmarks/published_merges.py [--work FOLDER]

Every file of `tests/core/fixed_merge/data/published` is merged twice, as it stands and with every dtype replaced by float32.
Of each tensor the numbers at even distances are kept, in `expected.safetensors` under `FILE-DTYPE/TENSOR`. Files that mergekit
refuses are named on the way.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from pathlib import Path

from mergekit_environment import merge_all, mergekit_environment
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.published_models import write_published_models

PUBLISHED = Path(__file__).parents[1] / "core" / "fixed_merge" / "data" / "published"
KEPT = 8
# A tensor of each kind; all of them would make a large file.
COMPARED = re.compile(r"q_proj|down_proj|input_layernorm|embed_tokens|model\.norm|lm_head")


def main() -> int:
    """Writes `expected.safetensors` anew."""
    parser = argparse.ArgumentParser(description="Merges published configurations of tiny models with mergekit.")
    parser.add_argument("--work", type=Path, help="keep mergekit's environment here (default: a temporary folder)")
    work = parser.parse_args().work
    with tempfile.TemporaryDirectory() as place:
        python = mergekit_environment((work or Path(place)) / "environment").absolute()
        models = Path(place) / "models"
        write_published_models(models)
        jobs = []
        for file in sorted(PUBLISHED.glob("*.yml")):
            # What older mergekits wrote `model:NAME` is NAME in this one.
            published = file.read_text(encoding="utf-8").replace("tokenizer_source: model:", "tokenizer_source: ")
            for dtype, text in (("published", published), ("float32", in_float32(published))):
                name = f"{file.stem}-{dtype}"
                (models / f"{name}.yml").write_text(text, encoding="utf-8")
                jobs.append((f"{name}.yml", f"{name}-out", text.count("\n---\n") + 1))
        print(merge_all(python, jobs, models))
        made = {file[:-4]: tensors(models / out) for file, out, _ in jobs}
    expected = {f"{name}/{key}": kept(child[key]) for name, child in made.items() for key in child if COMPARED.search(key)}
    save_file(expected, PUBLISHED / "expected.safetensors")
    return 0


def in_float32(text: str) -> str:
    """A configuration with maths and result in float32."""
    text = re.sub(r"(?m)^(out_)?dtype:.*\n", "", text)
    return re.sub(r"(?m)^(merge_method:.*)$", r"\1\ndtype: float32\nout_dtype: float32", text)


def kept(tensor: Tensor) -> Tensor:
    """At most eight numbers at even distances, the first among them."""
    flat = tensor.reshape(-1)
    return flat[:: max(1, len(flat) // KEPT)][:KEPT].clone()


def tensors(folder: Path) -> dict[str, Tensor]:
    """A child's tensors by name; none where mergekit refused to make it."""
    files = [safe_open(file, "pt") for file in sorted(folder.glob("*.safetensors"))]
    return {name: file.get_tensor(name) for file in files for name in file.offset_keys()}  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    sys.exit(main())
