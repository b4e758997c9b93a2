"""Runs in every state that a command goes on from: one that asks for votes, one whose archive goes on, one to be published."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import yaml

from evomerge_core.recipe.load import load_recipe
from evomerge_core.run.run_folder.folder import open_store
from evomerge_core.run.setup import create_run
from evomerge_core.run.store.facts import write_facts
from evomerge_core.run.store.records import Evaluation, ItemScore
from evomerge_core.run.store.store import Store
from evomerge_core.tasks.taste import TASTE, taste_items
from evomerge_quant.chat.conversation import Conversation
from evomerge_tui.talk.chat_history import keep_chat
from evomerge_tui.talk.votes import keep_vote, new_vote
from fuzz.inner import kept_in

_PROMPTS = ("hello", "who are you?")
_LABELS = ("first", "adapter", "g1.1", "g1.2")
_POOL = ("tasks", "splits")


def write_runs(folder: Path, recipe: Mapping[str, Any]) -> None:
    """Writes the runs `asking`, `bred` and `published`, a conversation, votes, and a file with a pool's tasks."""
    weights = {"search_space": {"groups": {"bands": 2}}, "tasks": recipe["tasks"][:1]}
    _write_asking(_run_of(folder, "asking", {**recipe, **weights, "taste": {"prompts": [*_PROMPTS], "votes": 6}}))
    _write_bred(_run_of(folder, "bred", {**recipe, **weights, "search": {"algorithm": "niches", "archive": 4}}))
    _write_published(folder)
    (folder / "pool.yaml").write_text(yaml.safe_dump({key: recipe[key] for key in _POOL}, sort_keys=False), encoding="utf-8")
    said = Conversation.begin("be brief").plus("user", "hello").plus("assistant", "hello to you")
    with kept_in(folder / "history.json"):
        keep_chat(folder / "model.gguf", said)
    keep_vote(folder, new_vote("hello", ("a.gguf", "b.gguf"), ("x", "y"), "left", blind=True))


def _run_of(folder: Path, name: str, recipe: Mapping[str, Any]) -> Path:
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump({**recipe, "name": name}, sort_keys=False), encoding="utf-8")
    return create_run(load_recipe(path), out=folder / name)


def _write_asking(run: Path) -> None:
    """Four candidates have answered, and nobody has voted yet."""
    with closing(open_store(run)) as store:
        ids = [store.add_candidate("search", label, generation=0, position=place).id for place, label in enumerate(_LABELS)]
        for one in ids:
            items = [
                ItemScore(TASTE, item.id, 0.5, None, False, True, 3, f"answer {one} to {place}")
                for place, item in enumerate(taste_items(_PROMPTS))
            ]
            store.save_evaluation(one, "search", "fp32", Evaluation(0.5, None, None, 1.0, 6), items)
        poll = {"name": "generation 1", "candidates": ids, "new": ids, "until": 6}
        write_facts(store, state="running", precision="fp32", precisions=["fp32"], weights={TASTE: 1.0}, poll=poll)
        _as_of_an_earlier_version(store)


def _write_bred(run: Path) -> None:
    with closing(open_store(run)) as store:
        parents = [store.add_candidate("parent", label).id for label in _LABELS[:2]]
        child = store.add_candidate("search", "g1.1", generation=0, position=0, genome=[0.2, 0.4, 0.6, 0.8], stage=0).id
        for one in (*parents, child):
            items = [ItemScore("sums", f"item {n}", float(n == one), 1.0, False, True, 2, "7") for n in range(6)]
            store.save_evaluation(one, "search", "fp32", Evaluation(0.5, 1.0, None, 1.0, 12), items)
        write_facts(
            store,
            state="finished",
            precision="fp32",
            precisions=["fp32"],
            weights={"sums": 1.0},
            stage_starts=[0],
            births=[[child, *parents]],
            archives=[[0, *parents, child]],
        )
        _as_of_an_earlier_version(store)


def _as_of_an_earlier_version(store: Store) -> None:
    """Without digests, by which every changed cell would be noticed before it is read; and in a file that needs no other."""
    store._connection.execute("DROP TABLE digests")
    store._connection.execute("PRAGMA journal_mode = DELETE")


def _write_published(folder: Path) -> None:
    """The finished run of an earlier version with its winner's model and a GGUF of it."""
    run = folder / "published"
    shutil.copytree(folder / "run", run)
    shutil.copytree(folder / "base", run / "winner" / "model")
    settings = run / "winner" / "model" / "config.json"
    text = json.dumps({**json.loads(settings.read_text(encoding="utf-8")), "_name_or_path": str(folder)})
    settings.write_text(text, encoding="utf-8")
    card = "---\nlanguage: [en, ja]\n---\n- owner/x (licence: mit)\n- owner/y (licence: see its own card)\n"
    (run / "winner" / "model" / "README.md").write_text(card, encoding="utf-8")
    (run / "winner" / "gguf").mkdir()
    shutil.copyfile(folder / "model.gguf", run / "winner" / "gguf" / "model-Q8_0.gguf")
