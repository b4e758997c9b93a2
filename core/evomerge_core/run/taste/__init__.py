"""Breeding by taste: polls in which answers are compared, and what their votes say of candidates."""
