"""What a run that waits for votes asks a person next, and the vote that is cast."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from evomerge_core.errors import InputError
from evomerge_core.files.yaml_file import read_yaml
from evomerge_core.recipe.validate import to_frozen_recipe
from evomerge_core.run.run_folder.folder import open_store, read_store
from evomerge_core.run.run_folder.names import RECIPE
from evomerge_core.run.run_folder.state import state_of
from evomerge_core.run.store.facts import read_facts
from evomerge_core.run.taste.poll import Ballot, next_ballot, open_poll, vote_on
from evomerge_core.run.view.sound_records import sound_records
from evomerge_core.tasks.taste import taste_items

Choice = Literal["first", "second", "tie"]


@dataclass(frozen=True)
class Voting:
    """The run's `state`, what is to be compared now (None: nothing yet, or nothing any more) and the prompt that was answered,
    and how many votes were cast in all; the poll ends when so many were `asked`."""

    state: str
    ballot: Ballot | None
    prompt: str
    cast: int
    asked: int


def prompts_of(folder: Path) -> dict[str, str]:
    """A run's prompts by item. Raises `InputError` for a run that asks people for no votes."""
    taste = to_frozen_recipe(read_yaml(folder / RECIPE)).taste
    if taste is None:
        remedy = "start a run whose recipe has 'taste'"
        raise InputError("asks for no votes", where=folder, remedy=remedy)
    if taste.judge is not None:
        raise InputError("has a judge that votes", where=folder, remedy="start a run without 'judge' to vote yourself")
    return {item.id: item.texts("prompt")[0] for item in taste_items(taste.prompts)}


def voting_now(folder: Path, prompts: dict[str, str]) -> Voting:
    """What the run asks now; nothing is written. DamagedStore where its poll is none."""
    with sound_records(folder), closing(read_store(folder)) as store:
        state, facts, poll = state_of(folder, store), read_facts(store), open_poll(store)
        ballot = None if poll is None or state == "finished" else next_ballot(store, poll, facts.precision)
        asked = 0 if poll is None else poll.until
        return Voting(state, ballot, "" if ballot is None else prompts[ballot.item], store.count_votes(), asked)


def cast(folder: Path, ballot: Ballot, choice: Choice) -> bool:
    """Keeps a person's vote in the run's store; False where somebody else, or the press before, cast it meanwhile."""
    with sound_records(folder), closing(open_store(folder)) as store:
        poll = open_poll(store)
        if poll is None or poll.name != ballot.poll or store.count_votes() >= poll.until:
            return False
        return store.add_vote(vote_on(ballot, choice, voter="person"))
