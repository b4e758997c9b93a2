"""A run: its folder and store, the loop, the verdict."""
