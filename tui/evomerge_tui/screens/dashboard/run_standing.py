"""How a run stands, in words: the line at the top, the legend, the best so far, the verdict."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from textual.content import Content

from evomerge_core.run.agreement import read_agreement
from evomerge_core.run.store.facts import RunFacts
from evomerge_core.run.store.live_states import LIVE
from evomerge_core.run.timing.time_left import TimeLeft, time_left
from evomerge_core.run.view.estimates import VOTES, Estimate
from evomerge_core.run.view.expectation import expectation
from evomerge_core.run.view.feed import RunUpdates
from evomerge_core.search.racing.rungs import rung_sizes
from evomerge_tui.screens.dashboard.fitness_plot import LINES, WINNER
from evomerge_tui.screens.dashboard.history import History
from evomerge_tui.screens.dashboard.watched_run import Best
from evomerge_tui.text.candidate_names import candidate_name
from evomerge_tui.text.quantities import duration, duration_range, gain, percent, percent_range, scored_in
from evomerge_tui.text.run_states import shown_state
from evomerge_tui.text.shown_text import one_line

# An event is late when it is this many times older than a pass takes.
_LATE = 3
_FINALISTS = 8
_PHASES = {
    "pool": "choosing sources",
    "references": "baselines",
    "agreement": "comparing precisions",
    "votes": "waiting for votes",
    "judging": "asking the judge",
}


def standing(news: RunUpdates, history: History, now: float) -> Content:
    """State, progress, time left, and how old the last event is when it is late."""
    sign, word, tone = shown_state(news.state)
    parts = [Content.styled(f"{sign} {word}", _COLOURS[tone])]
    if "stop" in news.waiting and news.state in LIVE:
        parts.append(Content.styled("stopping after this candidate", "$warning"))
    elif "pause" in news.waiting and news.state == "running":
        parts.append(Content.styled("pausing after this candidate", "$warning"))
    if news.state in LIVE:
        parts.append(Content(_progress(news, history)))
        left = run_time_left(news, history)
        if left is not None and news.state == "running":
            parts.append(Content(f"{duration_range(left.low, left.high)} left"))
        if (age := _late(news, history, now)) is not None:
            parts.append(Content.styled(f"last event {duration(age)} ago", "$warning"))
    elif news.facts.message:
        parts.append(Content.styled(one_line(news.facts.message, 90), "$error"))
    elif history.search:
        parts.append(Content(f"{len(history.search)} candidates in {duration(news.facts.active_seconds)}"))
    return Content(" · ").join(parts)


def run_time_left(news: RunUpdates, history: History) -> TimeLeft | None:
    """The time to the verdict: candidates to come, finalists on validation items, winner and references on the test; less what
    of it is done."""
    facts = news.facts
    items, total, precisions = facts.items, facts.phase_total, len(facts.precisions)
    if not items:
        return None
    references = len(history.references)
    # most references leave a final after its first rung
    final = (_FINALISTS * items["validation"] + references * rung_sizes(items["validation"])[0]) * precisions
    test = (1 + references) * items["test"] * precisions
    if facts.phase == "search" and facts.evaluations_total is not None:
        left = max(0, facts.evaluations_total - searched(news, history))
        return time_left(news.passes, left, final + test, facts.at_once)
    if facts.phase == "validation":
        asked = sum(done.items for done in news.passes if done.split == "validation")
        return time_left(news.passes, 0, max(0, final - asked) + test, facts.at_once)
    if facts.phase == "test" and total is not None:
        return time_left(news.passes, 0, max(0, total - history.done["test"]) * items["test"], facts.at_once)
    return None


def searched(news: RunUpdates, history: History) -> int:
    """Genomes that were asked anything; a store of an older version only knows those that were scored."""
    return max(news.tried, len(history.search))


def legend(history: History) -> Content:
    """What each of the plot's lines and signs means, with the scores of the references."""
    parts = []
    if history.winner is not None and any(outcome.candidate == history.winner for outcome in history.search):
        parts.append(Content.assemble((f"{WINNER} ", "$accent"), "winner"))
    parts += [Content.assemble(("━ ", "$accent"), "best, likely score"), Content.assemble(("• ", "$primary"), "child")]
    parts.append(Content.assemble(("┃ ", "$spread"), "generation"))
    for kind, (colour, name) in LINES.items():
        scores = [outcome.score for outcome in history.references if outcome.kind == kind and outcome.score is not None]
        if scores:
            parts.append(Content.assemble(("┈ ", f"${colour}"), f"{name} {percent_range(min(scores), max(scores))}"))
    return Content("  ").join(parts)


def fitness_title(facts: RunFacts) -> str:
    """What the plot shows, with the number of items that a race scores its candidates on: few items make coarse scores."""
    races = [sizes for sizes in facts.races if sizes]
    if not races:
        return "Fitness"
    first, last = races[-1][0], races[-1][-1]
    return f"Fitness · on {last} items" if first == last else f"Fitness · on {first} to {last} items"


