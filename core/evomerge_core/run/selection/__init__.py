"""Choosing a run's sources from its recipe's pool, before the search: every result is in the run's store."""
