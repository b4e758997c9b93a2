"""Replays whole searches on a landscape fitted to stored item scores: a setting is tried a thousand times while one is run.

`python -m replay.score` scores merges of a cross on many items, once; `python -m replay.compare` tries settings on what
these scores say of the cross.
"""
