"""Compares `evomerge-tui merge` with mergekit 0.1.5, tensor by tensor, for every deterministic method.

    python tests/benchmarks/mergekit_parity.py [BASE FIRST SECOND] [--dtype DTYPE] [--work FOLDER] [--only NAME...]

BASE is a model folder; FIRST and SECOND are fine-tunes of it, as model folders or as PEFT adapter folders, which peft
merges into the base and saves in bfloat16. mergekit gets an environment of its own in the work folder; both programs
read the same YAML (dtype float32, out_dtype bfloat16). Prints a Markdown table.

With `--dtype bfloat16` or `float16` the YAML says that, as most published files do, and nothing else: mergekit then computes in
it, evomerge rounds the result to it. The table counts how often each gives the number nearest to mergekit's own result in
float64 (`mergekit_few_bits.py`).

Distances are in bfloat16 steps (ulps). Where terms cancel, a last digit of float32 can be many steps of a result near 0:
entries further than one step, but by less than 4 float32 roundings of the largest of the inputs, are counted as noise.
Where entries are further still, mergekit merges once more in float64, and both results are compared with that.
Where equal magnitudes straddle the cut of a trimming method it is not defined
which of them stay: such entries are counted apart. bfloat16 task vectors have many; so the methods that cut are compared
on float32 fine-tunes too, when adapters are given.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
import yaml
from mergekit_environment import Models, fine_tunes, merge_all, mergekit_environment, run_command
from mergekit_few_bits import FEW_BITS_HEAD, few_bits, few_bits_row, readers, steps_apart
from torch import Tensor

from evomerge_core.fixed_merge.merge_from_file import merge_from_file

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.published_models import write_wide_models

NOISE = 4 * 2.0**-24

Reader = Callable[[str], Tensor]
# (task vectors of a tensor) -> True where equal values straddle a cut.
Ties = Callable[[Sequence[Tensor]], Tensor]


@dataclass(frozen=True)
class Case:
    """One merge: a name for the table, the configuration and, for a method that cuts, where it isn't defined."""

    name: str
    config: Mapping[str, Any]
    ties: Ties | None = None


@dataclass(frozen=True)
class Comparison:
    """How far two checkpoints lie apart, over all entries that are defined; `tied` entries are not."""

    entries: int = 0
    one_step: int = 0
    noise: int = 0
    further: int = 0
    steps: int = 0
    tied: int = 0
    tied_apart: int = 0
    only_in_one: tuple[str, ...] = ()


@dataclass(frozen=True)
class Result:
    """evomerge and mergekit compared; where entries are further than one rounding, each with mergekit in float64."""

    both: Comparison
    ours: Comparison | None = None
    theirs: Comparison | None = None

    @property
    def wrong(self) -> int:
        """Entries of evomerge's that are further than one rounding from the best result there is."""
        return self.ours.further if self.ours else self.both.further


def main() -> int:
    """Runs all cases, or those named; status 1 when evomerge's result is wrong by more than one rounding."""
    arguments = _arguments()
    work = (arguments.work or Path(tempfile.mkdtemp(prefix="mergekit-parity-"))).resolve()
    work.mkdir(parents=True, exist_ok=True)
    try:
        python = mergekit_environment(work / "environment")
        if arguments.base is None:
            arguments.base, arguments.first, arguments.second = write_wide_models(work / "random-models")
        models = fine_tunes(arguments.base, (arguments.first, arguments.second), python, work / "models-bfloat16", "bfloat16")
        if arguments.dtype != "float32":
            print_few_bits(
                [case for case in all_cases(models) if _wanted(case, arguments)], models, python, work, arguments.dtype
            )
            return 0
        cases = [(case, models) for case in all_cases(models)]
        finer = fine_tunes(arguments.base, (arguments.first, arguments.second), python, work / "models-float32", "float32")
        if finer != models:
            cuts = [case for case in all_cases(finer) if case.ties]
            cases += [(replace(case, name=f"{case.name}; float32 fine-tunes"), finer) for case in cuts]
        print(f"\n{TABLE_HEAD}", flush=True)
        worst = 0
        for case, used in cases:
            if not _wanted(case, arguments):
                continue
            result = run_case(case, used, python, work / "merges")
            print(table_row(case.name, result), flush=True)
            worst = max(worst, result.wrong)
    finally:
        if arguments.work is None:
            shutil.rmtree(work)
    return 1 if worst else 0


