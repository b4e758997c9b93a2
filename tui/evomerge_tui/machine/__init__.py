"""The state of this machine, and what is missing on it."""
