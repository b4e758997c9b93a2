"""What a merge is and how a good one is found: recipes, sources, merge methods, search, tasks, runs."""
