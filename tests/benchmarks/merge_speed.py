"""How fast tensors are merged: the compiled loops against the methods' own functions on whole tensors.

    python tests/benchmarks/merge_speed.py [--layers 30] [--repeats 5]

The linear layers of SmolLM2-135M (106 M weights in 210 tensors), random, bf16 in and out; two task vectors, from two
fine-tuned checkpoints or from two LoRA adapters of rank 16. Nothing is quantised and nothing written. Each figure is a
median in seconds. "new density": as in a search that varies weights and densities, so that thresholds and norms are found
anew; "new weights": as in one that varies weights only. Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from evomerge_core.merging.config import MergeConfig, Setting, Slice, SliceSource
from evomerge_core.merging.engine import MergeEngine
from evomerge_core.merging.plan.plan import TensorMerge, make_plan
from evomerge_core.merging.whole_tensor import merge_whole
from evomerge_core.sources.source import Source, open_sources

# Rows and columns by layer of SmolLM2-135M.
SHAPES = {
    "self_attn.q_proj": (576, 576),
    "self_attn.k_proj": (192, 576),
    "self_attn.v_proj": (192, 576),
    "self_attn.o_proj": (576, 576),
    "mlp.gate_proj": (1536, 576),
    "mlp.up_proj": (1536, 576),
    "mlp.down_proj": (576, 1536),
}
RANK = 16
KINDS = {"checkpoints": ("first", "second"), "LoRA adapters": ("base+one", "base+two")}


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description="Compares the compiled loops with whole-tensor torch.")
    parser.add_argument("--layers", type=int, default=30)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        write_models(Path(folder), arguments.layers)
        sources = open_sources(["base", *KINDS["checkpoints"], *KINDS["LoRA adapters"]], relative_to=Path(folder))
        weights = sum(sources["base"].read(name).numel() for name in sources["base"].names)
        print(f"{weights / 1e6:.0f} M weights, {torch.get_num_threads()} threads\n")
        print("| method | task vectors from | whole-tensor torch | loops, new density | loops, new weights | times faster |")
        print("| --- | --- | ---: | ---: | ---: | ---: |")
        for method in ("dare_ties", "ties", "task_arithmetic"):
            for kind, models in KINDS.items():
                print(table_row(method, kind, models, sources, arguments.repeats), flush=True)


def table_row(method: str, kind: str, models: tuple[str, ...], sources: Mapping[str, Source], repeats: int) -> str:
    """One line of the table; "times faster" compares with new densities."""
    has_density = method != "task_arithmetic"
    engine = MergeEngine(sources, reuses_memory=True)

    def merge(step: int, density: float) -> None:
        numbers = {"weight": 0.5 + 0.01 * step} | ({"density": density} if has_density else {})
        for _name, _tensor in engine.stream(make_plan(two_of(method, models, numbers), sources)):
            pass

    merge(0, 0.5)
    fresh = median(lambda step: merge(step, 0.3 + 0.01 * step), repeats)
    again = median(lambda step: merge(step, 0.5), repeats)
    numbers = {"weight": 0.5} | ({"density": 0.5} if has_density else {})
    plan = make_plan(two_of(method, models, numbers), sources)
    whole = median(lambda _step: by_functions(plan, sources), max(1, repeats // 2))
    density = f"{fresh:.2f}" if has_density else "-"
    return f"| {method} | {kind} | {whole:.2f} | {density} | {again:.2f} | {whole / (fresh if has_density else again):.1f} |"


def by_functions(plan: tuple[TensorMerge, ...], sources: Mapping[str, Source]) -> None:
    """The same merge by the methods' functions, tensor by tensor."""
    for merge in plan:
        merge_whole(merge, sources, range(len(merge.inputs)), torch.bfloat16)


def two_of(method: str, models: tuple[str, ...], numbers: Mapping[str, float]) -> MergeConfig:
    """A merge of two models into the base, with the same numbers for both."""
    parameters = {name: (Setting((value,)),) for name, value in numbers.items()}
    return MergeConfig(method, (Slice(tuple(SliceSource(model, None, parameters) for model in models)),), "base")


def median(work: Callable[[int], None], repeats: int) -> float:
    """Seconds of wall time."""
    times = []
    for step in range(1, repeats + 1):
        start = time.perf_counter()
        work(step)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def write_models(folder: Path, layers: int) -> None:
    """A random base, two fine-tunes of it and two adapters."""
    noise = torch.Generator().manual_seed(0)
    base = {name: 0.05 * torch.randn(shape, generator=noise) for name, shape in linears(layers)}
    write_checkpoint(folder / "base", base)
    for name in KINDS["checkpoints"]:
        tuned = {key: tensor + 0.002 * torch.randn(tensor.shape, generator=noise) for key, tensor in base.items()}
        write_checkpoint(folder / name, tuned)
    for reference in KINDS["LoRA adapters"]:
        write_adapter(folder / reference.partition("+")[2], layers, noise)


def linears(layers: int) -> Iterator[tuple[str, tuple[int, int]]]:
    """Names and shapes of the linear layers' weights."""
    for layer in range(layers):
        for name, shape in SHAPES.items():
            yield f"model.layers.{layer}.{name}.weight", shape


def write_checkpoint(folder: Path, tensors: Mapping[str, Tensor]) -> None:
    """A model folder in bf16."""
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"architectures": ["LlamaForCausalLM"]}), encoding="utf-8")
    save_file({name: tensor.bfloat16() for name, tensor in tensors.items()}, folder / "model.safetensors")


def write_adapter(folder: Path, layers: int, noise: torch.Generator) -> None:
    """A PEFT folder with a pair for every linear layer."""
    folder.mkdir()
    config = {"peft_type": "LORA", "r": RANK, "lora_alpha": RANK, "target_modules": "all-linear"}
    (folder / "adapter_config.json").write_text(json.dumps(config), encoding="utf-8")
    pairs = {}
    for name, (rows, columns) in linears(layers):
        module = f"base_model.model.{name.removesuffix('.weight')}"
        pairs[f"{module}.lora_A.weight"] = 0.05 * torch.randn((RANK, columns), generator=noise)
        pairs[f"{module}.lora_B.weight"] = 0.01 * torch.randn((rows, RANK), generator=noise)
    save_file(pairs, folder / "adapter_model.safetensors")


if __name__ == "__main__":
    main()
