"""One scorer a file; importing the package registers them all."""

from evomerge_core.tasks.scorers import (
    contains,
    exact,
    final_number,
    multiple_choice,
    normalized,
    regex,
    rouge_l,
)

__all__ = ["contains", "exact", "final_number", "multiple_choice", "normalized", "regex", "rouge_l"]
