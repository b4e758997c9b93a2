"""The model card of a published child: what hubs read at its head, and for people scores, how it was tested and how to run it.

All texts in it come from recipes, files and models of others: none of them can end a block or begin another.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from evomerge_core.run.report.words import code, fenced, percent, plain
from evomerge_core.run.view.result import references_of
from evomerge_core.sources.stored.model_card import FENCE
from evomerge_core.visible_text import visible
from evomerge_quant.publishing.gguf_facts import GgufFacts

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_LANGUAGE = re.compile(r"[a-z]{2,3}")
_LICENCE = re.compile(r"[a-z0-9][a-z0-9.-]{1,60}")
_LONGEST = 20_000  # characters of a recipe that stand in the card itself; it is a file too


@dataclass(frozen=True)
class CardFacts:
    """What a card is made of.

    `licences` are what the models that it was made of state, by their names (None: nothing), `bases` those of them that it is
    known to come from; `result` is the run's verdict (None: the files are of no run, and nothing says that they are a merge),
    `tasks` a line for each task, `recipe` the name and the text of the merge's file. `weights`: whether there are safetensors
    too; `sees`: whether it is a vision-language model.
    """

    title: str
    repo: str
    licences: Mapping[str, str | None]
    languages: Sequence[str]
    ggufs: Sequence[GgufFacts]
    bases: Sequence[str] = ()
    weights: bool = False
    sees: bool = False
    result: Mapping[str, Any] | None = None
    tasks: Sequence[str] = ()
    recipe: tuple[str, str] | None = None


def model_card(facts: CardFacts) -> str:
    """README.md: YAML at its head, then Markdown."""
    head = yaml.safe_dump(_head(facts), sort_keys=False, allow_unicode=True)
    parts = (_title(facts), _scores(facts), _tested(facts), _files(facts), _running(facts), _made_of(facts), _recipe(facts))
    body = "\n".join(line for part in parts for line in part)
    return visible(f"{FENCE}\n{head}{FENCE}\n\n{body}\n", keep="\n\t")


def _head(facts: CardFacts) -> dict[str, Any]:
    head: dict[str, Any] = {}
    if licence := _licence(facts.licences):
        head |= licence
    merged = facts.result is not None
    if known := [name for name in facts.bases if _HUB_ID.fullmatch(name)]:
        # the hub draws a model's family tree from these, and refuses what is no id
        head |= {"base_model": known, **({"base_model_relation": "merge"} if merged else {})}
    if languages := sorted({one for one in facts.languages if _LANGUAGE.fullmatch(one)}):
        head["language"] = languages
    if facts.weights:
        head["library_name"] = "transformers"
    head["pipeline_tag"] = "image-text-to-text" if facts.sees else "text-generation"
    mergekit = facts.recipe is not None and facts.recipe[0].startswith("mergekit")
    told = {"mergekit": mergekit, "merge": merged, "evomerge": True, "gguf": bool(facts.ggufs)}
    head["tags"] = [tag for tag, holds in told.items() if holds]
    return head


def _licence(licences: Mapping[str, str | None]) -> dict[str, str] | None:
    """The licence that all models state; a name that is none of the hub's form is given as a name."""
    stated = set(licences.values())
    if len(stated) != 1 or (licence := stated.pop()) is None:
        return None
    if _LICENCE.fullmatch(licence):
        return {"license": licence}
    return {"license": "other", "license_name": re.sub(r"[^a-z0-9.]+", "-", licence.lower()).strip("-")[:60] or "unnamed"}


def _title(facts: CardFacts) -> Iterator[str]:
    yield from (f"# {plain(facts.title)}", "")
    if facts.result is None:
        yield "GGUF files, published with evomerge-tui."
    else:
        yield "A merge of language models, made with evomerge-tui."
        yield from ("", f"**{_capital(plain(str(facts.result.get('conclusion') or facts.result['verdict'])))}.**")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _scores(facts: CardFacts) -> Iterator[str]:
    if facts.result is None:
        return
    yield from ("", "## Scores", "", _scored_by(facts.result))
    what = "items" if facts.result["items"] else "votes"
    for precision, part in [(facts.result["precision"], facts.result), *facts.result["confirmed"].items()]:
        yield from ("", f"Computed in {plain(precision)}:", "", "| | score | 95 % interval | |", "| --- | ---: | ---: | --- |")
        yield _score(part["winner"], "**this model**", "")
        against = {one["against"]: one for one in part["against"]}
        for row in references_of(part):
            yield _score(row, plain(row["name"]), _paired(against.get(row["name"]), what))
    yield from ("", "Whatever else the model can or can't do was not measured.")


