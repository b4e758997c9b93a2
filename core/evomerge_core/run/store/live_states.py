"""The states of a run that has a job, for readers that need not open a store to know them."""

LIVE = frozenset({"starting", "running", "paused"})