def print_few_bits(cases: Sequence[Case], models: Models, python: Path, work: Path, dtype: str) -> None:
    """The table of merges whose files say a dtype of few bits; both programs merge all of them in a process of their own."""
    merges = work / "merges"
    shutil.rmtree(merges, ignore_errors=True)
    merges.mkdir(parents=True)
    jobs = []
    for number, case in enumerate(cases):
        for name, maths in (("mergekit", dtype), ("float64", "float64")):
            _write_yaml(merges / f"{number}-{name}.yml", {**case.config, "dtype": maths, "out_dtype": dtype})
            jobs.append((f"{number}-{name}.yml", f"{number}-{name}", 1))
    print(merge_all(python.absolute(), jobs, merges))
    print(f"\n{FEW_BITS_HEAD}", flush=True)
    for number, case in enumerate(cases):
        merge_from_file(merges / f"{number}-mergekit.yml", merges / f"{number}-evomerge")
        folders = [merges / f"{number}-{name}" for name in ("evomerge", "mergekit", "float64")]
        print(few_bits_row(case.name, few_bits(*folders, _tied_entries(case, models))), flush=True)


def _wanted(case: Case, arguments: argparse.Namespace) -> bool:
    return not arguments.only or case.name in arguments.only


def run_case(case: Case, models: Models, python: Path, folder: Path) -> Result:
    """Merges with both programs, compares, and removes what they wrote."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    file, ours, theirs, exact = (folder / name for name in ("merge.yml", "evomerge", "mergekit", "float64"))
    ties, sizes = _tied_entries(case, models), _sizes(models)
    _write_yaml(file, case.config)
    run_command([sys.executable, "-m", "evomerge_tui", "merge", file, ours])
    _merge_with_mergekit(python, file, theirs)
    result = Result(compare(ours, theirs, ties, sizes))
    if result.both.further:
        _write_yaml(file, {**case.config, "dtype": "float64"})
        _merge_with_mergekit(python, file, exact)
        result = replace(result, ours=compare(ours, exact, ties, sizes), theirs=compare(theirs, exact, ties, sizes))
    shutil.rmtree(folder)
    return result


def _write_yaml(file: Path, config: Mapping[str, Any]) -> None:
    file.write_text(yaml.safe_dump(dict(config), sort_keys=False), encoding="utf-8")


def _merge_with_mergekit(python: Path, file: Path, out: Path) -> None:
    run_command([python, "-m", "mergekit.scripts.run_yaml", file, out, "--quiet"])


def compare(ours: Path, theirs: Path, ties: Callable[[str], Tensor | None], sizes: Reader) -> Comparison:
    """Compares two checkpoints.

    `ties` says of a tensor which of its entries aren't defined (None: all are), `sizes` how large the inputs of each are.
    """
    left, right = readers(ours), readers(theirs)
    total = Comparison(only_in_one=tuple(sorted(left.keys() ^ right.keys())))
    for name in sorted(left.keys() & right.keys()):
        a, b = left[name](name), right[name](name)
        if a.dtype != torch.bfloat16 or a.dtype != b.dtype or a.shape != b.shape:
            raise SystemExit(f"{name}: {a.dtype} {tuple(a.shape)} and {b.dtype} {tuple(b.shape)} can't be compared")
        apart, tied = steps_apart(a, b), ties(name)
        undefined = torch.zeros_like(apart, dtype=torch.bool) if tied is None else tied
        far = (apart > 1) & ~undefined
        if far.any():
            far &= (a.float() - b.float()).abs() > NOISE * sizes(name)
        total = _added(total, apart, undefined, far)
    return total


def _added(total: Comparison, apart: Tensor, undefined: Tensor, far: Tensor) -> Comparison:
    defined = apart.masked_fill(undefined, 0)
    return replace(
        total,
        entries=total.entries + apart.numel(),
        one_step=total.one_step + int((defined == 1).sum()),
        noise=total.noise + int(((defined > 1) & ~far).sum()),
        further=total.further + int(far.sum()),
        steps=max(total.steps, int(defined.masked_fill((defined > 1) & ~far, 0).max())),
        tied=total.tied + int(undefined.sum()),
        tied_apart=total.tied_apart + int((apart[undefined] > 0).sum()),
    )


TABLE_HEAD = (
    "| merge | entries | equal | one rounding | noise | further | at most (ulp) | tied at a cut | tied, apart "
    "| evomerge further from float64 | mergekit further from float64 |\n| --- |" + " ---: |" * 10
)


def table_row(name: str, result: Result) -> str:
    """One line of the table; a note when the two checkpoints don't hold the same tensors."""
    both = result.both
    equal = both.entries - both.tied - both.one_step - both.noise - both.further
    counts = [both.entries, equal, both.one_step, both.noise, both.further, both.steps, both.tied, both.tied_apart]
    numbers = [f"{number:,}" for number in counts]
    numbers += [f"{deviation.further:,}" if deviation else "" for deviation in (result.ours, result.theirs)]
    note = f" (only in one: {', '.join(both.only_in_one)})" if both.only_in_one else ""
    return f"| {name}{note} | {' | '.join(numbers)} |"