def _scored_by(result: Mapping[str, Any]) -> str:
    """What the scores are: of a held-out test, or, without one, of votes."""
    if result["items"]:
        return f"On the {int(result['items'])} items of a test that had no part in the search or the choice of the winner:"
    chosen = "the chance that its answers are preferred to those of an average candidate, by the votes that chose the winner"
    told = (result.get("taste") or {}).get("sentence")
    return f"A score is {chosen}{f' ({plain(str(told))})' if told else ''}; no held-out items were asked:"


def _score(row: Mapping[str, Any], name: str, paired: str) -> str:
    if row["test"] is None or row["interval"] is None:
        return f"| {name} | failed | | {paired} |"
    low, high = row["interval"]
    return f"| {name} | {percent(row['test'])} | {percent(low)} to {percent(high)} | {paired} |"


def _paired(one: Mapping[str, Any] | None, what: str) -> str:
    return "" if one is None else f"this model wins {one['wins']} {what} and loses {one['losses']}, p = {one['p']:.2g}"


def _tested(facts: CardFacts) -> Iterator[str]:
    if facts.tasks:
        yield from ("", "## What it was tested on", "")
        yield from (f"- {task}" for task in facts.tasks)


def _files(facts: CardFacts) -> Iterator[str]:
    if not facts.ggufs:
        return
    yield from ("", "## Files", "", "| file | type | size |", "| --- | --- | ---: |")
    for gguf in facts.ggufs:
        kind = "what it sees with" if gguf.sees else gguf.encoding or "GGUF"
        yield f"| {plain(gguf.path.name)} | {kind} | {gguf.path.stat().st_size / 1e9:.2f} GB |"


def _running(facts: CardFacts) -> Iterator[str]:
    models = [gguf for gguf in facts.ggufs if not gguf.sees]
    if not models and not facts.weights:
        return
    yield from ("", "## How to run it")
    if models:
        # the smallest file is what most machines can hold
        smallest = min(models, key=lambda gguf: gguf.path.stat().st_size)
        place = f"{facts.repo}:{smallest.encoding}" if smallest.encoding else facts.repo
        with_eyes = any(gguf.sees for gguf in facts.ggufs)
        yield from ("", "llama.cpp:", "", *fenced(f"{'llama-mtmd-cli' if with_eyes else 'llama-cli'} -hf {place}", "sh"))
        yield from ("", "Ollama:", "", *fenced(f"ollama run hf.co/{place}", "sh"))
        yield from ("", "LM Studio:", "", *fenced(f"lms get {facts.repo}", "sh"))
        yield from ("", "A downloaded file:", "", *fenced(_from_disk(smallest, facts.ggufs), "sh"))
    if facts.weights:
        loader = "AutoModelForImageTextToText" if facts.sees else "AutoModelForCausalLM"
        reader = "AutoProcessor" if facts.sees else "AutoTokenizer"
        lines = (
            f"from transformers import {loader}, {reader}",
            "",
            f'model = {loader}.from_pretrained("{facts.repo}")',
            f'{reader.removeprefix("Auto").lower()} = {reader}.from_pretrained("{facts.repo}")',
        )
        yield from ("", "transformers:", "", *fenced("\n".join(lines), "python"))


def _from_disk(model: GgufFacts, ggufs: Sequence[GgufFacts]) -> str:
    eyes = next((gguf for gguf in ggufs if gguf.sees), None)
    if eyes is None:
        return f"llama-cli -m {shlex.quote(model.path.name)}"
    return f"llama-mtmd-cli -m {shlex.quote(model.path.name)} --mmproj {shlex.quote(eyes.path.name)}"


def _made_of(facts: CardFacts) -> Iterator[str]:
    if facts.bases:
        yield from ("", "## Made of", "")
    for name in facts.bases:
        licence = facts.licences.get(name)
        yield f"- {plain(name)} (licence: {plain(licence) if licence else 'see its own card'})"


def _recipe(facts: CardFacts) -> Iterator[str]:
    if facts.recipe is None:
        return
    name, text = facts.recipe
    yield from ("", "## Recipe", "", f"Also in {code(Path(name).name)}.")
    if len(text) <= _LONGEST:
        yield from ("", *fenced(text, "yaml"))
