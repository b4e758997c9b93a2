"""The step that says how to search, and for how long."""
