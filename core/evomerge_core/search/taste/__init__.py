"""Taste: who is better, by votes between two."""