def all_cases(models: Models) -> list[Case]:
    """Every deterministic method, with and without what changes its way."""
    base, first, second = (str(folder) for folder in (models.base, models.first, models.second))

    def merge(
        method: str, per_source: Mapping[str, Sequence[Any]], with_base: bool = True, **parameters: Any
    ) -> dict[str, Any]:
        listed = [
            {"model": model, "parameters": {key: values[index] for key, values in per_source.items()}}
            for index, model in enumerate((first, second))
        ]
        shared = {key.rstrip("_"): value for key, value in parameters.items()}
        found: dict[str, Any] = {"merge_method": method, "models": listed, "parameters": shared} | _dtypes()
        return found | ({"base_model": base} if with_base else {})

    def pair(method: str, **parameters: Any) -> dict[str, Any]:
        listed = [{"model": base}, {"model": first}]
        return {"merge_method": method, "base_model": base, "models": listed, "parameters": parameters} | _dtypes()

    weight = {"weight": [0.7, 0.4]}
    opposed = {"weight": [0.9, -0.3]}
    half = {**weight, "density": [0.5, 0.3]}
    crumbs = {**weight, "density": [0.6, 0.4], "gamma": [0.02, 0.01]}
    trimmed = cut_ties(lambda size: [[int(0.5 * size)], [int(0.3 * size)]])
    band = cut_ties(
        lambda size: [
            [int(gamma * size), int(gamma * size) + int(density * size)] for density, gamma in ((0.6, 0.02), (0.4, 0.01))
        ]
    )
    layered = {"weight": [[{"filter": "mlp", "value": [0.1, 0.9]}, {"value": 0.5}], [0.8, 0.2, 0.6]]}
    return [
        Case("linear", merge("linear", weight, with_base=False)),
        Case("linear, not normalised", merge("linear", opposed, with_base=False, normalize=False)),
        Case("slerp", pair("slerp", t=0.4)),
        Case("slerp, gradient and filters", pair("slerp", t=[{"filter": "self_attn", "value": [0, 0.5, 1]}, {"value": 0.3}])),
        Case("nuslerp", merge("nuslerp", weight, with_base=False)),
        Case("nuslerp of task vectors", merge("nuslerp", weight)),
        Case("nuslerp, by rows", merge("nuslerp", weight, nuslerp_flatten=False)),
        Case("nuslerp, by columns", merge("nuslerp", weight, nuslerp_flatten=False, nuslerp_row_wise=True)),
        Case("multislerp", merge("multislerp", weight, with_base=False)),
        Case("multislerp of task vectors", merge("multislerp", weight)),
        Case("karcher", merge("karcher", {}, with_base=False)),
        Case("task_arithmetic", merge("task_arithmetic", weight)),
        Case("task_arithmetic, normalised, lambda", merge("task_arithmetic", opposed, normalize=True, lambda_=0.8)),
        Case("task_arithmetic, gradient and filters", merge("task_arithmetic", layered)),
        Case("ties", merge("ties", half), trimmed),
        Case("ties, not normalised, rescaled", merge("ties", half, normalize=False, rescale=True), trimmed),
        Case("breadcrumbs", merge("breadcrumbs", crumbs), band),
        Case("breadcrumbs_ties, rescaled", merge("breadcrumbs_ties", crumbs, rescale=True), band),
        Case("model_stock", merge("model_stock", {})),
        Case("model_stock, by filters", merge("model_stock", {}, filter_wise=True)),
        Case("sce", merge("sce", {})),
        Case("sce, select_topk 0.3", merge("sce", {}, select_topk=0.3), lambda deltas: variance_ties(deltas, 0.3)),
        Case("nearswap", pair("nearswap", t=0.002)),
        Case("arcee_fusion", pair("arcee_fusion")),
        Case("passthrough, layers of two models", passthrough(models)),
    ]


