"""A candidate: its scores, its recipe, and its answers beside a parent's."""
