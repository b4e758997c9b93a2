"""Ready-made recipes and the quickstart's adapters."""
