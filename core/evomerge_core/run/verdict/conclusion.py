"""What a run comes to, in a sentence: who is the winner, and whether it is declared one."""

from __future__ import annotations

from collections.abc import Sequence

from evomerge_core.run.plan import RunPlan
from evomerge_core.run.store.facts import RunFacts, read_facts
from evomerge_core.run.store.records import Candidate
from evomerge_core.run.store.store import Store
from evomerge_core.run.verdict.verdict import equal_weight, spoken_name


def is_declared(store: Store, better: Sequence[bool]) -> bool:
    """Whether a winner is declared: it is `better` in each precision, and no parent was at least as good in the final.

    Two looks at luck are one too many: what is called better is so wherever it was tested.
    """
    return all(better) and read_facts(store).leading_parent is None


def conclude(plan: RunPlan, store: Store, winner: Candidate, *, declared: bool) -> str:
    """The sentence that results, screens and reports begin with."""
    facts = read_facts(store)
    by_votes = plan.votes > 0 and not plan.items("test")
    items = "validation items" if plan.items("validation") else "votes" if by_votes else "search items"
    where = f"by the {items}" if items == "votes" else f"on the {items}"
    if facts.leading_parent is not None:
        made = f"{spoken_name(winner)} {winner.label}" if winner.kind != "uniform" else spoken_name(winner)
        return f"no winner is declared: {where} the parent {facts.leading_parent} is at least as good as {made}"
    unbeaten = _unbeaten(plan, facts, winner)
    shows, not_shows = ("votes show", "votes do not show") if by_votes else ("test shows", "test does not show")
    shown = f"the {shows} that it is better than the best of its references"
    not_shown = f"the {not_shows} that it is better than the best of its references"
    if unbeaten is not None:
        return f"{unbeaten} is the winner, and {shown}" if declared else f"{unbeaten} is the winner, but {not_shown}"
    if declared:
        return f"{winner.label} is the winner: {shown}"
    return f"no winner is declared: {winner.label} did best {where}, but {not_shown}"


def _unbeaten(plan: RunPlan, facts: RunFacts, winner: Candidate) -> str | None:
    """The beginning of the sentence where the last stage's search has found nothing better than what was there before it."""
    if winner.kind == "uniform":
        return f"the search found nothing better than equal weights {equal_weight(winner)}; that merge"
    if winner.id in facts.stage_winners[:-1]:
        won = plan.stages[facts.stage_winners.index(winner.id)].name
        return f"stage {plan.stages[-1].name} found nothing better than {winner.label}, the winner of stage {won}; that child"
    return None
