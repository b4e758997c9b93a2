"""The states of a run."""

from __future__ import annotations

# Those in which a job is at work, or was until it went without a word.
LIVE = frozenset({"starting", "running", "paused"})
