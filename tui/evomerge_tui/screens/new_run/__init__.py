"""A new run in four steps: models, goal, search, review."""
