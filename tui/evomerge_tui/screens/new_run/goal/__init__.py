"""The step that says what the child must be good at."""
