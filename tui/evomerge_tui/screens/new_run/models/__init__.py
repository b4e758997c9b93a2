"""The step that picks the models."""
