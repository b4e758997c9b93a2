"""Scorers: one file each, a pure function of an answer and what is expected, and their registry."""