def summary(history: History, best: Best | None, facts: RunFacts, result: Mapping[str, Any] | None) -> Content:
    """The best so far, or the winner, against what it must beat, and where the search stands."""
    lines = [_best_line(best, history)]
    for name, score in _rivals(history, result):
        lead = "" if best is None else gain(known_of(best, history).value - score)
        tone = "$success" if lead.startswith("+") else "$text-muted"
        lines.append(Content.assemble(f"{percent(score):>7}", (f"  {name}", "$text-muted"), (f"  {lead}", tone)))
    if (told := expectation(facts.expected.get(facts.precision))) is not None:
        lines.append(Content.styled(told, "$text-muted"))
    if facts.sigma is not None:
        failed = f" · {history.failed} failed" if history.failed else ""
        lines.append(Content.styled(f"generation {facts.generation}{failed}", "$text-muted"))
        lines.append(Content.styled(f"search step {facts.sigma:.2f} (smaller = settling)", "$text-muted"))
    if facts.scored_on is not None:
        lines.append(Content.styled(scored_in(facts.precision, facts.scored_on), "$text-muted"))
    lines += [Content.styled(note, "$text-muted") for note in _precision_notes(facts)]
    return Content("\n").join(lines) + "\n"


def _precision_notes(facts: RunFacts) -> list[str]:
    """Why the search has its precision, and how that ranks merges."""
    agreement = read_agreement(facts.agreement)
    choice = [] if facts.precision_choice is None else [f"precision {facts.precision_choice}"]
    return [*choice, *([] if agreement is None else [one_line(agreement.sentence, 200)])]


def _best_line(best: Best | None, history: History) -> Content:
    if best is None:
        return Content.styled("No child scored yet", "$text-muted")
    known = known_of(best, history)
    name = candidate_name(one_line(best.candidate.label, 32), best.candidate.kind)
    below = f"\n         {_rests_on(known)}"
    return Content.assemble((f"{percent(known.value):>7}", "bold $accent"), f"  {name}", (below, "$text-muted"))


def _rests_on(known: Estimate) -> str:
    if known.split == VOTES and known.low == known.high:
        return "its rating by the votes so far"
    within = f"95 % interval {percent_range(known.low, known.high)}"
    if known.split == VOTES:
        return f"{within}, by votes"
    return f"{within}, on {known.items} {known.split} items" if known.items else f"{within}, on {known.split}"


def known_of(best: Best, history: History) -> Estimate:
    """What is known of the best so far, or of the winner."""
    outcome = next((one for one in reversed(history.all) if one.candidate == best.candidate.id), None)
    estimate = None if outcome is None or best.split != "search" else history.of_search(outcome)
    low, high = best.interval or (best.score, best.score)
    return estimate or Estimate(best.score, low, high, 0, best.split)


def _rivals(history: History, result: Mapping[str, Any] | None) -> list[tuple[str, float]]:
    """The best parent and the best equal-weight merge, on the test when that is over, else on the search's items."""
    found = []
    for kind, key in (("parent", "parents"), ("uniform", "uniform")):
        if result is not None:
            tested = [candidate for candidate in result[key] if candidate["test"] is not None]
            best = max(tested, key=lambda candidate: candidate["test"], default=None)
            found += [] if best is None else [(_rival_name(kind, best["name"]), best["test"])]
        elif (outcome := history.best_of(kind)) is not None:
            found.append((_rival_name(kind, outcome.label), outcome.score or 0.0))
    return found


def _rival_name(kind: str, label: str) -> str:
    if kind == "parent":
        return f"best parent ({one_line(label, 24)})"
    return f"best equal weights ({one_line(label.removeprefix('uniform '), 12)})"


def verdict(result: Mapping[str, Any]) -> Content:
    """What the run comes to, and the verdict of the held-out test, a line for each precision."""
    # results of earlier versions have no conclusion
    parts = [Content.styled(one_line(result["conclusion"], 240), "bold")] if "conclusion" in result else []
    for precision, part in ((result["precision"], result), *result["confirmed"].items()):
        better = part.get("better", False)  # results of the first versions don't say
        head = f"{'✓' if better else '○'} {precision} {percent(part['winner']['test'])}"
        by = "on the test" if part.get("items", 1) else "by votes"
        sentence = f" {by}: {one_line(part['verdict'].removeprefix('by votes, '), 200)}"
        parts.append(Content.assemble((head, "bold $success" if better else "bold $warning"), sentence))
    return Content("\n").join(parts)


_COLOURS = {"": "", "muted": "$text-muted", "good": "$success", "bad": "$error", "best": "$warning"}


def _progress(news: RunUpdates, history: History) -> str:
    phase = news.facts.phase
    if phase is None:
        return "preparing"
    total = news.facts.phase_total
    done = searched(news, history) if phase == "search" else history.done.get(phase)
    if done is None:
        return _PHASES.get(phase, phase)
    return f"{_PHASES.get(phase, phase)} {done}" + (f"/{total}" if total else "")


def _late(news: RunUpdates, history: History, now: float) -> float | None:
    """The age of the last event in seconds, when it is worth a word."""
    if history.last_event is None:
        return None
    age = now - history.last_event
    usual = max((passed.seconds for passed in news.passes[-5:]), default=0.0)
    return age if age > max(60.0, _LATE * usual) else None
