"""Actions, their keys, and the command palette."""
