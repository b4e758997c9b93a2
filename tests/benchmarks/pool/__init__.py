"""Choosing sources from a pool: adapters that are of no use, made by a script, and the table of what was chosen."""