def passthrough(models: Models) -> dict[str, Any]:
    """The first two thirds of one model's layers, then the last two thirds of the other's."""
    layers = int(json.loads((models.base / "config.json").read_text(encoding="utf-8"))["num_hidden_layers"])
    ranges = {models.first: [0, 2 * layers // 3], models.second: [layers // 3, layers]}
    slices = [{"sources": [{"model": str(model), "layer_range": layer_range}]} for model, layer_range in ranges.items()]
    return {"merge_method": "passthrough", "slices": slices} | _dtypes()


def cut_ties(cuts: Callable[[int], Sequence[Sequence[int]]]) -> Ties:
    """Where a trim isn't defined; `cuts` says, of a tensor's size, after how many of the largest entries each model is cut."""

    def tied(deltas: Sequence[Tensor]) -> Tensor:
        found = torch.zeros_like(deltas[0], dtype=torch.bool)
        for delta, counts in zip(deltas, cuts(deltas[0].numel()), strict=True):
            for count in counts:
                found |= straddling(delta.abs(), count)
        return found

    return tied


def variance_ties(deltas: Sequence[Tensor], part: float) -> Tensor:
    """Where SCE isn't defined: nowhere or, the weights being mean squares of what is selected, everywhere."""
    variance = torch.stack(list(deltas)).var(dim=0, unbiased=False)
    tied = straddling(variance, int(part * int(variance.count_nonzero())))
    return torch.full_like(tied, bool(tied.any()))


def straddling(values: Tensor, count: int) -> Tensor:
    """True at the entries equal to the last of the `count` largest when some of them aren't among these; zeros don't matter."""
    ordered = values.flatten().sort(descending=True).values
    if not 0 < count < len(ordered) or ordered[count - 1] != ordered[count] or ordered[count] == 0:
        return torch.zeros_like(values, dtype=torch.bool)
    return values == ordered[count]


def _tied_entries(case: Case, models: Models) -> Callable[[str], Tensor | None]:
    base, first, second = (readers(folder) for folder in (models.base, models.first, models.second))

    def tied(name: str) -> Tensor | None:
        if case.ties is None:
            return None
        start = base[name](name).float()
        return case.ties([model[name](name).float() - start for model in (first, second)])

    return tied


def _sizes(models: Models) -> Reader:
    """The largest magnitude among the models' entries at each place of a tensor."""
    opened = [readers(folder) for folder in (models.base, models.first, models.second)]

    def largest(name: str) -> Tensor:
        return torch.stack([reader[name](name).float().abs() for reader in opened]).amax(dim=0)

    return largest


def _dtypes() -> dict[str, Any]:
    return {"dtype": "float32", "out_dtype": "bfloat16"}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Compares evomerge-tui merge with mergekit 0.1.5.")
    parser.add_argument("base", type=Path, nargs="?", help="the base model's folder; without it, three random models are made")
    parser.add_argument("first", type=Path, nargs="?", help="a fine-tune of it: a model folder, or a PEFT adapter's")
    parser.add_argument("second", type=Path, nargs="?", help="another")
    parser.add_argument("--work", type=Path, help="keep the environment and the fine-tunes here (default: a temporary folder)")
    parser.add_argument(
        "--models-dtype", choices=("bfloat16", "float32"), default="bfloat16", help="what peft's models are saved in"
    )
    parser.add_argument(
        "--dtype", choices=("float32", "bfloat16", "float16"), default="float32", help="what the merge's file says"
    )
    parser.add_argument("--only", nargs="+", metavar="NAME", help="run only the merges with these names in the table")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
