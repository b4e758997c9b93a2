"""One generation: its candidates, their races, and its finalists."""
