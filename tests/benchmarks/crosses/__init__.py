"""Crosses of SmolLM2-135M made otherwise than the quickstart's: its settings must win where they were not tuned.

`python -m crosses.make` trains the adapters and makes a recipe of each cross; `python -m crosses.table` runs them.
"""
