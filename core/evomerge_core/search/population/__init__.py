"""Searches that keep a population: who breeds with whom, what a child is made of, and who stays."""
