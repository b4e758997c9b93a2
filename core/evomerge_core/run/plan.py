"""What a run does, as far as its recipe decides it: stages, items, weights and precisions, and no opened model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from evomerge_core.recipe.schema import Budget, Precision, SearchSettings
from evomerge_core.search.racing.rungs import rung_sizes
from evomerge_core.tasks.evaluator import Question
from evomerge_core.tasks.items.items import Item
from evomerge_core.tasks.items.pictures import ItemPicture
from evomerge_core.tasks.items.split import SPLITS
from evomerge_core.tasks.task import Task

# Candidates of a stage's search that stand in its final. Chosen by `tests/benchmarks/final_simulation.py`.
FINALISTS = 8


@dataclass(frozen=True)
class Asked:
    """An item of a task as the question that the model is asked."""

    task: Task
    item: Item
    question: Question


@dataclass(frozen=True)
class StagePlan:
    """One search of a run: its place among the stages from 0, its name, its limits, and its optimiser."""

    index: int
    name: str
    budget: Budget
    search: SearchSettings

    @property
    def breaks_ties(self) -> bool:
        """Whether log-likelihood orders candidates of equal score."""
        return self.search.tie_break == "log_likelihood"

    @property
    def averages(self) -> bool:
        """Whether an average of its genomes is a genome: not where some of their numbers are whole."""
        return True


@dataclass(frozen=True)
class RunPlan:
    """The plan of a run.

    `precisions` are the search's, then those that the finalists and the test are scored in as well. `asked` maps each split
    to its questions; `search_items` of them are each task's in the search. `load_items` answers take about as long as merging
    and loading a candidate. `coherence`: candidates that are incoherent rank behind others. `compared`: a few merges are scored
    in bf16 too before the search, to see whether its precision ranks them alike. `votes` are asked for on answers to the
    prompts of taste, which is a task among the `tasks` and has items in the search alone; 0 without taste.
    """

    seed: int
    precisions: tuple[Precision, ...]
    stages: tuple[StagePlan, ...]
    tasks: tuple[Task, ...]
    asked: Mapping[str, tuple[Asked, ...]]
    search_items: int
    load_items: float
    coherence: bool = True
    compared: bool = False
    votes: int = 0

    @property
    def precision(self) -> Precision:
        """The precision that the search scores in."""
        return self.precisions[0]

    @property
    def weights(self) -> dict[str, float]:
        """Each task's share of the score."""
        return {task.name: task.weight for task in self.tasks}

    def pictures(self, splits: Iterable[str] = SPLITS) -> dict[str, ItemPicture]:
        """What the items of these splits show, by the pictures' sha256."""
        return {picture.sha256: picture for split in splits for a in self.asked[split] for picture in a.item.pictures}

    def items(self, split: str) -> int:
        """The number of a split's items, of all tasks together."""
        return len(self.asked[split])

    def tasks_in(self, split: str) -> int:
        """The number of tasks that have items in a split."""
        return len({asked.task.name for asked in self.asked[split]})

    @property
    def final_sizes(self) -> tuple[int, ...]:
        """Validation items of each task after each rung of a final; one rung where there are too few for a race to pay."""
        return rung_sizes(self.items("validation") // max(1, self.tasks_in("validation")), load_items=self.load_items)

    def final_items(self, others: int) -> list[tuple[int, int]]:
        """About what a stage's final asks in each precision: so many candidates, so many items each.

        Most of the `others`, which its search did not make, leave it after the first rung; finalists are seldom dropped.
        """
        if not self.items("validation"):
            return []
        return [(FINALISTS, self.items("validation")), (others, self.final_sizes[0] * self.tasks_in("validation"))]
