"""A run's report: what its store knows, as JSON, as Markdown, and as plots."""
