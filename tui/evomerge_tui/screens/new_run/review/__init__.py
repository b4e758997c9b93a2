"""The step that checks the recipe and starts the run."""
