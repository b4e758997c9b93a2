"""Votes on the answers of a run's candidates."""
