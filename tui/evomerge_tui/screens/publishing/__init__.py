"""A winner on the hub."""
