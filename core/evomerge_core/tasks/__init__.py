"""Items, splits, prompts, scorers, and the language condition."""
