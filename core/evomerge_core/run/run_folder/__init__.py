"""A run on disk: its folder and lock, what becomes of it, and where runs are."""
