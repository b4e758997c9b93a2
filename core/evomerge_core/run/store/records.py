"""The records of a run's store: candidates, their evaluations and item scores."""

from __future__ import annotations

from dataclasses import dataclass

# The split that neutral texts are kept under: asked of candidates for their log-likelihood, never scored.
NEUTRAL = "neutral"
# The split that scores are kept under which compare a precision with another; its items are some of the search's.
AGREEMENT = "agreement"
# The kind of a candidate that an earlier run bred, and that an archive goes on from.
FOUNDER = "founder"
# The split that members of a pool and sets of them are scored under, and their kind; its items are some of the search's.
POOL = "pool"
_SHARES = {"first": 1.0, "second": 0.0, "tie": 0.5}


@dataclass(frozen=True)
class ItemScore:
    """An item's score: `value` in 0..1, `loss` the correct answer's mean negative log-likelihood per token in nats or None."""

    task: str
    item: str
    value: float
    loss: float | None
    truncated: bool
    language_ok: bool
    tokens: int
    answer: str


@dataclass(frozen=True)
class Evaluation:
    """A candidate's result on one split in one precision; `failure` is the reason where there is no score."""

    score: float | None
    loss: float | None
    failure: str | None
    seconds: float
    tokens: int


@dataclass(frozen=True)
class Pass:
    """One time that a candidate was merged, loaded and asked.

    `items` that it was asked, `tokens` that it wrote, `load_seconds` of the `seconds` in all; the `generation` of the
    candidate or of the race, and the race's `rung` (None outside). `failure` is why it gave no answers, `loss` then that of
    the correct answers where it is known. `scored_on` is the card or processor that computed it, and in what (None: unknown).
    """

    split: str
    precision: str
    items: int
    tokens: int
    load_seconds: float
    seconds: float
    generation: int | None = None
    rung: int | None = None
    failure: str | None = None
    loss: float | None = None
    scored_on: str | None = None


@dataclass(frozen=True)
class Candidate:
    """What is scored: a parent, an equal-weight merge (kind "uniform"), a genome of the search, an average of its genomes
    (kind "mean": a search's own mean, or of its best), a genome that was drawn to compare precisions (kind "drawn"), or some of
    a pool's members with equal weights (kind "pool"; the genome are their places in the pool).

    `twin` is the candidate that had the same genome before it; `stage` the index of the stage that asked for it, None for
    references.
    """

    id: int
    kind: str
    label: str
    generation: int | None
    position: int | None
    genome: tuple[float, ...] | None
    twin: int | None
    stage: int | None = None


@dataclass(frozen=True)
class Vote:
    """A comparison of two candidates' answers (ids) to a prompt, an item of taste, in a poll: `choice` is first, second or tie.

    `again` is what a judge chose when it saw the second answer first, None for a person, who sees them once. `voter` is person
    or judge; `at` is unix time in seconds.
    """

    poll: str
    item: str
    first: int
    second: int
    choice: str
    again: str | None
    voter: str
    at: float

    @property
    def share(self) -> float:
        """What the first has of the vote, 0..1; of two choices that contradict each other a half."""
        shares = [_SHARES[choice] for choice in (self.choice, self.again) if choice is not None]
        return sum(shares) / len(shares)


@dataclass(frozen=True, slots=True)
class Outcome:
    """An evaluation and whose it is, as lists and plots show it.

    `number` grows with time; `finished` is unix time in seconds; `mark` is why the coherence guard ranks it behind others;
    `items` are those that the score is the mean of; `stage` is the candidate's.
    """

    number: int
    candidate: int
    kind: str
    label: str
    generation: int | None
    split: str
    precision: str
    score: float | None
    loss: float | None
    failure: str | None
    seconds: float
    finished: float
    mark: str | None
    items: int = 0
    stage: int | None = None
